//! What the lines of a manifest say, and how they are read and written: JSON, each line a value.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use serde::{Deserialize, Serialize};

use super::Origin;
use crate::convert::digest::Digest;

/// The number of the manifest's form; fields are only added while it stays.
pub(super) const SCHEMA: u32 = 1;

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    Start(Start),
    Item(Item),
    File(Shared),
    KeptItem(Item),
    KeptFile(Shared),
    End(End),
}

/// What the folder is made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) schema: u32,
    pub(super) format: String,
    pub(super) store: String,
    /// Where the store lies in the image of a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
}

/// How it went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) verdict: String,
    pub(super) rows: u64,
    pub(super) written: u64,
    pub(super) incomplete: u64,
    pub(super) failed: u64,
    pub(super) outside: u64,
    pub(super) bytes: u64,
    pub(super) program: String,
    pub(super) version: String,
    pub(super) renderer: u32,
    pub(super) schema: u32,
    pub(super) store_size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) store_sha256: Option<String>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is there, whole.
    Written,
    /// It is there as far as it can be read.
    Incomplete,
    /// It is not there.
    #[default]
    Failed,
}

/// An item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The file that it is in, from the folder of the export on; empty for one that failed before it had one.
    pub path: String,
    /// The node in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nid: Option<String>,
    /// The number of an attachment that is a file of its own, or of what a search found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// The folder's path in the tree.
    pub folder: String,
    /// The message class.
    pub class: String,
    /// The Message-ID of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Where it begins in a file that it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Bytes of the document, as a mount shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Why it is not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The blocks that hold the item in the store: new ones with every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// The number of the renderer that made it.
    pub renderer: u32,
}

/// What finds an item again in a later run: the digest of its folder, node and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u128);

impl Key {
    /// The key of an item.
    pub(super) fn new(folder: &str, nid: &str, number: Option<u32>) -> Self {
        Self(Digest::of(format!("{folder}\0{nid}\0{}", number.map_or(-1, i64::from)).as_bytes()))
    }

    /// The key that finds this one again.
    pub(super) fn of(item: &Item) -> Self {
        Self::new(&item.folder, item.nid.as_deref().unwrap_or_default(), item.number)
    }

    /// The key of a path.
    pub(super) fn path(path: &str) -> Self {
        Self(Digest::of(path.as_bytes()))
    }
}

/// A file that items share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shared {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// How many items are in it.
    pub(super) items: u64,
    /// The digest of the items' nodes and blocks, in their order.
    pub(super) state: String,
    pub(super) renderer: u32,
}

/// Shows each line that can be read; the last one of a run that was killed may be cut off.
pub(super) fn for_each_line(file: &File, mut show: impl FnMut(Line, u64, u32) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut offset = 0_u64;
    loop {
        line.clear();
        let len = u64::try_from(reader.read_until(b'\n', &mut line)?).unwrap_or(u64::MAX);
        if len == 0 {
            return Ok(());
        }
        if let (Ok(parsed), Ok(len)) = (serde_json::from_slice(&line), u32::try_from(len)) {
            show(parsed, offset, len)?;
        }
        offset = offset.saturating_add(len);
    }
}

/// Writes a line.
pub(super) fn put(out: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
