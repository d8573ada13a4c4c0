//! The record of a repair, in the log beside the store: what is needed to take it back.
//!
//! `FILE.repair.log` is for people; lines that begin with [`MARK`] are for [`undo`](super::undo), too. The last of them
//! counts.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::backup::{create, sync_folder};
use super::beside;
use crate::damage::Result;

/// The ending of the log's name.
const LOG: &str = ".repair.log";
/// What such a line begins with.
const MARK: &str = "** Record: ";

/// What a store's bytes are: their number and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Bytes of the file.
    pub len: u64,
    /// Its BLAKE3, in hex.
    pub digest: String,
}

/// How far a repair or its undoing came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The store was repaired, or is being repaired.
    Repaired {
        /// What was kept, as the ending of a file beside the store or a whole path.
        kept: PathBuf,
        /// What the store was before.
        before: State,
        /// What it is afterwards.
        after: State,
    },
    /// What was kept is being put back.
    Undoing(PathBuf),
    /// There is nothing to take back.
    Undone,
}

impl State {
    fn parse(len: &str, digest: &str) -> Option<Self> {
        Some(Self { len: len.parse().ok()?, digest: digest.to_owned() })
    }
}

impl Record {
    /// The last record of a store's log, if there is one.
    pub fn last(store: &Path) -> Result<Option<Self>> {
        let mut text = Vec::new();
        match File::open(beside(store, LOG)) {
            Ok(mut file) => file.read_to_end(&mut text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().rev().find_map(|line| Self::parse(line.strip_prefix(MARK)?)))
    }

    /// Where what was kept of the store lies.
    pub(super) fn kept(&self, store: &Path) -> Option<PathBuf> {
        match self {
            Self::Repaired { kept, .. } | Self::Undoing(kept) if kept.is_absolute() => Some(kept.clone()),
            Self::Repaired { kept: ending, .. } | Self::Undoing(ending) => Some(beside(store, ending)),
            Self::Undone => None,
        }
    }

    /// Appends it to a store's log.
    pub(super) fn append(&self, store: &Path) -> Result<()> {
        append(store, &format!("{MARK}{}\n", self.line()))
    }

    fn line(&self) -> String {
        match self {
            Self::Repaired { kept, before, after } => {
                let (len, digest) = (after.len, &after.digest);
                let kept = escaped(kept);
                format!("repaired len={len} blake3={digest} was_len={} was_blake3={} kept={kept}", before.len, before.digest)
            }
            Self::Undoing(kept) => format!("undoing kept={}", escaped(kept)),
            Self::Undone => "undone".into(),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "undone" => Some(Self::Undone),
            "undoing" => Some(Self::Undoing(unescaped(rest.strip_prefix("kept=")?)?)),
            "repaired" => {
                let mut fields = rest.splitn(5, ' ');
                let mut field = |name| fields.next()?.strip_prefix(name);
                let after = State::parse(field("len=")?, field("blake3=")?)?;
                let before = State::parse(field("was_len=")?, field("was_blake3=")?)?;
                Some(Self::Repaired { kept: unescaped(field("kept=")?)?, before, after })
            }
            _ => None,
        }
    }
}

/// A path in one line of text: what no line can hold is written as `%` and two hex digits.
fn escaped(path: &Path) -> String {
    let mut line = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '%' | '\0'..='\x1f' | '\x7f' => line.push_str(&format!("%{:02X}", u32::from(letter))),
                _ => line.push(letter),
            }
        }
        chunk.invalid().iter().for_each(|byte| line.push_str(&format!("%{byte:02X}")));
    }
    line
}

fn unescaped(line: &str) -> Option<PathBuf> {
    let mut parts = line.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(byte, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(OsString::from_vec(bytes).into())
}

/// Appends to a store's log, and syncs it.
pub(super) fn append(store: &Path, text: &str) -> Result<()> {
    let path = beside(store, LOG);
    let mut file = match OpenOptions::new().append(true).open(&path) {
        // It names letters: nobody may read it who may not read the store.
        Err(error) if error.kind() == ErrorKind::NotFound => create(&path, &fs::metadata(store)?)?,
        file => file?,
    };
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(sync_folder(&path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_a_log_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a.pst");
        std::fs::write(&store, "a store").unwrap();
        assert_eq!(Record::last(&store).unwrap(), None);
        let after = State { len: 3, digest: "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85".into() };
        let odd = PathBuf::from(OsString::from_vec(b"/a\nb/100% \xff.bak".to_vec()));
        let before = State { len: 4, digest: "0".repeat(64) };
        let records = [
            Record::Repaired { kept: "with a space.bak".into(), before: before.clone(), after: after.clone() },
            Record::Repaired { kept: odd, before, after },
            Record::Undoing(".bak".into()),
            Record::Undone,
        ];
        for record in records {
            append(&store, "  => a line for people\n").unwrap();
            record.append(&store).unwrap();
            append(&store, "** Record: of another version\n").unwrap();
            assert_eq!(Record::last(&store).unwrap(), Some(record));
        }
    }
}
