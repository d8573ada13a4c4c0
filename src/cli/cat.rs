//! `pstfs cat`: a document of a store, without a mount.

use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::interrupt::end_at_once;
use super::json::{self, Counts};
use super::ls::{nid_of, resolve};
use super::out::{Failure, Output, Stop};
use super::source::{self, Source};
use super::{properties, text};
use crate::format::id::Nid;
use crate::tree::{Kind, View};

const HELP: &str = "\
Options for -o are those of 'pstfs ls', so that each name it shows is found.

Examples:
  pstfs cat outlook.pst \"Inbox/2001-10-22 20.06.22Z Lunch.eml\"
  pstfs cat outlook.pst \"Contacts/Jane Doe.vcf\" > jane.vcf

Exit codes: 0 done (damage is told on standard error), 8 failed (no such PATH,
not a store), 16 usage. Nothing is ever written to FILE.";

/// How much is read and written at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Print a document of a store, or all properties of an item
///
/// The same bytes that a mount has under the same path, to standard output. With --properties what the store holds of
/// the item instead, as JSON Lines; 'pstfs schema' describes them.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Cat {
    /// Options, separated by commas, as in 'pstfs ls'
    #[arg(short, value_name = "OPT,..")]
    options: Vec<String>,
    /// Print all properties of the item, its recipients and attachments, and of the messages inside it
    #[arg(long)]
    properties: bool,
    /// The item of this node instead of one of a path; decimal, or hexadecimal after 0x
    #[arg(long, requires = "properties", conflicts_with = "path", value_parser = nid)]
    nid: Option<Nid>,
    /// The store: a .pst or .ost file
    file: PathBuf,
    /// The document's path, as 'pstfs ls' shows it
    #[arg(required_unless_present = "nid")]
    path: Option<String>,
}

/// Prints it.
pub fn run(args: &Cat) -> Result<Exit, Failure> {
    let view = source::view(&args.options)?;
    end_at_once()?;
    Stop::settle(if args.properties { print_properties(args, view) } else { print(args, view) })
}

/// Prints what the store holds of an item.
fn print_properties(args: &Cat, view: View) -> Result<Exit, Stop> {
    let source = Source::find(&args.file)?;
    let tree = source.tree_alone(view)?;
    let path = args.path.as_deref().unwrap_or_default();
    let nid = match args.nid {
        Some(nid) => nid,
        None => nid_of(resolve(&tree, &source, path)?).ok_or_else(|| {
            let path = path.replace(char::is_control, "?");
            source.failed(format!("'{path}' is no item of the store, so it has no properties"))
        })?,
    };
    let mut out = Output::new();
    json::write(&mut out, &json::start(text::lossy(&args.file)))?;
    properties::print(&source, tree.store(), nid, &mut out)?;
    let notes = tree.store().ndb().notes();
    source.tell_damage(notes, &format!("'pstfs info {}' tells more", source.quoted()));
    json::write(&mut out, &json::end(notes.findings().iter().any(source::is_damage), Counts::new()))?;
    out.flush()?;
    Ok(Exit::Done)
}

/// A node's id as users write it.
fn nid(text: &str) -> Result<Nid, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')),
        None => text.parse().ok().filter(|_| !text.starts_with('+')),
    };
    number.map(Nid).ok_or_else(|| "the id of a node is a number such as 0x200024".into())
}

fn print(args: &Cat, view: View) -> Result<Exit, Stop> {
    let source = Source::find(&args.file)?;
    let tree = source.tree_alone(view)?;
    let path = args.path.as_deref().unwrap_or_default();
    let ino = resolve(&tree, &source, path)?;
    let attributes = tree.attributes(ino).map_err(|error| source.broken(&error))?;
    if attributes.kind == Kind::Directory {
        let path = path.replace(char::is_control, "?");
        let what = format!("'{path}' is a folder; 'pstfs ls {} \"{path}\"' lists it", source.quoted());
        return Err(source.failed(what).into());
    }
    let file = tree.open(ino).map_err(|error| source.broken(&error))?;
    let mut out = Output::new();
    let mut offset = 0_u64;
    loop {
        let bytes = tree.read(&file, offset, CHUNK_BYTES).map_err(|error| source.broken(&error))?;
        if bytes.is_empty() {
            break;
        }
        out.bytes(&bytes)?;
        offset = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
    out.flush()?;
    let notes = tree.store().ndb().notes();
    source.tell_damage(notes, &format!("'pstfs info {}' tells more", source.quoted()));
    Ok(Exit::Done)
}
