//! Stores whose header, trees or tables are gone: what is physically there is shown all the same.
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

use pstfs::format::id::Bid;
use pstfs::ndb::Ndb;
use pstfs::progress::Progress;
use pstfs::recover::survey::survey;
use support::forge;

/// Every block of the live tree is found where it stands, each with a CRC that matches.
#[test]
fn a_survey_finds_every_live_block() {
    for (format, cipher) in forge::variants() {
        let bytes = forge::store(format, cipher, &forge::recipe("every-format"));
        let found = survey(&bytes, format, &Progress::default()).unwrap();
        let ndb = Ndb::open(Arc::new(bytes), 1 << 20).unwrap();
        let mut count = 0;
        ndb.visit_blocks(&mut |entry| {
            let copies = found.copies(entry.block.bid);
            assert!(copies.iter().any(|copy| copy.ib == entry.block.ib && copy.size == entry.size && copy.inflated == entry.inflated));
            assert!(copies[0].crc_ok);
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
