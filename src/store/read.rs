//! Reading an item: properties, recipients, attachments ([MS-PST] 2.4.5, 2.4.6).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::item::{Attachment, Content, Item, NodeRef};
use super::props::Props;
use super::{Store, codepage, tags};
use crate::damage::{Code, Error, Place, Result};
use crate::format::block::SubnodeEntry;
use crate::format::id::{Bid, Nid, NodeType};
use crate::ltp::value::{Stream, Value};
use crate::ltp::{Properties, Room, Table};
use crate::ndb::Ndb;

/// How an attachment is stored: PidTagAttachMethod ([MS-OXCMSG] 2.2.2.9).
mod method {
    pub(super) const NONE: i32 = 0;
    pub(super) const BY_VALUE: i32 = 1;
    pub(super) const BY_REFERENCE: i32 = 2;
    pub(super) const BY_REFERENCE_RESOLVE: i32 = 3;
    pub(super) const BY_REFERENCE_ONLY: i32 = 4;
    pub(super) const EMBEDDED: i32 = 5;
    pub(super) const OLE: i32 = 6;
    pub(super) const BY_WEB_REFERENCE: i32 = 7;
}

impl Store {
    /// Where an item that has a node of its own lies.
    pub fn locate(&self, nid: Nid) -> Result<NodeRef> {
        let node = self.ndb.node(nid)?.ok_or(Error::Damaged(Code::MessageRow, Place::node(nid.0)))?;
        Ok(NodeRef { nid, data: node.data, subnodes: node.subnodes })
    }

    /// An item: a message of a folder, or one inside an attachment.
    ///
    /// An error only where its own properties cannot be read; whatever else is damaged is told in [`Item::damage`].
    pub fn item(&self, node: NodeRef) -> Result<Item> {
        self.item_of(node, &Properties::open(&self.ndb, node.nid, node.data, node.subnodes)?)
    }

    pub(super) fn item_of(&self, node: NodeRef, properties: &Properties<'_>) -> Result<Item> {
        let mut item = self.envelope_of(node, properties)?;
        self.read_attachments(&mut item)?;
        Ok(item)
    }

    /// Adds an item's attachments, and what is to be told of the item as a whole.
    pub(super) fn read_attachments(&self, item: &mut Item) -> Result<()> {
        let node = item.node;
        item.attachments = self.attachments(node, item.props.codepage(), &mut item.damage)?;
        if self.ndb.maps().is_some_and(|maps| maps.is_earlier(node.nid, node.data)) {
            item.damage.push("this is an earlier state of it: the latest is lost".into());
        }
        item.damage.extend(in_words(self.ndb.damaged_node(node.data, node.subnodes)?));
        item.damage.extend(item.props.names().doubt(item.props.values().keys().copied()));
        Ok(())
    }

    /// Which attachments hold damaged data, in words for the user: what the item itself does not tell, whose attachments
    /// are read only when somebody asks for them.
    ///
    /// Reads them all in a file in which damage was met, and nothing in others.
    pub fn damaged_attachments(&self, item: &Item) -> Result<Vec<String>> {
        if self.ndb.maps().is_none() {
            return Ok(Vec::new());
        }
        let mut told = Vec::new();
        for (number, attachment) in (1..).zip(&item.attachments) {
            let damaged = match &attachment.content {
                Content::Stream(stream) | Content::Ole(stream) => self.ndb.damaged_data(stream.data)?,
                Content::Message(node) => self.ndb.damaged_node(node.data, node.subnodes)?,
                Content::None | Content::Bytes(_) | Content::Reference(_) | Content::Broken(_) => 0,
            };
            told.extend(in_words(damaged).map(|damage| format!("attachment {number}: {damage}")));
        }
        Ok(told)
    }

    /// What lies beside the properties of an item whose properties are lost.
    pub fn item_without_props(&self, node: NodeRef) -> Result<Item> {
        let mut item = Item { node, damage: vec!["the message itself is lost".into()], ..Item::default() };
        item.recipients = self.recipients(node, item.props.codepage(), &mut item.damage)?;
        item.attachments = self.attachments(node, item.props.codepage(), &mut item.damage)?;
        Ok(item)
    }

    /// An attachment whose message is lost.
    pub fn attachment_alone(&self, node: NodeRef) -> Result<Attachment> {
        let subnode = SubnodeEntry { data: node.data, subnodes: node.subnodes, ..SubnodeEntry::default() };
        Ok(self.attachment(node, &subnode, codepage::WINDOWS_1252)?.0)
    }

    /// An item without its attachments.
    pub fn envelope(&self, node: NodeRef) -> Result<Item> {
        self.envelope_of(node, &Properties::open(&self.ndb, node.nid, node.data, node.subnodes)?)
    }

    fn envelope_of(&self, node: NodeRef, properties: &Properties<'_>) -> Result<Item> {
        let (values, lost) = properties.values_and_lost()?;
        let addresses = self.addresses.get().cloned().unwrap_or_default();
        let mut item = Item { node, props: self.props_of(node.nid, values)?, addresses, ..Item::default() };
        if !lost.is_empty() {
            let lost: Vec<String> = lost.into_iter().map(tags::called).collect();
            item.damage.push(format!("{} cannot be read", lost.join(", ")));
        }
        item.recipients = self.recipients(node, item.props.codepage(), &mut item.damage)?;
        Ok(item)
    }

    pub(super) fn recipients(&self, node: NodeRef, codepage: u16, damage: &mut Vec<String>) -> Result<Vec<Props>> {
        let mut read = || -> Result<Vec<Props>> {
            // Contacts, notes and many others have no recipient table.
            let Some(subnode) = self.ndb.subnode(node.subnodes, Nid::RECIPIENT_TABLE)? else { return Ok(Vec::new()) };
            let table = Table::open(&self.ndb, node.nid, subnode.data, subnode.subnodes)?;
            let mut rows = Vec::new();
            let failed = table.visit_rows(&mut |row| rows.push(row))?;
            if !failed.is_empty() {
                damage.push(format!("{} recipients cannot be read", failed.len()));
            }
            let mut room = Room::of(table.heap());
            let mut recipients = Vec::new();
            for row in &rows {
                let cells: BTreeMap<u16, Value> = table.cells(row)?.into_iter().collect();
                if !cells.values().all(|value| room.takes(value)) {
                    return Err(Error::Damaged(Code::Recipients, Place::node(node.nid.0)));
                }
                recipients.push(Props::new(node.nid, cells, self.names.clone(), Some(self.ndb.clone()), codepage));
            }
            Ok(recipients)
        };
        match self.survive(read(), Code::Recipients, node.nid)? {
            Some(recipients) => Ok(recipients),
            None => {
                damage.push("the list of recipients cannot be read".into());
                Ok(Vec::new())
            }
        }
    }

    fn attachments(&self, node: NodeRef, codepage: u16, damage: &mut Vec<String>) -> Result<Vec<Attachment>> {
        let Some(subnodes) = self.survive(self.ndb.subnodes(node.subnodes), Code::SubnodeTree, node.nid)? else {
            damage.push("attachments, recipients and large values cannot be read: the tree that holds them is damaged".into());
            return Ok(Vec::new());
        };
        let by_id: HashMap<Nid, &SubnodeEntry> = subnodes.iter().rev().map(|subnode| (subnode.nid.nid, subnode)).collect();
        let mut attachments = Vec::new();
        for nid in self.attachment_order(node, &subnodes, damage)? {
            let attachment = match by_id.get(&nid) {
                Some(subnode) => {
                    let (attachment, lost) = self.attachment(node, subnode, codepage)?;
                    let number = attachments.len().saturating_add(1);
                    damage.extend(lost.map(|lost| format!("attachment {number}: {lost}")));
                    attachment
                }
                None => broken(nid, "the store's attachment table names it, but it is not there"),
            };
            attachments.push(attachment);
        }
        Ok(attachments)
    }

    /// The ids of the attachments: first the table's rows, then those that it forgot.
    fn attachment_order(&self, node: NodeRef, subnodes: &[SubnodeEntry], damage: &mut Vec<String>) -> Result<Vec<Nid>> {
        let mut order = Vec::new();
        let mut known = HashSet::new();
        if let Some(subnode) = subnodes.iter().find(|subnode| subnode.nid.nid == Nid::ATTACHMENT_TABLE) {
            let rows = Table::open(&self.ndb, node.nid, subnode.data, subnode.subnodes).and_then(|table| table.row_numbers());
            match self.survive(rows, Code::AttachmentTable, node.nid)? {
                Some(rows) => order.extend(rows.into_iter().map(|(id, _)| Nid(id)).filter(|nid| known.insert(*nid))),
                None => damage.push("the list of attachments cannot be read".into()),
            }
        }
        let listed = order.len();
        for subnode in subnodes.iter().filter(|subnode| subnode.nid.nid.kind() == NodeType::ATTACHMENT) {
            if known.insert(subnode.nid.nid) {
                order.push(subnode.nid.nid);
            }
        }
        if listed != order.len() {
            self.ndb.notes().add(Code::AttachmentTable, Place::node(node.nid.0), "attachments that the table does not list");
        }
        Ok(order)
    }

    /// An attachment, and what is lost of one of which something else is there.
    fn attachment(&self, message: NodeRef, subnode: &SubnodeEntry, codepage: u16) -> Result<(Attachment, Option<&'static str>)> {
        let nid = subnode.nid.nid;
        let open = || match Properties::open(&self.ndb, nid, subnode.data, subnode.subnodes) {
            Err(error) if !error.is_io() => Properties::salvage(&self.ndb, nid, subnode.data, subnode.subnodes)?.ok_or(error),
            properties => properties,
        };
        let values = match open().and_then(|properties| properties.values()) {
            Err(error) if error.is_io() => return Err(error),
            Err(error) => {
                self.ndb.notes().survived(&error, Code::Attachment, Place::node(message.nid.0));
                let attachment = self.attachment_remains(message, subnode, codepage, &error)?;
                let is_there = !matches!(attachment.content, Content::Broken(_));
                return Ok((attachment, is_there.then_some("its properties are lost, this is what lay with them")));
            }
            Ok(values) => values,
        };
        let props = Props::new(message.nid, values, self.names.clone(), Some(self.ndb.clone()), codepage);
        let node = NodeRef { nid, data: subnode.data, subnodes: subnode.subnodes };
        let (content, lost) = match content_of(&self.ndb, &props, subnode.subnodes) {
            Err(error) if error.is_io() => return Err(error),
            Err(error) => {
                self.ndb.notes().survived(&error, Code::Attachment, Place::node(message.nid.0));
                match self.content_remains(node, &props)? {
                    Some(content) => (content, Some("what it holds is not named, this is what lay in it")),
                    None => (Content::Broken(error.to_string()), None),
                }
            }
            Ok(content) => (content, None),
        };
        Ok((Attachment { node, props, content }, lost))
    }
}

/// What is told of so many damaged blocks; nothing where there are none.
fn in_words(damaged: usize) -> Option<String> {
    match damaged {
        0 => None,
        1 => Some("a block that holds it is lost or damaged".into()),
        count => Some(format!("{count} blocks that hold it are lost or damaged")),
    }
}

fn broken(nid: Nid, why: &str) -> Attachment {
    let node = NodeRef { nid, ..NodeRef::default() };
    Attachment { node, props: Props::default(), content: Content::Broken(why.to_owned()) }
}

fn content_of(ndb: &Ndb, props: &Props, subnodes: Bid) -> Result<Content> {
    let kind = props.int(tags::ATTACH_METHOD).unwrap_or(method::BY_VALUE);
    match props.value(tags::ATTACH_DATA) {
        Some(Value::Object(nid, _)) => {
            let missing = Error::Damaged(Code::ObjectValue, Place::node(nid.0));
            let object = ndb.subnode(subnodes, *nid)?.ok_or(missing)?;
            if kind == method::EMBEDDED {
                return Ok(Content::Message(NodeRef { nid: *nid, data: object.data, subnodes: object.subnodes }));
            }
            let len = ndb.data(object.data)?.len();
            let stream = Stream { kind: crate::format::property::PropType::BINARY, data: object.data, len };
            Ok(if kind == method::OLE { Content::Ole(stream) } else { Content::Stream(stream) })
        }
        Some(Value::Stream(stream)) if kind == method::OLE => Ok(Content::Ole(*stream)),
        Some(Value::Stream(stream)) => Ok(Content::Stream(*stream)),
        Some(Value::Binary(bytes) | Value::String8(bytes)) => Ok(Content::Bytes(bytes.clone())),
        _ => {
            let paths = [tags::ATTACH_LONG_PATHNAME, tags::ATTACH_PATHNAME];
            let path = paths.into_iter().filter_map(|key| props.text(key)).find(|path| !path.trim().is_empty());
            match (kind, path) {
                (method::NONE, _) => Ok(Content::None),
                (method::BY_VALUE | method::EMBEDDED | method::OLE, _) => Err(Error::Damaged(Code::Attachment, Place::node(props.nid().0))),
                (_, Some(path)) => Ok(Content::Reference(path)),
                (method::BY_REFERENCE | method::BY_REFERENCE_RESOLVE | method::BY_REFERENCE_ONLY | method::BY_WEB_REFERENCE, None) => {
                    Ok(Content::Broken("it was attached as a link, and the link is not there".into()))
                }
                (_, None) => Ok(Content::None),
            }
        }
    }
}
