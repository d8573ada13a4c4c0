//! `pstfs info`: what a store is, what is in it, what is shown of it, and what is wrong with it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::interrupt::end_at_once;
use super::json::{self, Counts, Found, Record};
use super::out::{Failure, Output, Stop};
use super::source::{Source, is_damage, shown};
use super::text;
use crate::damage::Finding;
use crate::store::Store;
use crate::tree::{Count, View};

/// The renderer's number: while it stays, the same item gives the same bytes.
pub const RENDERER: u32 = 5;

const EXAMPLES: &str = "\
Examples:
  pstfs info outlook.pst
  pstfs info --json *.pst | jq 'select(.type == \"end\").counts.files'

Exit codes: 0 done (damage is told on standard error), 8 a FILE could not be
read, 16 usage. Nothing is ever written to FILE.";

/// How many findings are listed without --json.
const FINDINGS_LISTED: usize = 5;
/// Where values begin in a line.
const INDENT: usize = 14;

/// Show what a store is and what is in it
///
/// Format, encryption, password, sizes, folders, items, oldest and newest, health, and an exact account of what a mount
/// does not show. Reads the tables of all folders, but not the messages.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Info {
    /// Print JSON Lines; 'pstfs schema' describes them
    #[arg(long)]
    json: bool,
    /// The stores: .pst or .ost files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Shows each file; one that cannot be read does not stop the others.
pub fn run(args: &Info) -> Result<Exit, Failure> {
    end_at_once()?;
    let mut out = Output::new();
    let mut exit = Exit::Done;
    for file in &args.files {
        match one(args, file, &mut out) {
            Ok(()) => {}
            Err(Stop::Gone) => return Ok(Exit::Done),
            Err(Stop::Failed(failure)) => exit = failure.tell(),
        }
    }
    Ok(exit)
}

/// What is known of a store.
#[derive(Debug)]
struct Facts {
    info: json::Info,
    count: Count,
    findings: Vec<Finding>,
    /// How many findings there are, those that were only counted included.
    found: u64,
}

fn one(args: &Info, file: &Path, out: &mut Output) -> Result<(), Stop> {
    if args.json {
        json::write(out, &json::start(text::lossy(file)))?;
    }
    let facts = match look(file) {
        Ok(facts) => facts,
        Err(failure) => {
            if args.json {
                json::failed(&failure.message).iter().try_for_each(|record| json::write(out, record))?;
            }
            out.flush()?;
            return Err(failure.into());
        }
    };
    if args.json {
        records(facts, out)?
    } else {
        lines(args, file, &facts, out)?
    }
    out.flush()
}

fn look(file: &Path) -> Result<Facts, Failure> {
    let source = Source::find(file)?;
    let tree = source.tree_alone(View::default())?;
    let store = tree.store();
    let count = tree.count().map_err(|error| source.broken(&error))?;
    let notes = store.ndb().notes();
    source.tell_damage(notes, &format!("'pstfs info --json {}' lists all", source.quoted()));
    let info = info(store, &count, source.bytes());
    Ok(Facts { info, count, findings: notes.findings(), found: notes.count() })
}

fn info(store: &Store, count: &Count, size: u64) -> json::Info {
    let header = store.ndb().header();
    json::Info {
        format: store.ndb().format().name(),
        format_version: header.version,
        client: header.client.name(),
        encryption: store.ndb().cipher().name(),
        password: store.password_crc().is_some(),
        password_crc: store.password_crc().map(|crc| format!("{crc:#010x}")),
        size,
        dirty: header.root.amap_valid == 0,
        oldest: text::rfc3339(text::unix(count.oldest)),
        newest: text::rfc3339(text::unix(count.newest)),
        renderer: RENDERER,
    }
}

fn records(facts: Facts, out: &mut Output) -> Result<(), Stop> {
    let counts = counts(&facts);
    let damaged = facts.findings.iter().any(is_damage);
    json::write(out, &Record::Info(Box::new(facts.info)))?;
    for finding in &facts.findings {
        json::write(out, &Record::Finding(Box::new(Found::of(finding))))?;
    }
    json::write(out, &json::end(damaged, counts))
}

fn counts(facts: &Facts) -> Counts {
    let count = &facts.count;
    Counts::from([
        ("folders", count.folders),
        ("folders_shown", count.folders_shown),
        ("rows", count.rows),
        ("items", count.normal),
        ("associated", count.associated),
        ("files", count.files),
        ("hidden", count.hidden()),
        ("hidden_associated", count.hidden_associated),
        ("hidden_elsewhere", count.hidden_elsewhere),
        ("failed", count.failed),
        ("orphans", count.orphans),
        ("mail", count.mail),
        ("calendar", count.calendar),
        ("contacts", count.contacts),
        ("findings", facts.found),
    ])
}

fn lines(args: &Info, file: &Path, facts: &Facts, out: &mut Output) -> Result<(), Stop> {
    let name = shown(file);
    // With several files each line says which one it is about.
    let prefix = if args.files.len() > 1 { format!("{name}: ") } else { String::new() };
    if prefix.is_empty() {
        out.line(&name)?;
    }
    for (name, value) in facts.told() {
        let label = if name.is_empty() { String::new() } else { format!("  {name}") };
        for line in text::fact(&label, &value, INDENT) {
            out.line(&format!("{prefix}{line}"))?;
        }
    }
    Ok(())
}

impl Facts {
    /// The facts as users read them: name and value, the name empty where a line belongs to the one before.
    fn told(&self) -> Vec<(&'static str, String)> {
        let info = &self.info;
        let mut told = vec![
            ("Format", format!("{}, version {}, {}", info.format, info.format_version, client(info.client))),
            ("Encryption", encryption(info.encryption)),
            ("Password", password(info.password_crc.as_deref())),
            ("Size", text::bytes(info.size)),
        ];
        told.extend(self.contents());
        told.extend(self.rows());
        told.extend(self.health());
        told.push(("Renderer", format!("{RENDERER} (while it stays, an item's document keeps its bytes)")));
        told
    }

    fn contents(&self) -> Vec<(&'static str, String)> {
        let count = &self.count;
        let time = |time| text::time(text::unix(time)).unwrap_or_else(|| "none has a time".to_owned());
        let contacts = text::counted(count.contacts, "contact", "contacts");
        let mut told = vec![
            ("Folders", format!("{}, {} of them shown", count.folders, count.folders_shown)),
            (
                "Items",
                format!("{}, {} of them shown: {} mail, {} calendar, {contacts}", count.normal, count.files, count.mail, count.calendar),
            ),
        ];
        if count.files > 0 {
            told.extend([("Oldest", time(count.oldest)), ("Newest", time(count.newest))]);
        }
        told
    }

    /// The account of all rows.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let count = &self.count;
        let sum = format!("{} = {} shown + {} hidden + {} failed", count.rows, count.files, count.hidden(), count.failed);
        let mut told = vec![("Rows", sum)];
        if count.hidden_associated > 0 {
            let what = text::counted(count.hidden_associated, "associated message", "associated messages");
            told.push(("", format!("hidden: {what} (views, rules, settings); -o hidden shows those of shown folders")));
        }
        if count.hidden_elsewhere > 0 {
            let what = text::counted(count.hidden_elsewhere, "item", "items");
            told.push(("", format!("hidden: {what} in folders of the store's own; -o all_folders shows them")));
        }
        if count.failed > 0 {
            let what = text::counted(count.failed, "row cannot be read", "rows cannot be read");
            told.push(("", format!("failed: {what}; see the findings")));
        }
        if count.orphans > 0 {
            let what = text::counted(count.orphans, "item that no folder lists is", "items that no folder lists are");
            told.push(("Orphans", format!("{what} shown in Recovered/Orphaned, besides these")));
        }
        told
    }

    fn health(&self) -> Vec<(&'static str, String)> {
        let closed = if self.info.dirty { "not closed cleanly; " } else { "" };
        let found = match self.found {
            0 => "no damage was met in headers, trees and tables that were read".to_owned(),
            found => text::counted(found, "finding", "findings"),
        };
        let mut told = vec![("Health", format!("{closed}{found}"))];
        told.extend(self.findings.iter().take(FINDINGS_LISTED).map(|finding| ("", line_of(finding))));
        let listed = u64::try_from(self.findings.len().min(FINDINGS_LISTED)).unwrap_or(u64::MAX);
        let more = self.found.saturating_sub(listed);
        if more > 0 {
            told.push(("", format!("and {more} more; --json lists them")));
        }
        told
    }
}

fn line_of(finding: &Finding) -> String {
    finding.to_string().replace(char::is_control, " ")
}

fn client(name: &str) -> String {
    match name {
        "PST" => "PST (personal store)".into(),
        "OST" => "OST (offline copy of a mailbox)".into(),
        "PAB" => "PAB (personal address book)".into(),
        other => format!("{other} client"),
    }
}

fn encryption(name: &str) -> String {
    match name {
        "none" => "none".into(),
        "permute" => "permute (compressible); it has no key and keeps no secret".into(),
        "cyclic" => "cyclic (high); it has no key and keeps no secret".into(),
        other => other.into(),
    }
}

fn password(crc: Option<&str>) -> String {
    match crc {
        None => "none".into(),
        Some(crc) => {
            format!("set, stored as the checksum {crc}; it protects nothing: only Outlook asks for it, the data are not encrypted by it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::{Code, Place};

    fn facts() -> Facts {
        let info = json::Info {
            format: "Unicode 4K",
            format_version: 36,
            client: "OST",
            encryption: "permute",
            password: true,
            password_crc: Some("0x01234567".into()),
            size: 16_818_176,
            dirty: true,
            oldest: None,
            newest: None,
            renderer: RENDERER,
        };
        let count =
            Count { rows: 9, normal: 6, associated: 3, files: 4, hidden_associated: 3, hidden_elsewhere: 1, failed: 1, ..Count::default() };
        let place = Place { bid: Some(u64::MAX), row: Some(u32::MAX), ..Place::node(u32::MAX).at(u64::MAX).property(0xffff) };
        let findings = vec![Finding::new(Code::HeaderDirty, place, "a\nb"); 7];
        Facts { info, count, findings, found: 12_000 }
    }

    #[test]
    fn every_line_fits_into_80_columns() {
        for (name, value) in facts().told() {
            for line in text::fact(&format!("  {name}"), &value, INDENT) {
                assert!(line.chars().count() <= 80 && !line.contains('\n'), "{line}");
            }
        }
    }

    #[test]
    fn what_is_not_shown_is_told_with_its_reason() {
        let told = facts().told();
        let has = |words: &str| told.iter().any(|(_, value)| value.contains(words));
        assert!(has("9 = 4 shown + 4 hidden + 1 failed") && has("3 associated messages") && has("1 item in folders"), "{told:?}");
        assert!(has("not closed cleanly; 12000 findings") && has("and 11995 more"), "{told:?}");
    }

    #[test]
    fn a_password_is_said_to_protect_nothing() {
        assert!(password(Some("0x1")).contains("protects nothing"));
    }
}
