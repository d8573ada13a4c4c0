//! What a repair keeps before it writes, and how it is taken back: on real files, in a folder of their own.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

#[path = "support/blank.rs"]
mod blank;
#[path = "support/model.rs"]
#[allow(dead_code, reason = "its random changes are for others")]
mod model;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blank::blank;
use model::{ROOT, Random, open};
use pstfs::damage::{Error, Result};
use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Bid, Nid};
use pstfs::ndb::write::{Journal, Prepared, Transaction};
use pstfs::progress::Progress;
use pstfs::repair::{Applied, Backup, Digests, Held, Seen, Undone, apply, end_interrupted, journal_of, undo};

/// What a program that was killed leaves of a file.
type Leave = fn(&[u8]) -> Vec<u8>;

/// A store in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    store: PathBuf,
    old: Vec<u8>,
}

impl Place {
    fn new(format: Format) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a b.pst");
        let old = blank(format, Cipher::Permute);
        fs::write(&store, &old).unwrap();
        Self { folder, store, old }
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.store).unwrap()
    }

    /// A transaction that adds a node.
    fn prepared(&self) -> (Prepared, Arc<dyn ReadAt>) {
        let source: Arc<dyn ReadAt> = Arc::new(self.bytes());
        let ndb = open(Arc::clone(&source));
        let mut transaction = Transaction::begin(&ndb).unwrap();
        let data = transaction.put_data(&Random(7).bytes(20_000)).unwrap();
        transaction.put_node(Nid(ROOT), Nid(ROOT), data, Bid::NONE).unwrap();
        (transaction.prepare().unwrap(), source)
    }

    fn apply(&self, keep: &Backup) -> Result<Applied> {
        let (prepared, source) = self.prepared();
        let digests = Digests::of(&*source, &Progress::default()).unwrap();
        apply(prepared, Seen { source: &source, digests: &digests }, &self.store, keep, Held::default(), "** Plan\n", &Progress::default())
    }

    fn undo(&self, from: Option<&Path>, force: bool) -> Result<Undone> {
        undo(&self.store, from, force, Held::default(), &Progress::default())
    }

    /// The names in the folder.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn words(result: Result<impl std::fmt::Debug>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_backup_that_rotted_does_not_replace_the_store() {
    let place = Place::new(Format::Unicode);
    let kept = place.apply(&Backup::Full).unwrap().kept.path;
    let repaired = place.bytes();
    for spoil in [|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2), |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1] {
        let mut bytes = place.old.clone();
        spoil(&mut bytes);
        fs::write(&kept, &bytes).unwrap();
        for from in [None, Some(&*kept)] {
            let refused = place.undo(from, false).unwrap_err().to_string();
            assert!(refused.contains("is not what the store was"), "{refused}");
            assert_eq!(place.bytes(), repaired);
        }
    }
    fs::write(&kept, &place.old).unwrap();
    place.undo(None, false).unwrap();
    assert_eq!(place.bytes(), place.old);
}

#[test]
fn a_backup_that_was_named_from_a_folder_is_found_from_any_folder() {
    let place = Place::new(Format::Unicode);
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let inside = place.folder.path().join("a b.pst.d");
    fs::create_dir(&inside).unwrap();
    for (number, folder) in [place.folder.path(), &inside].into_iter().enumerate() {
        // Begins with a dot, as the ending of a file beside the store does.
        let relative = Path::new(".").join(&up).join(folder.strip_prefix("/").unwrap()).join(format!("kept {number}%\n.pst"));
        let applied = place.apply(&Backup::At(relative)).unwrap();
        assert!(applied.kept.path.is_absolute());
        assert_eq!(place.undo(None, false).unwrap().from, Some(applied.kept.path));
        assert_eq!(place.bytes(), place.old);
    }
}

#[test]
fn every_byte_comes_back_from_each_kind_of_backup() {
    for format in Format::ALL {
        for keep in [Backup::Full, Backup::Undo] {
            let place = Place::new(format);
            let applied = place.apply(&keep).unwrap();
            assert!(applied.committed.blocks > 0 && place.bytes() != place.old);
            assert!(model::read(&open(Arc::new(place.bytes()))).unwrap().contains_key(&ROOT));
            assert!(!journal_of(&place.store).exists());
            let undone = place.undo(None, false).unwrap();
            assert_eq!(undone, Undone { from: Some(applied.kept.path.clone()), before: None });
            assert!(place.bytes() == place.old, "{format:?} {keep:?}");
            // A full copy is the user's; the other is of no use any more.
            assert_eq!(applied.kept.path.exists(), keep == Backup::Full);
            assert!(words(place.undo(None, false)).contains("names none"), "there is nothing left to take back");
        }
    }
}

#[test]
fn a_backup_is_a_copy_and_never_goes_over_another_file() {
    let place = Place::new(Format::Unicode);
    fs::write(place.folder.path().join("a b.pst.bak"), "mine").unwrap();
    let applied = place.apply(&Backup::Full).unwrap();
    assert_eq!(applied.kept.path.file_name().unwrap(), "a b.pst.bak.1");
    assert!(fs::read(&applied.kept.path).unwrap() == place.old);
    assert_eq!(fs::read(place.folder.path().join("a b.pst.bak")).unwrap(), b"mine");
    assert_eq!(place.names(), ["a b.pst", "a b.pst.bak", "a b.pst.bak.1", "a b.pst.repair.log"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let place = Place::new(Format::Unicode);
    let path = elsewhere.path().join("kept");
    place.apply(&Backup::At(path.clone())).unwrap();
    assert!(fs::read(&path).unwrap() == place.old);
    place.undo(None, false).unwrap();
    assert!(words(place.apply(&Backup::At(path))).contains("exists"));
    assert!(place.bytes() == place.old, "a refusal writes nothing");
}

#[test]
fn the_log_tells_the_plan_before_the_first_byte_changes() {
    let place = Place::new(Format::Unicode);
    place.apply(&Backup::Undo).unwrap();
    let log = fs::read_to_string(place.folder.path().join("a b.pst.repair.log")).unwrap();
    assert!(log.starts_with("** Plan\n** Record: repaired len="), "{log}");
}

#[test]
fn a_store_that_was_changed_since_is_left_alone_unless_forced() {
    let place = Place::new(Format::Unicode);
    place.apply(&Backup::Full).unwrap();
    let mut changed = place.bytes();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(&place.store, &changed).unwrap();
    assert!(words(place.undo(None, false)).contains("its contents changed"));
    changed.push(0);
    fs::write(&place.store, &changed).unwrap();
    assert!(words(place.undo(None, false)).contains("bytes, after the repair it had"));
    assert!(place.bytes() == changed, "a refusal writes nothing");
    let undone = place.undo(None, true).unwrap();
    assert!(fs::read(undone.before.unwrap()).unwrap() == changed && place.bytes() == place.old);
}

#[test]
fn without_its_log_an_undo_wants_the_backup_named_and_force() {
    let place = Place::new(Format::Ansi);
    let kept = place.apply(&Backup::Full).unwrap().kept.path;
    fs::remove_file(place.folder.path().join("a b.pst.repair.log")).unwrap();
    assert!(words(place.undo(None, false)).contains("names none"));
    assert!(words(place.undo(Some(&kept), false)).contains("nothing tells"));
    place.undo(Some(&kept), true).unwrap();
    assert!(place.bytes() == place.old);
}

#[test]
fn an_undo_that_was_cut_off_is_done_again() {
    let place = Place::new(Format::Unicode);
    place.apply(&Backup::Full).unwrap();
    let repaired = place.bytes();
    // As if the power had failed in the middle: the log says that it began, the file is half the one and half the other.
    let log = place.folder.path().join("a b.pst.repair.log");
    let mut text = fs::read_to_string(&log).unwrap();
    text.push_str("** Record: undoing kept=.bak\n");
    fs::write(&log, text).unwrap();
    fs::write(&place.store, [&place.old[..9000], &repaired[9000..]].concat()).unwrap();
    place.undo(None, false).unwrap();
    assert!(place.bytes() == place.old);
}

#[test]
fn a_repair_that_was_cut_off_is_ended_before_anything_else() {
    let place = Place::new(Format::Unicode);
    let (prepared, _) = place.prepared();
    // Its journal is there, and of the store nothing but the mark that its maps are not valid.
    let journal = prepared.journal().unwrap().clone();
    let mut begun = place.old.clone();
    begun[..journal.headers.dirty.len()].copy_from_slice(&journal.headers.dirty);
    fs::write(&place.store, &begun).unwrap();
    fs::write(journal_of(&place.store), Journal::encode(&journal)).unwrap();
    assert!(words(place.apply(&Backup::Full)).contains("interrupted"));
    end_interrupted(&place.store, Held::default()).unwrap();
    assert!(place.bytes() == place.old && !journal_of(&place.store).exists());
    // And by an undo.
    fs::write(&place.store, &begun).unwrap();
    fs::write(journal_of(&place.store), Journal::encode(&journal)).unwrap();
    assert_eq!(place.undo(None, false).unwrap(), Undone { from: None, before: None });
    assert!(place.bytes() == place.old);
}

#[test]
fn who_cancels_a_backup_has_neither_backup_nor_repair() {
    let place = Place::new(Format::Unicode);
    let (prepared, source) = place.prepared();
    let progress = Progress::default();
    progress.cancel();
    let digests = Digests::of(&*source, &Progress::default()).unwrap();
    let cancelled =
        apply(prepared, Seen { source: &source, digests: &digests }, &place.store, &Backup::Full, Held::default(), "", &progress);
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert_eq!(place.names(), ["a b.pst"]);
    assert!(place.bytes() == place.old);
}

/// A repair with `--backup undo` that failed or was killed left `FILE.undo`, and the next one was refused because of it.
#[test]
fn what_a_repair_that_never_came_about_kept_for_an_undo_is_in_nobodys_way() {
    let whole = |place: &Place| Journal::encode(place.prepared().0.journal().unwrap());
    let left: [Leave; 3] = [<[u8]>::to_vec, |whole| whole[..whole.len() / 2].to_vec(), |_| Vec::new()];
    for left in left {
        let place = Place::new(Format::Unicode);
        fs::write(place.folder.path().join("a b.pst.undo"), left(&whole(&place))).unwrap();
        place.apply(&Backup::Undo).unwrap();
        place.undo(None, false).unwrap();
        assert!(place.bytes() == place.old);
    }
    // What somebody else put there stays, and so does the way back from a repair that was made.
    let place = Place::new(Format::Unicode);
    fs::write(place.folder.path().join("a b.pst.undo"), "mine").unwrap();
    assert!(words(place.apply(&Backup::Undo)).contains("exists"));
    fs::remove_file(place.folder.path().join("a b.pst.undo")).unwrap();
    place.apply(&Backup::Undo).unwrap();
    assert!(words(place.apply(&Backup::Undo)).contains("exists"));
    place.undo(None, false).unwrap();
    assert!(place.bytes() == place.old);
}

/// It names letters and who wrote them.
#[test]
fn the_log_is_as_private_as_the_store() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let place = Place::new(Format::Unicode);
    fs::set_permissions(&place.store, fs::Permissions::from_mode(0o600)).unwrap();
    place.apply(&Backup::Full).unwrap();
    for ending in ["bak", "repair.log"] {
        assert_eq!(fs::metadata(place.folder.path().join(format!("a b.pst.{ending}"))).unwrap().mode() & 0o777, 0o600, "{ending}");
    }
}
