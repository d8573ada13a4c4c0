//! What is there of an object and may be wrong: looked up where it lies, and told in words.

use super::Mender;
use super::bag::Bag;
use crate::damage::Result;
use crate::format::block::SubnodeEntry;
use crate::format::id::{Bid, Nid, NodeType};
use crate::repair::low::Doubt;
use crate::store::item::NodeRef;
use crate::store::tags;

impl Mender<'_, '_> {
    /// Tells what of an object lies in blocks that are kept though they may not hold what was there.
    ///
    /// Attachments, and messages in them, tell of themselves.
    pub(super) fn tell_doubts(&self, node: NodeRef, subnodes: &[SubnodeEntry], bag: &mut Bag) -> Result<()> {
        if self.doubts.nodes.is_empty() {
            return Ok(());
        }
        if self.doubts.earlier.contains(&node.nid) {
            bag.lost.push("its last state: this is an earlier one".into());
        }
        let mut told = vec![("its properties".to_owned(), self.doubt_in(node.data)?)];
        told.push(("what lies in it, such as attachments and recipients".into(), self.doubts.blocks.get(&node.subnodes.key()).copied()));
        for (id, root) in &bag.roots {
            told.push((tags::called(*id), self.doubt_in(*root)?));
        }
        for entry in subnodes.iter().filter(|entry| !tells_itself(entry.nid.nid)) {
            let what = match entry.nid.nid {
                Nid::RECIPIENT_TABLE => "the list of recipients".into(),
                Nid::ATTACHMENT_TABLE => "the list of attachments".into(),
                nid => format!("object {nid}"),
            };
            told.push((what, self.doubt_below(entry)?));
        }
        let lines = told.into_iter().filter_map(|(what, doubt)| Some(format!("{what}: {}", words(doubt?))));
        bag.lost.extend(lines);
        Ok(())
    }

    /// The worst of what is in doubt in a data tree.
    fn doubt_in(&self, root: Bid) -> Result<Option<Doubt>> {
        let own = self.doubts.blocks.get(&root.key()).copied();
        let leaves = match self.ndb.data(root) {
            Err(error) if error.is_io() => return Err(error),
            data => data.ok().into_iter().flat_map(|data| data.leaves().to_vec()),
        };
        Ok(leaves.filter_map(|leaf| self.doubts.blocks.get(&leaf.bid.key()).copied()).chain(own).max())
    }

    /// The worst of what is in doubt in a subnode's data, and in what lies directly below it, such as a table's rows.
    pub(super) fn doubt_below(&self, entry: &SubnodeEntry) -> Result<Option<Doubt>> {
        let below = match self.ndb.subnodes(entry.subnodes) {
            Err(error) if error.is_io() => return Err(error),
            below => below.unwrap_or_default(),
        };
        let mut worst = self.doubt_in(entry.data)?.max(self.doubts.blocks.get(&entry.subnodes.key()).copied());
        for entry in below {
            worst = worst.max(self.doubt_in(entry.data)?);
        }
        Ok(worst)
    }
}

/// Whether a subnode is an object that tells of itself, or a large value, which is told of by its property.
fn tells_itself(nid: Nid) -> bool {
    [NodeType::ATTACHMENT, NodeType::MESSAGE, NodeType::LTP].contains(&nid.kind())
}

const fn words(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::AsRead => "a block was damaged, some of its bytes may be wrong",
        Doubt::Zeros => "a part is lost, zeros stand in its place",
        Doubt::Short => "a part is lost",
    }
}
