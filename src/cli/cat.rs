//! `pstfs cat`: a document of a store, without a mount.

use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::ls::resolve;
use super::out::{Failure, Output, Stop};
use super::source::{self, Source};
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

/// Print a document of a store
///
/// The same bytes that a mount has under the same path, to standard output.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Cat {
    /// Options, separated by commas, as in 'pstfs ls'
    #[arg(short, value_name = "OPT,..")]
    options: Vec<String>,
    /// The store: a .pst or .ost file
    file: PathBuf,
    /// The document's path, as 'pstfs ls' shows it
    path: String,
}

/// Prints it.
pub fn run(args: &Cat) -> Result<Exit, Failure> {
    let view = source::view(&args.options)?;
    Stop::settle(print(args, view))
}

fn print(args: &Cat, view: View) -> Result<Exit, Stop> {
    let source = Source::find(&args.file)?;
    let tree = source.tree(view)?;
    let ino = resolve(&tree, &source, &args.path)?;
    let attributes = tree.attributes(ino).map_err(|error| source.broken(&error))?;
    if attributes.kind == Kind::Directory {
        let path = args.path.replace(char::is_control, "?");
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
