//! Transactions where the ground is bad or space is short, and on copies of real stores.
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
#[path = "support/check.rs"]
mod check;
#[path = "support/model.rs"]
mod model;

use std::path::Path;
use std::sync::Arc;

use blank::blank;
use model::{Changes, Model, ROOT, Random, open, read};
use pstfs::damage::{Code, Error};
use pstfs::disk::crash::CrashDisk;
use pstfs::disk::{ReadAt, WriteAt};
use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::codec;
use pstfs::format::header::Header;
use pstfs::format::id::{Bid, Ib, Nid};
use pstfs::ndb::write::{Journal, Rebuild, Room, Transaction, recover_journal};

/// The header of a store, changed.
fn with_header(mut bytes: Vec<u8>, change: impl Fn(&mut Header)) -> Vec<u8> {
    let format = Header::format_of(&bytes).unwrap().unwrap();
    let mut header: Header = codec::decode(format, &bytes).unwrap();
    change(&mut header);
    let header = header.encode_valid(format);
    bytes[..header.len()].copy_from_slice(&header);
    bytes
}

/// Commits what `change` does to the store.
fn commit(bytes: &[u8], room: Option<Room>, change: impl FnOnce(&mut Transaction<'_>)) -> Result<Vec<u8>, Error> {
    let ndb = open(Arc::new(bytes.to_vec()));
    let mut transaction = Transaction::begin(&ndb)?;
    if let Some(room) = room {
        transaction = transaction.with_room(room);
    }
    change(&mut transaction);
    let store = CrashDisk::new(bytes.to_vec());
    let journal = store.beside(Vec::new());
    transaction.commit(&store, &journal).inspect_err(|_| assert!(store.bytes() == bytes, "a refusal writes nothing"))?;
    Ok(store.bytes())
}

fn put(transaction: &mut Transaction<'_>, nid: u32, data: &[u8]) {
    let data = transaction.put_data(data).unwrap();
    transaction.put_node(Nid(nid), Nid(ROOT), data, Bid::NONE).unwrap();
}

/// A store with a root and a few nodes of some blocks each.
fn filled(format: Format) -> Vec<u8> {
    let mut random = Random(5);
    commit(&blank(format, Cipher::Permute), Some(Room::reuse(format)), |transaction| {
        for nid in 0..9 {
            put(transaction, ROOT + (nid << 5), &random.bytes(9_000));
        }
    })
    .unwrap()
}

fn model_of(bytes: &[u8]) -> Model {
    read(&open(Arc::new(bytes.to_vec()))).unwrap()
}

fn free_units(bytes: &[u8]) -> u64 {
    open(Arc::new(bytes.to_vec())).header().root.amap_free.0
}

#[test]
fn data_of_two_levels_comes_back_and_far_maps_are_there() {
    // 33 MB reach the first FMap page; 8.4 and 16.8 MB of data take an XXBLOCK.
    for format in [Format::Ansi, Format::Unicode] {
        let data = Random(1).bytes(33 << 20);
        let bytes = commit(&blank(format, Cipher::None), None, |transaction| put(transaction, ROOT, &data)).unwrap();
        assert_eq!(check::faults(&bytes), [""; 0]);
        assert!(model_of(&bytes)[&ROOT].tree.data == data);
        let bytes = commit(&bytes, None, |transaction| transaction.remove_node(Nid(ROOT)).unwrap()).unwrap();
        assert_eq!(check::faults(&bytes), [""; 0], "all of a large tree is let go");
        assert!(model_of(&bytes).is_empty());
    }
}

#[test]
fn an_empty_transaction_writes_nothing() {
    for format in Format::ALL {
        let bytes = filled(format);
        assert!(commit(&bytes, None, |_| {}).unwrap() == bytes);
    }
}

#[test]
fn trees_written_anew_hold_what_they_held() {
    for format in Format::ALL {
        let old = filled(format);
        let bytes = commit(&old, None, |transaction| {
            transaction.rebuild(Rebuild::Trees, None);
            put(transaction, ROOT + (20 << 5), b"one more");
            transaction.remove_node(Nid(ROOT + (3 << 5))).unwrap();
        })
        .unwrap();
        assert_eq!(check::faults(&bytes), [""; 0], "{format:?}");
        let (mut expected, now) = (model_of(&old), model_of(&bytes));
        expected.remove(&(ROOT + (3 << 5)));
        assert_eq!(now.len(), expected.len() + 1);
        assert!(expected.iter().all(|(nid, node)| now[nid].tree.data == node.tree.data));
    }
}

#[test]
fn a_block_written_anew_keeps_its_id_and_its_names() {
    for (format, trees) in Format::ALL.into_iter().flat_map(|format| [(format, false), (format, true)]) {
        let old = filled(format);
        let ndb = open(Arc::new(old.clone()));
        let block = ndb.data(ndb.required_node(Nid(ROOT)).unwrap().data).unwrap().leaves()[0].bid;
        let data = ndb.block(block).unwrap().data.iter().map(|byte| !byte).collect::<Vec<_>>();
        let bytes = commit(&old, None, |transaction| {
            transaction.rewrite_block(block, &data).unwrap();
            if trees {
                transaction.rebuild(Rebuild::Trees, None);
            }
        })
        .unwrap();
        assert_eq!(check::faults(&bytes), [""; 0], "{format:?} {trees}");
        assert!(model_of(&bytes)[&ROOT].tree.data.starts_with(&data));
        let ndb = open(Arc::new(bytes));
        assert_eq!(ndb.data(ndb.required_node(Nid(ROOT)).unwrap().data).unwrap().leaves()[0].bid, block);
    }
}

#[test]
fn the_file_grows_and_free_space_keeps_its_bytes() {
    for format in Format::ALL {
        let mut bytes = filled(format);
        // What someone deleted, in free space.
        let end = bytes.len();
        bytes[end - 4096..].fill(0xdd);
        let after = commit(&bytes, None, |transaction| put(transaction, ROOT, b"new")).unwrap();
        let layout = format.layout();
        assert_eq!(after.len() as u64, end as u64 + layout.amap_coverage);
        // In the old part only the header and the map are written.
        let map = layout.amap_first as usize;
        assert!(after[564..map] == bytes[564..map] && after[map + layout.page_bytes..end] == bytes[map + layout.page_bytes..]);
        assert_eq!(check::faults(&after), [""; 0]);
    }
}

#[test]
fn a_file_that_may_not_grow_takes_free_space_and_then_is_full() {
    for format in Format::ALL {
        let bytes = filled(format);
        let room = Room { max_bytes: bytes.len() as u64, ..Room::grow(format) };
        let small = commit(&bytes, Some(room), |transaction| put(transaction, ROOT, &[1; 20_000])).unwrap();
        assert_eq!((small.len(), check::faults(&small)), (bytes.len(), vec![]));
        let full = commit(&bytes, Some(room), |transaction| put(transaction, ROOT, &vec![1; 20 << 20]));
        assert!(matches!(full, Err(Error::Unsupported(_))));
    }
}

#[test]
fn maps_that_are_not_valid_are_computed_from_the_trees() {
    for format in Format::ALL {
        let bytes = filled(format);
        let model = model_of(&bytes);
        let mut dirty = with_header(bytes, |header| (header.root.amap_valid, header.root.amap_free) = (0, Ib(7)));
        // All free, says the map.
        let layout = format.layout();
        let map = layout.amap_first as usize + layout.amap_bits_at;
        dirty[map..map + layout.amap_bits_bytes].fill(0);
        for room in [Room::grow(format), Room::reuse(format)] {
            let after = commit(&dirty, Some(room), |transaction| put(transaction, 0x2004, &[3; 9_000])).unwrap();
            assert_eq!(check::faults(&after), [""; 0]);
            let mut now = model_of(&after);
            assert!(now.remove(&0x2004).is_some() && now == model);
        }
    }
}

#[test]
fn a_map_that_calls_live_blocks_free_is_not_believed() {
    for format in Format::ALL {
        let bytes = filled(format);
        let model = model_of(&bytes);
        // A map with the right CRC, and a header that calls it valid: all but the map pages and trees are free.
        let layout = format.layout();
        let (first, page) = (layout.amap_first as usize, layout.page_bytes);
        let mut bits = vec![0; layout.amap_bits_at + layout.amap_bits_bytes];
        bits[layout.amap_bits_at..][..4].fill(0xff);
        let ib = Ib(layout.amap_first);
        let kind = pstfs::format::page::PageKind::AMAP;
        let mut lying = bytes;
        lying[first..first + page].copy_from_slice(&pstfs::format::page::Page::encode(format, kind, Bid(ib.0), ib, &bits));
        let after = commit(&lying, Some(Room::reuse(format)), |transaction| put(transaction, 0x2004, &[3; 30_000])).unwrap();
        let mut now = model_of(&after);
        assert!(now.remove(&0x2004).is_some() && now == model);
        assert!(!check::faults(&after).iter().any(|fault| fault.starts_with("overlap")));
    }
}

#[test]
fn a_file_that_ends_within_a_section_grows_to_its_end_first() {
    // As Outlook 97 wrote them: what lies past the end of the file is in use, says the map.
    let format = Format::Ansi;
    let bytes = filled(format);
    let end = 0x4400 + 0x1_c000;
    let units = (end - 0x4400) / 64;
    let mut short = bytes[..end].to_vec();
    let mut bits: Vec<u8> = short[0x4400..0x4400 + 500].to_vec();
    bits[4 + units / 8..].fill(0xff);
    let kind = pstfs::format::page::PageKind::AMAP;
    short[0x4400..0x4600].copy_from_slice(&pstfs::format::page::Page::encode(format, kind, Bid(0x4400), Ib(0x4400), &bits));
    let cut = (bytes.len() - end) as u64;
    let short =
        with_header(short, |header| (header.root.file_eof, header.root.amap_free.0) = (Ib(end as u64), header.root.amap_free.0 - cut));
    assert_eq!(check::faults(&short), [""; 0], "the ground");
    let model = model_of(&short);
    for (room, len) in [(Room::grow(format), 0x4400 + 253_952), (Room::reuse(format), end)] {
        let after = commit(&short, Some(room), |transaction| put(transaction, 0x2004, &[3; 300])).unwrap();
        assert_eq!((after.len(), check::faults(&after)), (len, vec![]));
        let mut now = model_of(&after);
        assert!(now.remove(&0x2004).is_some() && now == model);
    }
    let after = commit(&short, None, |transaction| transaction.rebuild(Rebuild::Maps, None)).unwrap();
    assert_eq!((after.len(), check::faults(&after)), (end, vec![]));
}

#[test]
fn a_file_longer_than_its_header_says_keeps_its_tail_through_undo() {
    for format in Format::ALL {
        let mut bytes = filled(format);
        bytes.extend(Random(3).bytes(5_000));
        let (after, journal) = committed(&bytes, Room::grow(format));
        assert_eq!(check::faults(&after.bytes()), [""; 0]);
        journal.undo(&after).unwrap();
        assert!(after.bytes() == bytes);
    }
}

/// A commit whose journal is kept.
fn committed(bytes: &[u8], room: Room) -> (CrashDisk, Journal) {
    let ndb = open(Arc::new(bytes.to_vec()));
    let mut transaction = Transaction::begin(&ndb).unwrap().with_room(room);
    put(&mut transaction, ROOT, &[9; 40_000]);
    let prepared = transaction.prepare().unwrap();
    let preview = prepared.preview(Arc::new(bytes.to_vec())).unwrap();
    let journal = prepared.journal().unwrap().clone();
    let reused: u64 = prepared.reused().map(|(_, len)| len).sum();
    assert_eq!(reused > 0, room.reuse);
    let store = CrashDisk::new(bytes.to_vec());
    prepared.commit(&store, &store.beside(Vec::new())).unwrap();
    let mut shown = vec![0; preview.len().unwrap() as usize];
    preview.read_exact_at(&mut shown, 0).unwrap();
    assert!(shown == store.bytes(), "the preview is what the commit writes, to the byte");
    (store, journal)
}

#[test]
fn undo_gives_back_every_byte() {
    for format in Format::ALL {
        let mut bytes = filled(format);
        let end = bytes.len();
        bytes[end - 100_000..].fill(0xdd);
        for room in [Room::grow(format), Room::reuse(format)] {
            let (store, journal) = committed(&bytes, room);
            journal.undo(&store).unwrap();
            assert!(store.bytes() == bytes, "{format:?} {room:?}");
        }
    }
}

#[test]
fn an_undo_that_crashes_is_gone_on_with() {
    let bytes = filled(Format::Unicode);
    let (after, journal) = committed(&bytes, Room::reuse(Format::Unicode));
    let new = after.bytes();
    let store = CrashDisk::new(new.clone());
    let _file = store.beside(journal.encode());
    journal.undo(&store).unwrap();
    let mut states = 0;
    for files in store.states(1) {
        let [store, journal] = CrashDisk::after_crash(&files).try_into().unwrap();
        recover_journal(&store, &journal).unwrap();
        assert!(store.bytes() == bytes || store.bytes() == new);
        states += 1;
    }
    println!("undo: states {states}, lost 0");
}

#[test]
fn a_journal_says_nothing_about_a_store_that_another_program_changed() {
    let bytes = filled(Format::Unicode);
    let (store, journal) = committed(&bytes, Room::grow(Format::Unicode));
    let changed = with_header(store.bytes(), |header| header.unique += 50);
    let store = CrashDisk::new(changed.clone());
    let file = store.beside(journal.encode());
    assert!(matches!(recover_journal(&store, &file), Err(Error::Unsupported(_))));
    assert!(journal.undo(&store).is_err() && journal.overlay(Arc::new(changed.clone())).is_err());
    assert!(store.bytes() == changed && file.bytes() == journal.encode());
}

#[test]
fn a_store_that_changed_or_has_a_transaction_to_end_is_not_written() {
    let bytes = filled(Format::Unicode);
    let ndb = open(Arc::new(bytes.clone()));
    let prepared = || {
        let mut transaction = Transaction::begin(&ndb).unwrap();
        put(&mut transaction, ROOT, b"new");
        transaction.prepare().unwrap()
    };
    let refused = |store: Vec<u8>, journal: Vec<u8>| {
        let disk = CrashDisk::new(store.clone());
        let file = disk.beside(journal.clone());
        let refused = prepared().commit(&disk, &file).is_err();
        refused && disk.bytes() == store && file.bytes() == journal
    };
    assert!(refused(with_header(bytes.clone(), |header| header.unique += 1), vec![]));
    assert!(refused([bytes.clone(), vec![0]].concat(), vec![]));
    assert!(refused(bytes.clone(), prepared().journal().unwrap().encode()));
    assert!(!refused(bytes, vec![1, 2, 3]), "a journal that was never finished");
}

#[test]
fn a_block_that_counts_too_few_is_not_freed() {
    let bytes = filled(Format::Unicode);
    let ndb = open(Arc::new(bytes.clone()));
    let shared = ndb.node(Nid(ROOT)).unwrap().unwrap().data;
    // Two nodes name it, its entry says one.
    let lying = commit(&bytes, None, |transaction| {
        transaction.put_node(Nid(0x2004), Nid(ROOT), shared, Bid::NONE).unwrap();
        transaction.set_references(shared, 2).unwrap();
    })
    .unwrap();
    assert_eq!(check::faults(&lying).len(), 1);
    let ndb = open(Arc::new(lying.clone()));
    let mut transaction = Transaction::begin(&ndb).unwrap();
    transaction.remove_node(Nid(0x2004)).unwrap();
    let second = transaction.remove_node(Nid(ROOT));
    assert!(matches!(second, Err(Error::Damaged(Code::BlockReferences, _))));
    // With the count put right it works.
    let right = commit(&lying, None, |transaction| transaction.set_references(shared, 3).unwrap()).unwrap();
    assert_eq!(check::faults(&right), [""; 0]);
}

#[test]
fn units_freed_and_taken_balance() {
    let bytes = filled(Format::Unicode);
    let full = free_units(&bytes);
    let room = Some(Room::reuse(Format::Unicode));
    let more = commit(&bytes, room, |transaction| put(transaction, 0x2004, &[1; 50_000])).unwrap();
    let back = commit(&more, room, |transaction| transaction.remove_node(Nid(0x2004)).unwrap()).unwrap();
    assert!(free_units(&more) < full && free_units(&back) == full);
}

#[test]
fn a_disk_that_fails_leaves_a_store_that_recovers() {
    /// Fails at its n-th write or sync.
    #[derive(Debug)]
    struct Failing(CrashDisk, std::sync::atomic::AtomicUsize);
    impl Failing {
        fn step(&self) -> std::io::Result<()> {
            use std::sync::atomic::Ordering::Relaxed;
            match self.1.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) {
                Ok(_) => Ok(()),
                Err(_) => Err(std::io::Error::other("the disk is full")),
            }
        }
    }
    impl ReadAt for Failing {
        fn len(&self) -> std::io::Result<u64> {
            self.0.len()
        }
        fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
            self.0.read_exact_at(buffer, offset)
        }
    }
    impl WriteAt for Failing {
        fn write_all_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
            self.step().and_then(|()| self.0.write_all_at(bytes, offset))
        }
        fn sync(&self) -> std::io::Result<()> {
            self.step().and_then(|()| self.0.sync())
        }
        fn set_len(&self, len: u64) -> std::io::Result<()> {
            self.step().and_then(|()| self.0.set_len(len))
        }
    }
    let bytes = filled(Format::Unicode);
    let new = committed(&bytes, Room::grow(Format::Unicode)).0.bytes();
    let ndb = open(Arc::new(bytes.clone()));
    for steps in 0..1_000 {
        let mut transaction = Transaction::begin(&ndb).unwrap();
        put(&mut transaction, ROOT, &[9; 40_000]);
        let store = Failing(CrashDisk::new(bytes.clone()), steps.into());
        let journal = store.0.beside(Vec::new());
        let done = transaction.commit(&store, &journal).is_ok();
        recover_journal(&store.0, &journal).unwrap();
        assert!(store.0.bytes() == bytes && !done || store.0.bytes() == new, "failed at step {steps}");
        if done {
            return;
        }
    }
    panic!("a commit has fewer steps");
}

/// The kinds of faults: what stands before the colon.
fn kinds(faults: &[String]) -> std::collections::BTreeSet<&str> {
    faults.iter().map(|fault| fault.split(':').next().unwrap()).collect()
}

#[test]
fn copies_of_real_stores_take_transactions() {
    let Some(corpus) = ["../shared/corpus", "../../shared/corpus"]
        .iter()
        .map(|path| Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .find(|path| path.exists())
    else {
        return println!("skipped: no corpus beside the project");
    };
    let (mut stores, mut clean, mut commits) = (0, 0, 0);
    let mut refused = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "pst" || kind == "ost"));
    files.sort();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let ndb = open(Arc::new(bytes.clone()));
        let (format, block_max) = (ndb.format(), ndb.format().layout().data_max_bytes);
        let Ok(mut model) = read(&ndb) else {
            refused.push(format!("{name} (damaged)"));
            continue;
        };
        let before = check::faults(&bytes);
        let mut now = commit(&bytes, None, |transaction| transaction.rebuild(Rebuild::Maps, None)).unwrap();
        let rebuilt = check::faults(&now);
        // What a rebuild of the maps has no part in stays: blocks that nobody names, their counts, odd page ids.
        assert!(kinds(&rebuilt).is_subset(&kinds(&before)), "{name}: {before:?} {rebuilt:?}");
        assert!(
            !kinds(&rebuilt).iter().any(|kind| ["leaked", "not allocated", "free bytes", "amap_valid"].contains(kind)),
            "{name}: {rebuilt:?}"
        );
        assert!(model_of(&now) == model, "{name}");
        stores += 1;
        clean += usize::from(rebuilt.is_empty());
        if kinds(&rebuilt).contains("count") {
            refused.push(format!("{name} (counts)"));
            continue;
        }
        for seed in 0..3 {
            let mut random = Random(seed);
            let room = if seed == 0 && format != Format::Unicode4k { Room::grow(format) } else { Room::reuse(format) };
            let next = {
                let ndb = open(Arc::new(now.clone()));
                let transaction = Transaction::begin(&ndb).unwrap().with_room(room);
                let mut changes = Changes { random: &mut random, transaction, model, block_max };
                changes.some();
                let store = CrashDisk::new(now);
                changes.transaction.commit(&store, &store.beside(Vec::new())).unwrap();
                model = changes.model;
                store.bytes()
            };
            now = next;
            let after = check::faults(&now);
            assert!(kinds(&after).is_subset(&kinds(&rebuilt)), "{name}: {rebuilt:?} {after:?}");
            assert!(model_of(&now) == model, "{name}");
            commits += 1;
        }
    }
    println!("real stores: {stores} rebuilt, {clean} of them clean, {commits} random transactions; left out: {refused:?}");
}

#[test]
fn the_first_free_page_map_stands_at_its_own_place_with_nothing_before_it() {
    // 8,192 sections, 2 GiB, of which only the first is there: the others are holes that nobody looks at.
    let format = Format::Unicode;
    let end = format.layout().amap_first + 8_192 * format.layout().amap_coverage;
    let bytes = with_header(filled(format), |header| {
        header.root.file_eof = Ib(end);
        header.root.amap_last = Ib(end - format.layout().amap_coverage);
    });
    let store = CrashDisk::new(bytes);
    store.set_len(end).unwrap();
    let ndb = open(Arc::new(store.clone()));
    let mut transaction = Transaction::begin(&ndb).unwrap();
    put(&mut transaction, ROOT, &[7; 3_000]);
    transaction.commit(&store, &store.beside(Vec::new())).unwrap();
    let page = |at: u64| {
        let mut bytes = vec![0; 512];
        store.read_exact_at(&mut bytes, at).unwrap();
        bytes
    };
    // [MS-PST] 2.2.2.7.6 names the offset; no free map stands here, so the page before is ordinary space.
    assert_eq!(page(0x7c00_4a00)[496..498], [0x85, 0x85]);
    assert_eq!((page(0x7c00_4600)[496..498].to_vec(), page(0x7c00_4400)[496..498].to_vec()), (vec![0x83, 0x83], vec![0x84, 0x84]));
    assert_ne!(page(0x7c00_4800)[496..498], [0x82, 0x82]);
    assert_eq!(read(&open(Arc::new(store.clone()))).unwrap()[&ROOT].tree.data, [7; 3_000]);
    let root = open(Arc::new(store)).header().root.clone();
    assert_eq!((root.amap_last, root.file_eof.0), (Ib(0x7c00_4400), end + format.layout().amap_coverage));
}
