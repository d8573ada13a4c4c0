//! What other programs ask of a store, and a repair has to give them: the tricks that made one of them give up.
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

use std::collections::BTreeMap;
use std::sync::Arc;

use pstfs::format::Format;
use pstfs::format::cipher::Cipher;
use pstfs::format::id::{Nid, NodeType};
use pstfs::ltp::Properties;
use pstfs::ltp::value::Value;
use pstfs::repair::Options;
use pstfs::store::names::Name;
use pstfs::store::{Store, tags};
use support::forge::{self, Recipe, edits};
use support::laws::{open, repaired};

fn mended(bytes: &[u8]) -> Arc<Store> {
    open(&repaired(bytes, Options::default()).unwrap())
}

/// A message that lost its subnodes with the only page that told of them, or never had any, or none but a large value that
/// nothing names: outlook-pst gave up the folder.
#[test]
fn a_message_that_is_written_anew_has_a_table_of_recipients() {
    for format in Format::ALL {
        let whole = forge::store(format, Cipher::None, &forge::recipe("every-format"));
        let at = if format == Format::Ansi { 4 } else { 8 };
        let value = format!("set block message=\"Hello\" tree=subnodes at={at} len=4 value=0x10bf fix=yes");
        for subnodes in ["set node message=\"Hello\" field=subnodes value=0 fix=yes", &value] {
            let body = "set record message=\"Hello\" property=0x1000 field=kind value=0x2222 fix=yes";
            let lines = format!("base every-format all\n{subnodes}\n{body}\n");
            let store = mended(&edits::damaged(whole.clone(), &Recipe::parse(&lines)));
            let mut messages = 0;
            store
                .ndb()
                .visit_nodes(&mut |node| {
                    if node.nid.nid.kind() == NodeType::MESSAGE {
                        let subnodes = store.ndb().subnodes(node.subnodes).unwrap();
                        assert!(subnodes.iter().any(|entry| entry.nid.nid == Nid::RECIPIENT_TABLE), "{format:?}: {}", node.nid.nid);
                        messages += 1;
                    }
                    true
                })
                .unwrap();
            assert!(messages > 5, "{format:?}");
        }
    }
}

/// libpff opens no store whose map of names has no entries, pst-extractor none whose map has no texts or a name of no set.
#[test]
fn a_map_of_names_that_is_made_anew_has_all_its_streams() {
    for (format, _, bytes) in forge::damaged_all("names-lost", &mut forge::store) {
        let store = mended(&bytes);
        let node = store.ndb().required_node(Nid::NAME_MAP).unwrap();
        let values: BTreeMap<u16, Value> =
            Properties::open(store.ndb(), Nid::NAME_MAP, node.data, node.subnodes).unwrap().values().unwrap();
        let stream = |id: u16| match &values[&id] {
            Value::Binary(bytes) => bytes.clone(),
            other => panic!("{format:?}: {other:?}"),
        };
        let (sets, entries, texts) = (stream(2), stream(3), stream(4));
        assert!(!sets.is_empty() && !entries.is_empty() && !texts.is_empty(), "{format:?}");
        let set_of = |entry: &[u8]| u16::from_le_bytes([entry[4], entry[5]]) >> 1;
        assert!(entries.chunks(8).all(|entry| set_of(entry) > 0), "{format:?}: a name of no set");
    }
}

/// The block with the map's entries was lost, and readpst left out 159 dates: all their names stood in the index, too.
#[test]
fn names_that_zeros_stand_for_come_back_from_the_index() {
    for (format, cipher, bytes) in forge::damaged_all("names-replaced-by-zeros", &mut forge::store) {
        let whole = whole_names(format, cipher);
        assert_eq!(names(&open(&bytes)), whole, "{format:?}, as it is");
        assert_eq!(names(&mended(&bytes)), whole, "{format:?}, repaired");
    }
}

/// Items were shown without what named properties tell, and were not said to lack anything; repaired they had it.
#[test]
fn names_in_a_subnode_that_is_gone_come_back_from_the_index() {
    for (format, cipher, bytes) in forge::damaged_all("names-in-a-subnode-that-is-gone", &mut forge::store) {
        let (whole, store) = (whole_names(format, cipher), open(&bytes));
        assert_eq!(names(&store), whole, "{format:?}, as it is");
        assert!(!store.names().is_whole(), "{format:?}: more may have been there");
        assert_eq!(names(&mended(&bytes)), whole, "{format:?}, repaired");
    }
}

fn names(store: &Store) -> BTreeMap<u16, Name> {
    store.names().iter().map(|(id, name)| (id, name.clone())).collect()
}

fn whole_names(format: Format, cipher: Cipher) -> BTreeMap<u16, Name> {
    let whole = names(&open(&forge::store(format, cipher, &forge::recipe("every-format"))));
    assert!(whole.len() >= 10);
    whole
}

/// The table of a folder came back under an id of which a bit was flipped, and a folder was made for it that listed all items
/// a second time.
#[test]
fn an_id_flipped_beyond_its_page_makes_no_folder() {
    for (format, _, bytes) in forge::damaged_all("node-id-flipped-beyond-its-page", &mut forge::store) {
        let store = mended(&bytes);
        for nid in [Nid(0x10_804e), Nid(0x10_8042)] {
            assert!(store.ndb().node(nid).unwrap().is_none(), "{format:?}: {nid}");
        }
    }
}

/// It was moved to where outlook-pst came upon it, and gave up the store.
#[test]
fn a_letter_that_lost_its_subnodes_and_its_folder_has_a_table_of_recipients() {
    for (format, _, bytes) in forge::damaged_all("letter-in-no-folder-and-its-subnodes-lost", &mut forge::store) {
        let store = mended(&bytes);
        let letter = store.locate(Nid(0x20_0024)).unwrap();
        let subnodes = store.ndb().subnodes(letter.subnodes).unwrap();
        assert!(subnodes.iter().any(|entry| entry.nid.nid == Nid::RECIPIENT_TABLE), "{format:?}");
        let recipients = store.item(letter).unwrap().recipients;
        assert_eq!(recipients[0].text(tags::DISPLAY_NAME).unwrap(), "Bob Baker", "{format:?}: the letter tells to whom it went");
    }
}

/// New blocks got ids above the flipped one, and pst-extractor, which looks at 32 bits of an id, found none of them.
#[test]
fn an_id_with_a_bit_flipped_is_not_counted_on_from() {
    for (format, _, bytes) in forge::damaged_all("block-id-flipped-far-above-all-others", &mut forge::store) {
        let next = mended(&bytes).ndb().header().next_block;
        assert!(next.0 < 0x1_0000, "{format:?}: {next}");
    }
}

/// The first folder came back in `Lost and Found`, in a new one that took its place, and the other one beside that, where
/// outlook-pst and Outlook show nothing.
#[test]
fn the_first_folder_comes_back_where_it_was_and_what_was_in_it() {
    for (format, _, bytes) in forge::damaged_all("first-folder-gone-and-store-lost", &mut forge::store) {
        let store = mended(&bytes);
        assert_eq!(store.ipm_subtree(), Nid(0x8022), "{format:?}");
        for (nid, parent) in [(0x8022, Nid::ROOT_FOLDER), (0x8062, Nid(0x8022)), (0x80a2, Nid(0x8022))] {
            assert_eq!(store.ndb().required_node(Nid(nid)).unwrap().parent, parent, "{format:?}: {nid:#x}");
        }
    }
}
