//! Stores whose header, trees or tables are gone: what is physically there is shown all the same.
//!
//! Each store is forged, damaged, and must show the same folders and documents, byte for byte, as it did before; what
//! cannot be the same any more is told by the test that expects it.
#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers are tests too; clippy allows these only in the functions marked as such"
)]

mod support;

use std::sync::Arc;

use pstfs::disk::ReadAt;
use pstfs::format::Format;
use pstfs::format::block::BlockTrailer;
use pstfs::format::btree::{BTreePage, BlockEntry, NodeEntry};
use pstfs::format::checksum;
use pstfs::format::cipher::Cipher;
use pstfs::format::codec::{self, Field};
use pstfs::format::id::{Bid, BlockRef, Ib, Nid, NodeType};
use pstfs::ltp::Table;
use pstfs::ndb::write::{Rebuild, Transaction};
use pstfs::ndb::{BTree, Ndb};
use pstfs::progress::Progress;
use pstfs::recover::open_source;
use pstfs::recover::survey::survey;
use pstfs::repair::Options;
use pstfs::store::{Store, Which};
use support::edit::Patient;
use support::forge;
use support::forge::Random;
use support::laws::repaired;
use support::salvage::{
    VARIANTS, documents, first_node, forged, pages, preview, salvaged, shows_all, with_a_folder_below, with_data_anew, zero, zero_tree,
};

/// Damages a store of each format and expects all its documents.
fn each_shows_all(trick: &str, damage: impl Fn(&Ndb, &mut Vec<u8>)) {
    for (format, cipher) in VARIANTS {
        let whole = forged(format, cipher);
        let mut bytes = whole.clone();
        damage(&Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap(), &mut bytes);
        shows_all(trick, format, &whole, bytes);
    }
}

/// Every block of the live tree is found where it stands, each with a CRC that matches.
#[test]
fn a_survey_finds_every_live_block() {
    for (format, cipher) in forge::variants() {
        let bytes = forged(format, cipher);
        let found = survey(&bytes, format, &Progress::default()).unwrap();
        let ndb = Ndb::open(Arc::new(bytes), 1 << 20).unwrap();
        let mut count = 0;
        ndb.visit_blocks(&mut |entry| {
            let copies = found.copies(entry.block.bid);
            assert!(copies.iter().any(|copy| copy.ib == entry.block.ib && copy.size == entry.size && copy.inflated == entry.inflated));
            assert!(copies[0].is_whole);
            count += 1;
            true
        })
        .unwrap();
        assert!(count > 40, "{format:?} has {count} blocks");
        assert_eq!(found.copies(Bid(0xffff_fff0)), []);
        let roots = [ndb.header().root.nodes, ndb.header().root.blocks];
        assert!(roots.iter().all(|root| found.pages.iter().any(|page| page.ib == root.ib && page.bid == root.bid && page.crc_ok)));
    }
}

#[test]
fn a_healthy_store_is_not_searched() {
    for (format, cipher) in VARIANTS {
        let (documents, told) = salvaged(forged(format, cipher));
        assert!(documents.len() > 8 && !told, "{format:?}: {} documents, told {told}", documents.len());
    }
}

#[test]
fn a_header_of_zeros_hides_nothing() {
    each_shows_all("header zero", |_, bytes| zero(bytes, 0, 564));
}

#[test]
fn a_header_of_noise_hides_nothing() {
    each_shows_all("header noise", |_, bytes| {
        bytes.splice(..564, Random::new(1).bytes(564));
    });
}

/// The version decides how everything else is read: another one that is known too must not win over what the data show.
#[test]
fn a_wrong_version_is_seen_in_the_data() {
    each_shows_all("wrong version", |ndb, bytes| {
        let version: u16 = if ndb.format() == Format::Unicode4k { 23 } else { 36 };
        bytes.splice(10..12, version.to_le_bytes());
    });
}

/// The mark of stores that Windows encrypts is believed where the header is whole, not where a byte was changed.
#[test]
fn a_wrong_encryption_byte_is_seen_in_the_data() {
    each_shows_all("encryption byte", |ndb, bytes| {
        bytes[if ndb.format() == Format::Ansi { 461 } else { 513 }] = 0x10;
    });
}

#[test]
fn flipped_roots_hide_nothing() {
    each_shows_all("roots flipped", |ndb, bytes| {
        let (at, len) = if ndb.format() == Format::Ansi { (184, 16) } else { (216, 32) };
        bytes[at..at + len].iter_mut().for_each(|byte| *byte ^= 0x5a);
    });
}

#[test]
fn a_root_page_of_zeros_hides_nothing() {
    for tree in [BTree::Nodes, BTree::Blocks] {
        each_shows_all("root zero", |ndb, bytes| zero(bytes, ndb.root(tree).ib.0, ndb.format().layout().page_bytes));
    }
}

/// With the root gone too, the newest page that is left stands for a part of the tree only.
#[test]
fn a_header_and_a_root_page_of_zeros_hide_nothing() {
    for tree in [BTree::Nodes, BTree::Blocks] {
        each_shows_all("header and root zero", |ndb, bytes| {
            zero(bytes, ndb.root(tree).ib.0, ndb.format().layout().page_bytes);
            zero(bytes, 0, 564);
        });
    }
}

/// The block map is made from trailers alone.
#[test]
fn a_block_tree_of_zeros_hides_nothing() {
    each_shows_all("block tree zero", |ndb, bytes| zero_tree(ndb, bytes, BTree::Blocks));
}

/// Nodes are recognised by their content, and get their ids from the tables that list them.
#[test]
fn a_node_tree_of_zeros_hides_nothing() {
    each_shows_all("node tree zero", |ndb, bytes| zero_tree(ndb, bytes, BTree::Nodes));
}

#[test]
fn both_trees_and_the_header_of_zeros_hide_nothing() {
    each_shows_all("all zero", |ndb, bytes| {
        zero_tree(ndb, bytes, BTree::Nodes);
        zero_tree(ndb, bytes, BTree::Blocks);
        zero(bytes, 0, 564);
    });
}

/// A page met damaged only while folders are read is made good then.
#[test]
fn every_second_leaf_of_zeros_hides_nothing() {
    for tree in [BTree::Nodes, BTree::Blocks] {
        each_shows_all("half the leaves zero", |ndb, bytes| {
            let root = ndb.root(tree).ib.0;
            let pages = pages(ndb, bytes, tree);
            let leaves = pages.into_iter().filter(|at| *at != root);
            leaves.step_by(2).for_each(|at| zero(bytes, at, ndb.format().layout().page_bytes));
            if ndb.format() == Format::Unicode4k {
                // Its trees are one leaf each.
                zero(bytes, root, ndb.format().layout().page_bytes);
            }
        });
    }
}

/// The nodes of one kind, and where the blocks of their data stand.
fn zero_nodes(ndb: &Ndb, bytes: &mut [u8], kinds: &[NodeType]) {
    let mut roots = Vec::new();
    ndb.visit_nodes(&mut |node| {
        roots.extend(kinds.contains(&node.nid.nid.kind()).then_some(node.data));
        true
    })
    .unwrap();
    for root in roots {
        for leaf in ndb.data(root).unwrap().leaves() {
            let entry = ndb.block_entry(leaf.bid).unwrap();
            zero(bytes, entry.block.ib.0, entry.stored_bytes(ndb.format()) as usize);
        }
    }
}

/// Items are found by the parents that the node tree names.
#[test]
fn folder_tables_of_zeros_hide_nothing() {
    let tables = [NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE, NodeType::ASSOCIATED_TABLE];
    each_shows_all("folder tables zero", |ndb, bytes| zero_nodes(ndb, bytes, &tables));
}

/// Folders are named by their rows in the folders above.
#[test]
fn folder_objects_of_zeros_hide_nothing() {
    each_shows_all("folder objects zero", |ndb, bytes| zero_nodes(ndb, bytes, &[NodeType::FOLDER]));
}

/// A store, and the same after a change, with the header of before.
fn with_an_older_header(format: Format, cipher: Cipher) -> (Vec<u8>, Vec<u8>) {
    let before = forged(format, cipher);
    let ndb = Ndb::open(Arc::new(before.clone()), 1 << 20).unwrap();
    let mut change = Transaction::begin(&ndb).unwrap();
    change.set_parent(Nid::ROOT_FOLDER, Nid::ROOT_FOLDER).unwrap();
    change.rebuild(Rebuild::Maps, None);
    let preview = change.preview().unwrap();
    let mut after = vec![0; preview.len().unwrap() as usize];
    preview.read_exact_at(&mut after, 0).unwrap();
    after[..564].copy_from_slice(&before[..564]);
    (before, after)
}

/// A header of before names roots that were freed since, and still stand.
#[test]
fn a_header_from_another_time_hides_nothing() {
    for (format, cipher) in VARIANTS {
        let (before, after) = with_an_older_header(format, cipher);
        // Both roots still stand: what the store was then is all there.
        let then = documents(Arc::new(Store::open(Arc::new(before), 4 << 20).unwrap()));
        assert!(salvaged(after).0 == then, "{format:?}: old roots that stand");
    }
}

/// Where only an earlier state of an item is left, it is shown, and says that there was a later one.
#[test]
fn an_earlier_state_says_that_the_latest_is_lost() {
    // With pages of 4 KiB the node B-tree is one page: without it nobody knows that there was a later state.
    for (format, cipher) in VARIANTS.into_iter().take(2) {
        let before = forged(format, cipher);
        let ndb = Ndb::open(Arc::new(before.clone()), 1 << 20).unwrap();
        let mut messages = Vec::new();
        ndb.visit_nodes(&mut |node| {
            messages.extend((node.nid.nid.kind() == NodeType::MESSAGE).then_some(*node));
            true
        })
        .unwrap();
        let old = messages[0];
        let mut change = Transaction::begin(&ndb).unwrap();
        let data = ndb.data(old.data).unwrap();
        let bytes = data.read_all(&ndb).unwrap();
        let new = change.put_data(&bytes).unwrap();
        change.put_node(old.nid.nid, old.parent, new, old.subnodes).unwrap();
        let preview = change.preview().unwrap();
        let mut after = vec![0; preview.len().unwrap() as usize];
        preview.read_exact_at(&mut after, 0).unwrap();
        let changed = Ndb::open(Arc::new(after.clone()), 1 << 20).unwrap();
        let block = changed.block_entry(new).unwrap();
        zero(&mut after, block.block.ib.0, usize::from(block.size));
        // Nor does anything tell that the blocks of before are free.
        let map = pstfs::format::amap::map_offset(format, 0).unwrap();
        for at in [changed.root(BTree::Nodes).ib, changed.root(BTree::Blocks).ib, map] {
            zero(&mut after, at.0, format.layout().page_bytes);
        }
        let store = open_source(Arc::new(after), 4 << 20).unwrap();
        let told = |nid| store.item(store.locate(nid).unwrap()).unwrap().damage.join(" ").contains("the latest is lost");
        let late: Vec<_> = messages.iter().filter(|node| told(node.nid.nid)).map(|node| node.nid.nid).collect();
        assert_eq!(late, [old.nid.nid], "{format:?}");
    }
}

/// The roots that such a header names were written over since: the newest pages of both trees lead to all there is.
#[test]
fn a_header_from_another_time_whose_roots_are_gone_hides_nothing() {
    for (format, cipher) in VARIANTS {
        for trees in [&[BTree::Nodes][..], &[BTree::Blocks], &[BTree::Nodes, BTree::Blocks]] {
            let (before, mut after) = with_an_older_header(format, cipher);
            let ndb = Ndb::open(Arc::new(before.clone()), 1 << 20).unwrap();
            trees.iter().for_each(|tree| zero(&mut after, ndb.root(*tree).ib.0, format.layout().page_bytes));
            shows_all(&format!("old header, roots of {trees:?} gone"), format, &before, after);
        }
    }
}

/// Tables that were written anew lie far from their folders. The list of the folders that users see went to `Search Root`, that
/// of an appointment to a folder with one letter, as both were nearer: other readers found nothing in the repaired store.
#[test]
fn tables_go_to_the_folders_that_they_fit_rather_than_to_the_nearest() {
    let recipe = "store \"Near\" seed=3\nfolder Calendar class=IPF.Appointment role=calendar\n  appointment subject=\"Once\"\n\
        folder Letters class=IPF.Note\n  note subject=\"One\" body=\"Text.\"\n";
    for (format, cipher) in VARIANTS.into_iter().filter(|(format, _)| *format != Format::Unicode4k) {
        let mut whole = with_a_folder_below_the_search_root(forge::store(format, cipher, &forge::Recipe::parse(recipe)));
        for kind in [NodeType::HIERARCHY_TABLE, NodeType::CONTENTS_TABLE] {
            // That of the folder that was written first is written first again: of the two it is now nearer to the other one.
            for folder in with_rows(&whole, kind) {
                let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
                let nid = folder.with_kind(kind);
                whole = with_data_anew(&ndb, &ndb.required_node(nid).unwrap(), nid);
            }
        }
        let mut bytes = whole.clone();
        zero_tree(&Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap(), &mut bytes, BTree::Nodes);
        shows_all("tables far from their folders", format, &whole, bytes);
    }
}

/// Searches stand there, or here a folder.
fn with_a_folder_below_the_search_root(bytes: Vec<u8>) -> Vec<u8> {
    with_a_folder_below(Nid(0x8042), "Searches", bytes)
}

/// Contacts of `IPF.Contact.RecipientCache` went to another folder, whose class was `IPF.Contact` to the letter.
#[test]
fn a_folder_of_a_kind_of_a_class_is_one_for_its_items_too() {
    let recipe = "store \"Kinds\" seed=3\nfolder Birthdays class=IPF.Appointment.Birthdays\n  appointment subject=\"Once\"\n\
        folder Letters class=IPF.Appointment\n  note subject=\"One\" body=\"Text.\"\n";
    let whole = forge::store(Format::Unicode, Cipher::Permute, &forge::Recipe::parse(recipe));
    let mut bytes = whole.clone();
    zero_tree(&Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap(), &mut bytes, BTree::Nodes);
    shows_all("a kind of a class", Format::Unicode, &whole, bytes);
}

/// The folders whose table of a kind has rows, in the order in which their properties were written.
fn with_rows(bytes: &[u8], kind: NodeType) -> Vec<Nid> {
    let store = Store::open(Arc::new(bytes.to_vec()), 4 << 20).unwrap();
    let mut folders = Vec::new();
    let walked = store.ndb().visit_nodes(&mut |node| {
        let table = node.nid.nid.with_kind(kind);
        let is_folder = node.nid.nid.kind() == NodeType::FOLDER && node.nid.nid != Nid::ROOT_FOLDER;
        let has_rows = is_folder
            && store.ndb().node(table).unwrap().is_some_and(|node| {
                let table = Table::open(store.ndb(), table, node.data, node.subnodes).unwrap();
                !table.row_numbers().unwrap().is_empty()
            });
        folders.extend(has_rows.then_some((node.data, node.nid.nid)));
        true
    });
    walked.unwrap();
    folders.sort_unstable();
    folders.into_iter().map(|(_, nid)| nid).collect()
}

/// A stale page of which a bit is flipped told of a message under an id of another type, as of a queue: that stayed as a
/// node that no repair could mend.
#[test]
fn an_id_flipped_in_a_stale_page_is_none() {
    for format in Format::ALL {
        let whole = forged(format, Cipher::None);
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let message = first_node(&ndb, NodeType::MESSAGE).nid.nid;
        let flipped = message.with_kind(NodeType::OUTGOING_QUEUE_TABLE);
        let layout = format.layout();
        let leaf = pages(&ndb, &whole, BTree::Nodes).into_iter().find(|at| names(&whole, *at, message, format)).unwrap();
        let mut body = whole[leaf as usize..][..layout.page_bytes - layout.page_trailer_bytes].to_vec();
        let mut patient = Patient::new(whole.clone());
        let end = (whole.len() - 2 * layout.page_bytes) as u64;
        assert!(whole[end as usize..].iter().all(|byte| *byte == 0), "the end of the store is free");
        patient.page(BTree::Nodes, BlockRef { bid: Bid(0x11), ib: Ib(end) }, &body);
        let entry = body.chunks(4).position(|word| word == message.0.to_le_bytes()).unwrap() * 4;
        let stale = end + layout.page_bytes as u64;
        // The checksum is that of before.
        patient.page(BTree::Nodes, BlockRef { bid: Bid(0x15), ib: Ib(stale) }, &body);
        body[entry..entry + 4].copy_from_slice(&flipped.0.to_le_bytes());
        patient.bytes[stale as usize..][..body.len()].copy_from_slice(&body);
        zero(&mut patient.bytes, leaf, layout.page_bytes);
        let store = open_source(Arc::new(patient.bytes), 4 << 20).unwrap();
        assert!(store.ndb().node(message).unwrap().is_some(), "{format:?}: the message is there");
        assert!(store.ndb().node(flipped).unwrap().is_none(), "{format:?}: and not a second time");
    }
}

/// The space of a stale page was given to other data, which did not reach its trailer: these were read as entries, and nodes
/// of types that no reader knows stood in the store for ever.
#[test]
fn other_data_in_a_stale_page_are_no_nodes() {
    for format in Format::ALL {
        let whole = forged(format, Cipher::None);
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let message = first_node(&ndb, NodeType::MESSAGE);
        let layout = format.layout();
        let leaf = pages(&ndb, &whole, BTree::Nodes).into_iter().find(|at| names(&whole, *at, message.nid.nid, format)).unwrap();
        let entry = codec::encode(format, &message);
        let mut body = whole[leaf as usize..][..layout.page_bytes - layout.page_trailer_bytes].to_vec();
        let stale = (whole.len() - layout.page_bytes) as u64;
        assert!(whole[stale as usize..].iter().all(|byte| *byte == 0), "the end of the store is free");
        let mut patient = Patient::new(whole.clone());
        // The checksum is that of before.
        patient.page(BTree::Nodes, BlockRef { bid: Bid(0x15), ib: Ib(stale) }, &body);
        let queue = NodeEntry { nid: Nid(0x4165_4174).into(), subnodes: Bid(0x8dc8_00e6), parent: Nid(0x948), ..NodeEntry::default() };
        let unknown = NodeEntry { nid: Nid::new(NodeType(0x1c), 0x98).into(), ..message };
        let others = body.chunks_mut(entry.len()).filter(|slot| **slot != *entry);
        others.zip([queue, unknown]).for_each(|(slot, other)| slot.copy_from_slice(&codec::encode(format, &other)));
        patient.bytes[stale as usize..][..body.len()].copy_from_slice(&body);
        zero(&mut patient.bytes, leaf, layout.page_bytes);
        let store = open_source(Arc::new(patient.bytes), 4 << 20).unwrap();
        for made_up in [queue, unknown] {
            assert!(store.ndb().node(made_up.nid.nid).unwrap().is_none(), "{format:?}: {}", made_up.nid.nid);
        }
        assert!(store.ndb().node(message.nid.nid).unwrap().is_some(), "{format:?}: what is left of the page counts");
    }
}

/// The page of a store's first moment has no entries and stood in it for ever. With it none of the newest pages was believed
/// where the header was lost: what an allocation map that was out of date had as free was not shown.
#[test]
fn a_page_without_entries_does_not_hide_the_newest_root() {
    // Here all entries fit a page, so that this one is of the root's level.
    let format = Format::Unicode4k;
    let whole = forged(format, Cipher::None);
    let unmarked = forge::edits::damaged(whole.clone(), &forge::Recipe::parse("free map message=\"Long\""));
    let mut patient = Patient::new(unmarked);
    let end = (whole.len() - format.layout().page_bytes) as u64;
    patient.page(BTree::Blocks, BlockRef { bid: Bid(1), ib: Ib(end) }, &BTreePage::encode::<BlockEntry>(format, 0, &[]));
    zero(&mut patient.bytes, 0, 564);
    shows_all("a page of the first moment", format, &whole, patient.bytes);
}

/// Ids are never given out twice: a copy of a block that stands elsewhere is what the damaged one was.
#[test]
fn a_damaged_block_is_read_from_its_copy() {
    each_shows_all("block with a copy", |ndb, bytes| {
        let node = first_node(ndb, NodeType::MESSAGE);
        let entry = ndb.block_entry(node.data).unwrap();
        let (at, len) = (entry.block.ib.0 as usize, entry.stored_bytes(ndb.format()) as usize);
        let block = bytes[at..at + len].to_vec();
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        let copy = bytes.len();
        bytes.extend(block);
        let signature = checksum::signature(Ib(copy as u64), entry.block.bid).to_le_bytes();
        let trailer = copy + len - BlockTrailer::size(ndb.format());
        bytes[trailer + 2..trailer + 4].copy_from_slice(&signature);
        bytes[at + 20] ^= 0x11;
    });
}

/// The index of a large table takes several blocks: of what stood in a lost one the rows themselves tell.
#[test]
fn rows_are_listed_whose_part_of_the_index_is_lost() {
    let recipe = "store \"Rows\" seed=5\nfolder Inbox class=IPF.Note role=inbox\n  repeat 1500\n    note subject=\"Letter {n}\" \
                  from=\"A <a@example.com>\" to=\"B <b@example.com>\" body=\"letter number {n}\"\n";
    for (format, cipher) in VARIANTS {
        let whole = forge::store(format, cipher, &forge::Recipe::parse(recipe));
        let store = Store::open(Arc::new(whole.clone()), 4 << 20).unwrap();
        let inbox =
            store.subfolders(store.ipm_subtree()).unwrap().into_iter().find(|nid| store.folder(*nid).unwrap().name == "Inbox").unwrap();
        let rows = store.row_ids(inbox, Which::Normal).unwrap();
        assert_eq!(rows.len(), 1500);
        let node = store.ndb().required_node(inbox.with_kind(NodeType::CONTENTS_TABLE)).unwrap();
        let data = store.ndb().data(node.data).unwrap();
        let mut index_hit = 0;
        for leaf in data.leaves().iter().skip(1) {
            let entry = store.ndb().block_entry(leaf.bid).unwrap();
            let mut bytes = whole.clone();
            zero(&mut bytes, entry.block.ib.0, entry.stored_bytes(format) as usize);
            let damaged = open_source(Arc::new(bytes), 4 << 20).unwrap();
            let mut left = damaged.row_ids(inbox, Which::Normal).unwrap();
            let table = Table::open(damaged.ndb(), node.nid.nid, node.data, node.subnodes).unwrap();
            index_hit += usize::from(!table.known_rows().unwrap().1);
            left.sort_unstable();
            assert!(left == rows, "{format:?}: {} rows without block {}", left.len(), leaf.bid);
        }
        assert!(index_hit > 0, "{format:?}: {} blocks", data.leaves().len());
    }
}

/// What a damaged page says of a node may have a bit flipped: the tree of subnodes that nobody else names is the node's.
#[test]
fn a_node_whose_link_has_a_bit_flipped_finds_its_subnodes() {
    each_shows_all("bit flipped in a link", |ndb, bytes| {
        let node = first_node(ndb, NodeType::MESSAGE);
        let word = if ndb.format() == Format::Ansi { 4 } else { 8 };
        let link = &node.subnodes.0.to_le_bytes()[..word];
        let page = ndb.format().layout().page_bytes;
        for at in pages(ndb, bytes, BTree::Nodes) {
            let page = &mut bytes[at as usize..][..page];
            let found = (0..page.len() - word)
                .step_by(4)
                .find(|from| &page[*from..from + word] == link && page[from - word..*from] == node.data.0.to_le_bytes()[..word]);
            if let Some(from) = found {
                page[from + 2] ^= 0x02;
                // Of one bit alone the CRC would tell which it was.
                let crc = page.len() - ndb.format().layout().page_trailer_bytes + if ndb.format() == Format::Ansi { 8 } else { 4 };
                page[crc] ^= 0x10;
            }
        }
    });
}

/// Real stores lost a message's tree of subnodes with the page that told of it: the message got the tree of a table, whose id
/// was its own but for a bit, and nobody heard that recipients and attachments were gone.
#[test]
fn a_lost_link_of_a_whole_page_is_not_another_ones() {
    for format in [Format::Ansi, Format::Unicode] {
        let whole = forge::store(format, Cipher::Permute, &forge::recipe("wide-folder"));
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let layout = format.layout();
        let messages = messages(&ndb);
        let (loser, other) = (messages.first().unwrap(), messages.last().unwrap());
        let lost = Bid(other.subnodes.0 ^ 0x10_0000);
        let leaf = |nid: Nid| pages(&ndb, &whole, BTree::Nodes).into_iter().find(|at| names(&whole, *at, nid, format)).unwrap();
        let at = leaf(loser.nid.nid);
        let found = survey(&whole, format, &Progress::default()).unwrap();
        let page = found.pages.iter().find(|page| page.ib.0 == at).unwrap();
        let mut body = whole[at as usize..][..layout.page_bytes - layout.page_trailer_bytes].to_vec();
        let (stands, is_to) = (codec::encode(format, loser), codec::encode(format, &NodeEntry { subnodes: lost, ..*loser }));
        let slot = body.chunks_mut(stands.len()).find(|slot| **slot == *stands).unwrap();
        slot.copy_from_slice(&is_to);
        let mut patient = Patient::new(whole.clone());
        patient.page(BTree::Nodes, BlockRef { bid: page.bid, ib: page.ib }, &body);
        zero(&mut patient.bytes, leaf(other.nid.nid), layout.page_bytes);
        let store = open_source(Arc::new(patient.bytes), 4 << 20).unwrap();
        assert_eq!(store.ndb().required_node(loser.nid.nid).unwrap().subnodes, lost, "{format:?}");
        assert_eq!(store.ndb().required_node(other.nid.nid).unwrap().subnodes, other.subnodes, "{format:?}");
    }
}

/// Behind the entries of a page stood one of long ago, by which a folder's list of hidden items was the empty one that all
/// folders share: the items of real stores went to Lost and Found, as that block is always in use, and the list got no owner.
#[test]
fn a_shared_block_behind_the_entries_of_a_page_is_no_folders_list() {
    // Here the nodes stand in more than one page.
    for format in [Format::Ansi, Format::Unicode] {
        let whole = forge::store(format, Cipher::None, &forge::recipe("every-item-class"));
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let layout = format.layout();
        let list = first_node(&ndb, NodeType::ASSOCIATED_MESSAGE).parent.with_kind(NodeType::ASSOCIATED_TABLE);
        let template = ndb.required_node(Nid(0x60f)).unwrap();
        let body_bytes = layout.page_bytes - layout.page_trailer_bytes;
        let nodes = pages(&ndb, &whole, BTree::Nodes).into_iter().map(|at| (at, whole[at as usize..][..body_bytes].to_vec()));
        let entries = |body: &[u8]| BTreePage::decode(format, body).unwrap().entries::<NodeEntry>().collect::<Vec<_>>();
        let is_leaf = |body: &[u8]| BTreePage::decode(format, body).unwrap().info.level == 0;
        let (leaf, body) =
            nodes.into_iter().find(|(_, body)| is_leaf(body) && entries(body).iter().any(|entry| entry.nid.nid == list)).unwrap();
        let others: Vec<NodeEntry> = entries(&body).into_iter().filter(|entry| entry.nid.nid != list).collect();
        let mut stale = BTreePage::encode(format, 0, &others);
        let behind = codec::encode(format, &NodeEntry { nid: list.into(), ..template });
        stale[others.len() * behind.len()..][..behind.len()].copy_from_slice(&behind);
        let mut patient = Patient::new(whole.clone());
        let end = (whole.len() - layout.page_bytes) as u64;
        assert!(whole[end as usize..].iter().all(|byte| *byte == 0), "the end of the store is free");
        patient.page(BTree::Nodes, BlockRef { bid: Bid(0x11), ib: Ib(end) }, &stale);
        zero(&mut patient.bytes, leaf, layout.page_bytes);
        shows_all("a shared block behind a page's entries", format, &whole, patient.bytes.clone());
        let store = open_source(Arc::new(patient.bytes), 4 << 20).unwrap();
        assert_eq!(store.ndb().required_node(list).unwrap().data, ndb.required_node(list).unwrap().data, "{format:?}");
    }
}

/// A store with the blocks of a node's data zeroed.
fn without_data(bytes: &[u8], nid: Nid) -> Vec<u8> {
    let ndb = Ndb::open(Arc::new(bytes.to_vec()), 1 << 20).unwrap();
    let mut bytes = bytes.to_vec();
    for leaf in ndb.data(ndb.required_node(nid).unwrap().data).unwrap().leaves() {
        let entry = ndb.block_entry(leaf.bid).unwrap();
        zero(&mut bytes, entry.block.ib.0, entry.stored_bytes(ndb.format()) as usize);
    }
    bytes
}

/// Without the map of names nobody knows what the named properties of an item are: what is shown of it lacks them.
#[test]
fn items_say_that_names_of_their_properties_are_lost() {
    for (format, cipher) in VARIANTS {
        let (documents, _) = salvaged(without_data(&forged(format, cipher), Nid::NAME_MAP));
        let told = documents.values().filter(|document| {
            let text = String::from_utf8_lossy(document).to_lowercase().replace("\r\n ", "");
            text.contains("x-pstfs-incomplete:") && text.contains("left out:")
        });
        assert!(told.count() > 0, "{format:?}");
    }
}

/// Every new name makes Outlook write the map anew: the old one still stands, and tells the names of all that is older. A
/// repair of a real store with lost sectors did not know them.
#[test]
fn names_are_read_from_an_earlier_map_and_a_repair_keeps_them() {
    for (format, cipher) in VARIANTS {
        let whole = forged(format, cipher);
        let ndb = Ndb::open(Arc::new(whole.clone()), 1 << 20).unwrap();
        let node = ndb.required_node(Nid::NAME_MAP).unwrap();
        let map = ndb.data(node.data).unwrap().read_all(&ndb).unwrap();
        let mut change = Transaction::begin(&ndb).unwrap();
        let data = change.put_data(&map).unwrap();
        change.replace_data(Nid::NAME_MAP, data).unwrap();
        let preview = change.preview().unwrap();
        let mut bytes = vec![0; preview.len().unwrap() as usize];
        preview.read_exact_at(&mut bytes, 0).unwrap();
        let expected = documents(Arc::new(Store::open(Arc::new(whole), 4 << 20).unwrap()));
        let damaged = without_data(&bytes, Nid::NAME_MAP);
        let repaired = repaired(&damaged, Options::default()).unwrap();
        for (state, bytes) in [("damaged", damaged), ("repaired", repaired)] {
            let (documents, _) = salvaged(bytes);
            for (path, document) in &expected {
                assert!(documents.get(path) == Some(document), "{format:?}: {state}: {path}");
            }
        }
    }
}

/// Copies of a message have one block: the count of its users tells how many there were when their nodes are gone. Each
/// says that it is known by this count alone.
#[test]
fn copies_that_only_a_count_tells_of_are_shown_and_say_so() {
    for format in [Format::Ansi, Format::Unicode] {
        let (mut bytes, copies) = with_copies(format);
        let after = Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
        // The last leaf holds copies alone.
        let leaves = pages(&after, &bytes, BTree::Nodes).into_iter().filter(|at| names(&bytes, *at, copies[39], format));
        for at in leaves.collect::<Vec<_>>() {
            zero(&mut bytes, at, format.layout().page_bytes);
        }
        // The root has the first key of each leaf, of the lost one too.
        let mut left = pages(&after, &bytes, BTree::Nodes);
        left.retain(|at| *at != after.root(BTree::Nodes).ib.0);
        let left = copies.iter().filter(|nid| left.iter().any(|at| names(&bytes, *at, **nid, format))).count();
        let (documents, _) = salvaged(bytes);
        let with = |field: &str| documents.values().filter(|document| String::from_utf8_lossy(document).contains(field)).count();
        assert_eq!(with("X-Pstfs-Origin: orphaned"), 40, "{format:?}");
        assert_eq!(with("X-Pstfs-Origin: orphaned; a copy of which only a count tells"), 40 - left, "{format:?}");
    }
}

/// A store with 40 copies of a message that no table lists: their nodes name the blocks of the original.
fn with_copies(format: Format) -> (Vec<u8>, Vec<Nid>) {
    let ndb = Ndb::open(Arc::new(forged(format, Cipher::None)), 1 << 20).unwrap();
    let node = first_node(&ndb, NodeType::MESSAGE);
    let mut change = Transaction::begin(&ndb).unwrap();
    let mut copies = Vec::new();
    for _ in 0..40 {
        let nid = change.next_nid(NodeType::MESSAGE).unwrap();
        change.put_node(nid, node.parent, node.data, node.subnodes).unwrap();
        copies.push(nid);
    }
    (preview(change), copies)
}

/// Of a store cut in half, the page that names five copies of a letter was left, and the folder's table was not: four of the
/// five were taken for deleted, as no table listed them. Where it lists others of the folder, that is what it means.
#[test]
fn copies_are_not_deleted_because_the_table_that_lists_them_is_lost() {
    for format in [Format::Ansi, Format::Unicode] {
        let (bytes, copies) = with_copies(format);
        let ndb = Ndb::open(Arc::new(bytes.clone()), 1 << 20).unwrap();
        let folder = ndb.required_node(copies[0]).unwrap().parent;
        let root = |bytes: &mut [u8]| zero(bytes, ndb.root(BTree::Nodes).ib.0, format.layout().page_bytes);
        let known = |mut bytes: Vec<u8>| {
            root(&mut bytes);
            let store = open_source(Arc::new(bytes), 4 << 20).unwrap();
            copies.iter().filter(|nid| store.ndb().node(**nid).unwrap().is_some()).count()
        };
        assert_eq!(known(without_data(&bytes, folder.with_kind(NodeType::CONTENTS_TABLE))), 40, "{format:?}");
        assert_eq!(known(bytes.clone()), 0, "{format:?}: deleted ones stay deleted");
    }
}

/// Whether a page holds an entry of a node.
fn names(bytes: &[u8], page: u64, nid: Nid, format: Format) -> bool {
    bytes[page as usize..][..format.layout().page_bytes].chunks(4).any(|word| word == nid.0.to_le_bytes())
}

fn messages(ndb: &Ndb) -> Vec<NodeEntry> {
    let mut found = Vec::new();
    ndb.visit_nodes(&mut |node| {
        found.extend(Some(*node).filter(|node| node.nid.nid.kind() == NodeType::MESSAGE));
        true
    })
    .unwrap();
    found
}

fn without_origin(document: &[u8]) -> Vec<u8> {
    let lines = document.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !line.to_ascii_lowercase().starts_with(b"x-pstfs-origin:")).collect::<Vec<_>>().concat()
}

/// A copy that broke off: every document that is still shown whole is one of the store's.
#[test]
fn a_store_cut_short_shows_what_is_left() {
    for (format, cipher) in VARIANTS {
        let whole = forged(format, cipher);
        let expected = documents(Arc::new(Store::open(Arc::new(whole.clone()), 4 << 20).unwrap()));
        let found = survey(&whole, format, &Progress::default()).unwrap();
        let last = found.blocks.iter().map(|block| block.ib.0).max().unwrap() as usize;
        let first = format.layout().amap_first as usize;
        let (documents, _) = salvaged(whole[..first + (last - first) * 9 / 10].to_vec());
        // Nothing but how it was come by may differ.
        let same =
            documents.values().map(|document| without_origin(document)).filter(|document| expected.values().any(|other| other == document));
        let same = same.count();
        assert!(same > 4, "{format:?}: {same} of {} documents", documents.len());
    }
}

/// Noise holds no block, and a header alone names none.
#[test]
fn what_holds_no_part_of_a_store_is_refused() {
    assert!(open_source(Arc::new(Random::new(7).bytes(300_000)), 1 << 20).is_err());
    for (format, cipher) in VARIANTS {
        assert!(open_source(Arc::new(forged(format, cipher)[..564].to_vec()), 1 << 20).is_err(), "{format:?}");
    }
}

/// A letter whose id had a bit of its type flipped in a damaged page was seen by nobody: no reader looks for such a node.
#[test]
fn ids_with_a_bit_flipped_hide_nothing() {
    for trick in ["letter-under-the-id-of-another-type", "names-under-another-id", "list-of-messages-under-another-id"] {
        for (format, cipher, bytes) in forge::damaged_all(trick, &mut forge::store) {
            shows_all(trick, format, &forge::store(format, cipher, &forge::recipe("every-format")), bytes);
        }
    }
}
