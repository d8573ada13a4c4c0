//! What `--json` prints: one record a line (JSON Lines), nothing else on standard output.
//!
//! Within a schema number fields are only added. [`super::schema`] describes each record in words; a test holds every
//! record against that.

use std::collections::BTreeMap;

use serde::Serialize;

use super::exit::Exit;
use super::out::{Output, Stop};
use super::properties::Whole;
use crate::damage::{Finding, Severity, Verdict};
use crate::export;

/// The number of the schema.
pub(super) const SCHEMA: u32 = 1;

/// Numbers by name, in the order of the names.
pub(super) type Counts = BTreeMap<&'static str, u64>;

/// A line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Record {
    /// The first line.
    Start { schema: u32, version: &'static str, file: String },
    /// What a store is.
    Info(Box<Info>),
    /// A phase of a job begins.
    Phase { name: &'static str },
    /// Something found wrong.
    Finding(Box<Found>),
    /// What a repair changes, or leaves.
    Change { what: String },
    /// An entry of a folder.
    Entry(Box<Entry>),
    /// A store that was found in an image.
    Carved { dir: String, start: i64, from: u64, to: u64, whole: bool, format: &'static str },
    /// What became of an item that was exported.
    Exported(Box<export::Item>),
    /// What runs on a mount, or ran last.
    Job(Box<JobState>),
    /// An item with all its properties.
    Item(Box<Whole>),
    /// Why there is no more.
    Error { message: String },
    /// The last line.
    End { verdict: String, exit: u8, counts: Counts },
}

/// What a store is.
#[derive(Debug, Serialize)]
pub(super) struct Info {
    pub(super) format: &'static str,
    pub(super) format_version: u16,
    pub(super) client: &'static str,
    pub(super) encryption: &'static str,
    pub(super) password: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password_crc: Option<String>,
    pub(super) size: u64,
    pub(super) dirty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oldest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<String>,
    pub(super) renderer: u32,
}

/// Something found wrong.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    code: &'static str,
    severity: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    victim: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<String>,
}

/// An entry of a folder.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mtime: Option<String>,
}

/// What runs on a mount, or ran last; the lines of `.control`.
#[derive(Debug, Default, Serialize)]
pub(super) struct JobState {
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) done: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) eta_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) findings: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit: Option<u64>,
}

impl Found {
    /// A finding as a record.
    pub(super) fn of(finding: &Finding) -> Self {
        let place = finding.place;
        Self {
            code: finding.code.id(),
            severity: severity(finding.severity),
            title: finding.code.title(),
            detail: finding.detail.clone(),
            victim: finding.victim.clone(),
            offset: place.offset.map(|offset| format!("{offset:#x}")),
            bid: place.bid.map(|bid| format!("{bid:#x}")),
            nid: place.nid.map(|nid| format!("{nid:#x}")),
            property: place.property.map(|id| format!("{id:#06x}")),
            row: place.row.map(|row| format!("{row:#x}")),
        }
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Fatal => "fatal",
    }
}

/// The first line about a file.
pub(super) fn start(file: String) -> Record {
    Record::Start { schema: SCHEMA, version: env!("CARGO_PKG_VERSION"), file }
}

/// The last line about a file that could be read; whether damage was met on the way.
pub(super) fn end(damaged: bool, counts: Counts) -> Record {
    let verdict = if damaged { "Damage was met" } else { "Done" };
    end_with(verdict, Exit::Done, counts)
}

/// The last line about a file, in the words of what was done.
pub(super) fn end_with(verdict: &str, exit: Exit, counts: Counts) -> Record {
    Record::End { verdict: verdict.to_owned(), exit: exit.code(), counts }
}

/// The last line about a job.
pub(super) fn judged(verdict: Verdict, counts: Counts) -> Record {
    Record::End { verdict: verdict.text().to_owned(), exit: verdict.exit_code(), counts }
}

/// The last lines about a file that could not be.
pub(super) fn failed(message: &str) -> [Record; 2] {
    [Record::Error { message: message.to_owned() }, end_with("Failed", Exit::Failed, Counts::new())]
}

/// Writes a record as a line.
pub(super) fn write(out: &mut Output, record: &Record) -> Result<(), Stop> {
    let line = serde_json::to_string(record).map_err(|error| {
        let message = format!("cannot write a record: {error}");
        super::out::Failure::new(Exit::Failed, message)
    })?;
    out.line(&line)
}
