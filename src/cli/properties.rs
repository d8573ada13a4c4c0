//! `pstfs cat --properties`: an item with all its properties, as JSON Lines.
//!
//! The item is a line, and so is each message inside its attachments, at any depth. Nothing is left out but long binary
//! values, which are told by length and SHA-256.

use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::inspect::type_name;
use super::json::{self, Record};
use super::out::{Output, Stop};
use super::source::Source;
use super::text;
use crate::convert::eml::{DEPTH_MAX, EMBEDDED_MAX};
use crate::convert::encode::base64;
use crate::damage::Result;
use crate::format::id::{Nid, NodeType};
use crate::format::property::PropType;
use crate::ltp::value::{Stream, Value};
use crate::store::item::{Attachment, Content, Item, NodeRef};
use crate::store::names::Name;
use crate::store::props::{Props, VALUE_MAX};
use crate::store::{Store, codepage, tag_name};

/// The longest binary value that is printed, in base64.
pub(super) const BINARY_MAX: usize = 64 << 10;

/// How much of a longer one is read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// An item with all its properties.
#[derive(Debug, Serialize)]
pub(super) struct Whole {
    pub(super) nid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) within: Option<String>,
    pub(super) properties: Vec<Property>,
    pub(super) recipients: Vec<Vec<Property>>,
    pub(super) attachments: Vec<Attached>,
    pub(super) damage: Vec<String>,
}

/// An attachment with all its properties.
#[derive(Debug, Serialize)]
pub(super) struct Attached {
    pub(super) nid: String,
    pub(super) content: &'static str,
    pub(super) properties: Vec<Property>,
}

/// A property.
#[derive(Debug, Default, Serialize)]
pub(super) struct Property {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// Prints the item of this node, and those inside it.
pub(super) fn print(source: &Source, store: &Store, nid: Nid, out: &mut Output) -> std::result::Result<(), Stop> {
    let failed = |error| Stop::from(source.broken(&error));
    if !matches!(nid.kind(), NodeType::MESSAGE | NodeType::ASSOCIATED_MESSAGE) {
        let props = store.node_props(nid).map_err(failed)?;
        let node = NodeRef { nid, ..NodeRef::default() };
        let whole = whole(store, &Item { node, props, ..Item::default() }, None).map_err(failed)?;
        return json::write(out, &Record::Item(Box::new(whole)));
    }
    let mut waiting = vec![(store.locate(nid).map_err(failed)?, Vec::<usize>::new())];
    let mut printed = 0_usize;
    while let Some((node, place)) = waiting.pop() {
        let within = (!place.is_empty()).then(|| place.iter().map(usize::to_string).collect::<Vec<_>>().join("/"));
        let item = match store.item(node) {
            Err(error) if error.is_io() || within.is_none() => return Err(failed(error)),
            Err(error) => Item { node, damage: vec![error.to_string()], ..Item::default() },
            Ok(item) => item,
        };
        json::write(out, &Record::Item(Box::new(whole(store, &item, within).map_err(failed)?)))?;
        printed = printed.saturating_add(1);
        if place.len() < DEPTH_MAX && printed.saturating_add(waiting.len()) < EMBEDDED_MAX {
            waiting.extend(messages(&item).map(|(number, node)| (node, [place.as_slice(), &[number]].concat())).rev());
        }
    }
    Ok(())
}

/// The messages inside an item's attachments, with the numbers of these.
fn messages(item: &Item) -> impl DoubleEndedIterator<Item = (usize, NodeRef)> {
    item.attachments.iter().enumerate().filter_map(|(number, attachment)| match &attachment.content {
        Content::Message(node) => Some((number, *node)),
        _ => None,
    })
}

fn whole(store: &Store, item: &Item, within: Option<String>) -> Result<Whole> {
    let attached = |attachment: &Attachment| {
        let properties = properties(store, &attachment.props)?;
        Ok(Attached { nid: attachment.node.nid.to_string(), content: content(&attachment.content), properties })
    };
    Ok(Whole {
        nid: item.node.nid.to_string(),
        within,
        properties: properties(store, &item.props)?,
        recipients: item.recipients.iter().map(|row| properties(store, row)).collect::<Result<_>>()?,
        attachments: item.attachments.iter().map(attached).collect::<Result<_>>()?,
        damage: item.damage.clone(),
    })
}

const fn content(content: &Content) -> &'static str {
    match content {
        Content::None => "none",
        Content::Bytes(_) | Content::Stream(_) => "bytes",
        Content::Message(_) => "message",
        Content::Ole(_) => "ole",
        Content::Reference(_) => "reference",
        Content::Broken(_) => "broken",
    }
}

fn properties(store: &Store, props: &Props) -> Result<Vec<Property>> {
    props.values().iter().map(|(id, value)| property(store, props, *id, value)).collect()
}

fn property(store: &Store, props: &Props, id: u16, value: &Value) -> Result<Property> {
    let mut property = Property { id: format!("{id:#06x}"), kind: type_name(kind(value)), ..Property::default() };
    match props.names().name(id) {
        Some(Name::Lid(set, lid)) => {
            property.set = Some(set.to_string());
            property.lid = Some(format!("{lid:#06x}"));
        }
        Some(Name::Text(set, name)) => {
            property.set = Some(set.to_string());
            property.name = Some(name.clone());
        }
        None => property.name = tag_name(id).map(str::to_owned),
    }
    match value {
        Value::Stream(stream) => match set_stream(store, props, stream, &mut property) {
            Err(error) if error.is_io() => return Err(error),
            Err(error) => property.error = Some(error.to_string()),
            Ok(()) => {}
        },
        Value::Object(_, size) => property.bytes = Some(u64::from(*size)),
        value => property.value = Some(plain(value, props.codepage())),
    }
    Ok(property)
}

/// The value of a large property: whole, or of long binary ones the length and the digest.
fn set_stream(store: &Store, props: &Props, stream: &Stream, property: &mut Property) -> Result<()> {
    property.kind = type_name(stream.kind);
    let data = store.ndb().data(stream.data)?;
    let binary_max = u64::try_from(BINARY_MAX).unwrap_or(u64::MAX);
    let longest = if stream.kind == PropType::BINARY { binary_max } else { VALUE_MAX };
    if stream.len <= longest {
        let value = Value::decode(stream.kind, &data.read_all(store.ndb())?);
        property.value = value.map(|value| plain(&value, props.codepage()));
        property.error = property.value.is_none().then(|| "these bytes are no value of this type".to_owned());
        return Ok(());
    }
    let mut digest = Sha256::new();
    let mut offset = 0_u64;
    while offset < stream.len {
        let bytes = data.read(store.ndb(), offset, CHUNK_BYTES)?;
        if bytes.is_empty() {
            break;
        }
        offset = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        digest.update(bytes);
    }
    property.bytes = Some(stream.len);
    property.sha256 = Some(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
    Ok(())
}

/// A value in memory. Several are an array; of those, none is too long for a heap.
fn plain(value: &Value, page: u16) -> Json {
    match value {
        Value::Null | Value::Object(..) | Value::Stream(_) => Json::Null,
        Value::I16(value) => json!(value),
        Value::I32(value) => json!(value),
        Value::I64(value) | Value::Currency(value) => json!(value),
        Value::F32(value) => json!(value),
        Value::F64(value) | Value::AppTime(value) => json!(value),
        Value::Error(value) => json!(format!("{value:#010x}")),
        Value::Bool(value) => json!(value),
        Value::Time(time) => json!(text::rfc3339(time.unix()).unwrap_or_else(|| format!("{:#x}", time.0))),
        Value::Guid(guid) => json!(guid.to_string()),
        Value::String8(bytes) => json!(codepage::decode(page, bytes)),
        Value::Unicode(text) => json!(text),
        Value::Binary(bytes) => json!(base64(bytes)),
        Value::Multi(values) => Json::Array(values.iter().map(|value| plain(value, page)).collect()),
    }
}

fn kind(value: &Value) -> PropType {
    match value {
        Value::Null => PropType::NULL,
        Value::I16(_) => PropType::I16,
        Value::I32(_) => PropType::I32,
        Value::F32(_) => PropType::F32,
        Value::F64(_) => PropType::F64,
        Value::Currency(_) => PropType::CURRENCY,
        Value::AppTime(_) => PropType::APP_TIME,
        Value::Error(_) => PropType::ERROR,
        Value::Bool(_) => PropType::BOOL,
        Value::I64(_) => PropType::I64,
        Value::Time(_) => PropType::TIME,
        Value::Guid(_) => PropType::GUID,
        Value::String8(_) => PropType::STRING8,
        Value::Unicode(_) => PropType::UNICODE,
        Value::Binary(_) => PropType::BINARY,
        Value::Object(..) => PropType::OBJECT,
        // An empty list no longer knows of what.
        Value::Multi(values) => PropType(values.first().map_or(PropType::UNSPECIFIED, kind).0 | PropType::MULTI),
        Value::Stream(stream) => stream.kind,
    }
}
