//! `pstfs inspect`: the structures inside a store, field by field, damaged ones too.
//!
//! Each kind of structure is a file. What cannot be decoded is printed as bytes. Header and pages are read without any
//! tree, so that they can be looked at when nothing else can; the others go through the trees, and where a tree is
//! broken say so. Nothing is written anywhere.

mod block;
mod header;
mod node;
mod page;
mod props;
mod report;
mod table;
mod value;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::out::{Failure, Stop};
use super::source::Source;
use crate::damage::Error;
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::codec;
use crate::format::header::{Header, MAGIC};
use crate::format::id::Nid;
use crate::ndb::Ndb;
use report::Report;

pub(super) use value::type_name;

const HELP: &str = "\
WHAT is one of:
  header             the file's header
  page OFFSET        the page at this offset: trailer, entries, faults
  block BID          a block: its entry, trailer, faults, kind, data
  node NID           where a node's data and subnodes lie, what its heap holds
  props NID          properties: id, name, type, value
  table NID          a table: columns and rows
Numbers are decimal, or hexadecimal after 0x. A subnode is named by its path:
'props 0x200024/0x8025' shows an attachment of the message 0x200024.

Examples:
  pstfs inspect outlook.pst header
  pstfs inspect outlook.pst page 0x4a00
  pstfs inspect outlook.pst props 0x122
  pstfs inspect --all outlook.pst table 0x12d

Exit codes: 0 done (damage is told on standard error), 8 nothing to show (no
such page, block or node), 16 usage. Nothing is ever written to FILE.";

/// The highest version that is believed where the magic is wrong; the highest seen is 37.
const VERSION_MAX: u16 = 40;

/// Bytes for caches.
const CACHE_BYTES: usize = 16 << 20;

/// Look at the structures inside a store
///
/// Decodes as much as it can of a damaged file, and prints bytes where it cannot.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Inspect {
    /// Everything: whole values, all rows, all bytes
    #[arg(long)]
    all: bool,
    /// The format, where the header does not tell it
    #[arg(long, value_enum)]
    format: Option<Variant>,
    /// The store: a .pst or .ost file
    file: PathBuf,
    /// What to look at; see below
    #[arg(value_enum, hide_possible_values = true)]
    what: What,
    /// Which one: an offset, a block's or a node's id
    number: Option<String>,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The file's header.
    Header,
    /// A page.
    Page,
    /// A block.
    Block,
    /// A node.
    Node,
    /// Properties in a node.
    Props,
    /// A table in a node.
    Table,
}

/// A variant of the format, as users name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Variant {
    /// Outlook 97 to 2002.
    Ansi,
    /// Outlook 2003 and later.
    Unicode,
    /// OSTs of Outlook 2013 and later.
    #[value(name = "4k")]
    Large,
}

impl From<Variant> for Format {
    fn from(variant: Variant) -> Self {
        match variant {
            Variant::Ansi => Self::Ansi,
            Variant::Unicode => Self::Unicode,
            Variant::Large => Self::Unicode4k,
        }
    }
}

/// Shows what the user asked for.
pub fn run(args: &Inspect) -> Result<Exit, Failure> {
    let wanted = Wanted::parse(args.what, args.number.as_deref()).map_err(|what| Failure::new(Exit::Usage, what))?;
    Stop::settle(show(args, &wanted))
}

/// What to look at, with its number.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Header,
    Page(u64),
    Block(u64),
    Node(Vec<Nid>),
    Props(Vec<Nid>),
    Table(Vec<Nid>),
}

impl Wanted {
    fn parse(what: What, text: Option<&str>) -> Result<Self, String> {
        let missing = |of: &str, such: &str| format!("'inspect FILE {of}' needs a number, such as {such}");
        match (what, text) {
            (What::Header, None) => Ok(Self::Header),
            (What::Header, Some(_)) => Err("'inspect FILE header' takes no number".into()),
            (What::Page, None) => Err(missing("page", "the offset 0x4400")),
            (What::Block, None) => Err(missing("block", "the block id 0x4")),
            (What::Node, None) => Err(missing("node", "the node id 0x122")),
            (What::Props, None) => Err(missing("props", "the node id 0x21")),
            (What::Table, None) => Err(missing("table", "the node id 0x12d")),
            (What::Page, Some(text)) => number(text).map(Self::Page),
            (What::Block, Some(text)) => number(text).map(Self::Block),
            (What::Node, Some(text)) => nids(text).map(Self::Node),
            (What::Props, Some(text)) => nids(text).map(Self::Props),
            (What::Table, Some(text)) => nids(text).map(Self::Table),
        }
    }
}

/// A number, decimal or hexadecimal.
fn number(text: &str) -> Result<u64, String> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let digits = hex.unwrap_or(text);
    let number = match hex {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    // `from_str_radix` takes a sign.
    let number = number.ok().filter(|_| !digits.starts_with('+'));
    number.ok_or_else(|| format!("'{text}' is no number; numbers are decimal, or hexadecimal after 0x, such as 0x122"))
}

/// A node's id, and those of subnodes after slashes.
fn nids(text: &str) -> Result<Vec<Nid>, String> {
    text.split('/')
        .map(|part| {
            let id = number(part)?;
            u32::try_from(id).map(Nid).map_err(|_| format!("'{part}' is no node id: these are below 2^32"))
        })
        .collect()
}

fn show(args: &Inspect, wanted: &Wanted) -> Result<Exit, Stop> {
    let source = Source::find(&args.file)?;
    let raw = source.raw()?.source;
    let mut report = Report::new(args.all);
    match wanted {
        Wanted::Header => header::show(&Raw::new(args, &source, raw)?, &mut report)?,
        Wanted::Page(offset) => page::show(&Raw::new(args, &source, raw)?, *offset, &mut report)?,
        Wanted::Block(bid) => with_trees(&source, raw, |trees| block::show(trees, *bid, &mut report))?,
        Wanted::Node(path) => with_trees(&source, raw, |trees| node::show(trees, path, &mut report))?,
        Wanted::Props(path) => with_trees(&source, raw, |trees| props::show(trees, path, &mut report))?,
        Wanted::Table(path) => with_trees(&source, raw, |trees| table::show(trees, path, &mut report))?,
    }
    report.finish()?;
    Ok(Exit::Done)
}

/// A file whose bytes are looked at without any tree.
#[derive(Debug)]
struct Raw<'a> {
    source: &'a Source,
    file: Arc<dyn ReadAt>,
    /// The first bytes, as far as there are any.
    head: Vec<u8>,
    /// The format that the user or the header names.
    format: Option<Format>,
}

impl<'a> Raw<'a> {
    fn new(args: &Inspect, source: &'a Source, file: Arc<dyn ReadAt>) -> Result<Self, Stop> {
        let len = usize::try_from(source.bytes()).unwrap_or(usize::MAX).min(Header::BYTES_MAX);
        let mut raw = Self { source, file, head: Vec::new(), format: args.format.map(Format::from) };
        raw.head = raw.read(0, len)?;
        // The version stands alike in all variants, and may be right where the magic is not.
        let version: Option<u16> = codec::cut(&raw.head, 10, 2).and_then(|bytes| codec::decode(Format::Unicode, bytes).ok());
        let is_store = raw.head.starts_with(&MAGIC);
        let version = version.filter(|version| is_store || *version <= VERSION_MAX);
        raw.format = raw.format.or(version.and_then(Format::of_version));
        Ok(raw)
    }

    /// Bytes of the file, which must be there.
    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, Stop> {
        let mut bytes = vec![0; len];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map_err(|error| self.source.broken(&Error::Io(error)))?;
        Ok(bytes)
    }
}

/// A store whose trees can be asked.
#[derive(Debug)]
struct Trees<'a> {
    source: &'a Source,
    ndb: Arc<Ndb>,
}

impl Trees<'_> {
    /// A failure of the file, or why there is nothing to show.
    fn nothing(&self, what: &str, error: &Error) -> Stop {
        match error {
            Error::Io(_) => self.source.broken(error).into(),
            Error::Unsupported(_) | Error::NotFound(_) | Error::Cancelled | Error::Damaged(..) => {
                self.source.failed(format!("{what}: {error}")).into()
            }
        }
    }

    /// A result whose damage can be printed; only a failing disk ends the report.
    fn survive<T>(&self, result: crate::damage::Result<T>) -> Result<Result<T, Error>, Stop> {
        match result {
            Err(error) if error.is_io() => Err(self.source.broken(&error).into()),
            other => Ok(other),
        }
    }
}

/// Opens the trees, shows something, and tells what was met on the way.
fn with_trees(source: &Source, raw: Arc<dyn ReadAt>, show: impl FnOnce(&Trees<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
    let ndb = Ndb::open(raw, CACHE_BYTES).map_err(|error| source.not_opened(&error))?;
    let trees = Trees { source, ndb: Arc::new(ndb) };
    show(&trees)?;
    source.tell_damage(trees.ndb.notes(), &format!("'pstfs info {}' tells more", source.quoted()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!([number("290"), number("0x122"), number("0X122")], [Ok(290), Ok(290), Ok(290)]);
        for wrong in ["", "0x", "122h", "-1", "+1", "0x+1", "0x1_0", "99999999999999999999"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_subnode_is_a_path() {
        assert_eq!(nids("0x200024/0x671"), Ok(vec![Nid(0x20_0024), Nid(0x671)]));
        assert!(nids("0x200024/").is_err() && nids("0x100000000").is_err());
    }

    #[test]
    fn what_needs_a_number_says_so() {
        assert_eq!(Wanted::parse(What::Header, None), Ok(Wanted::Header));
        assert!(Wanted::parse(What::Header, Some("1")).is_err());
        for what in [What::Page, What::Block, What::Node, What::Props, What::Table] {
            assert!(Wanted::parse(what, None).unwrap_err().contains("needs a number"));
        }
    }
}
