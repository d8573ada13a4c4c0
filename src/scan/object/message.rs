//! What a message says of itself, against what it holds ([MS-PST] 2.4.5; KB287497).

use super::super::case::Case;
use super::properties::PropertyCheck;
use super::row::Cells;
use super::{Look, attachment, data_bytes, foreign_heap, recipients, rtf, survive};
use crate::damage::{Code, Result, Severity};
use crate::format::block::SubnodeEntry;
use crate::format::header::Client;
use crate::format::id::{Bid, NodeType};
use crate::format::property::FileTime;
use crate::ltp::value::Value;
use crate::store::item::NodeRef;
use crate::store::props::Key;
use crate::store::{Role, flags, tags};

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// In a folder, for users to see.
    Normal,
    /// In a folder, for the store's own use.
    Associated,
    /// In an attachment.
    Embedded,
}

/// A message to look at.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Message<'r> {
    /// Where it lies.
    pub(in super::super) node: NodeRef,
    /// Where it stands.
    pub(in super::super) kind: Kind,
    /// What its folder's table tells of it; nothing where it has no row.
    pub(in super::super) row: Cells<'r>,
    /// What its folder is for.
    pub(in super::super) folder: Option<Role>,
}

/// Checks a message with all that lies in it; `None` where its properties cannot be read.
pub(in super::super) fn message(look: &mut Look<'_>, case: &mut Case, message: &Message<'_>) -> Result<Option<()>> {
    let ndb = look.store.ndb();
    let Some(props) = PropertyCheck::open(case, ndb, message.node)? else { return Ok(None) };
    let below = survive(case, ndb.subnodes(message.node.subnodes))?;
    let is_known = below.is_some();
    let subnodes = below.unwrap_or_default();
    let attached = attachment::attachments(look, case, message.node, &subnodes)?;
    recipients::recipients(look, case, message, &props, &subnodes)?;
    for subnode in &subnodes {
        other_subnode(look, case, subnode)?;
    }
    class(case, &props)?;
    flags(case, &props, message, is_known.then_some(attached));
    submission(case, &props, message);
    if message.kind != Kind::Embedded {
        what_all_have(look, case, &props, message)?;
        size(look, case, &props, message.node)?;
    }
    times(case, &props)?;
    subject(case, &props)?;
    rtf::compressed_rtf(look, case, &props)?;
    names(look, case, &props);
    message.row.compare(case, &props)?;
    props.finish(case);
    Ok(Some(()))
}

/// A subnode that is neither a value nor a table nor an attachment.
fn other_subnode(look: &Look<'_>, case: &mut Case, subnode: &SubnodeEntry) -> Result<()> {
    let nid = subnode.nid.nid;
    let known = [NodeType::LTP, NodeType::ATTACHMENT, NodeType::ATTACHMENT_TABLE, NodeType::RECIPIENT_TABLE, NodeType::HID];
    if known.contains(&nid.kind()) || subnode.data.is_none() {
        return Ok(());
    }
    let node = NodeRef { nid, data: subnode.data, subnodes: subnode.subnodes };
    case.below(nid, |case| foreign_heap(case, look.store.ndb(), node))
}

fn class(case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
    let text = match props.value(tags::MESSAGE_CLASS)? {
        Some(Value::Unicode(text)) => Some(text),
        Some(Value::String8(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    };
    let place = case.place().property(0x001a);
    match text {
        None => case.add_at(Code::MessageClass, place, "none"),
        Some(text) if text.is_empty() || !text.is_ascii() => {
            case.add_mild_at(Code::MessageClass, place, Severity::Warning, format!("{text:?}"))
        }
        Some(_) => {}
    }
    Ok(())
}

/// The flags; `attached` is whether there are attachments, where that is known.
fn flags(case: &mut Case, props: &PropertyCheck<'_>, message: &Message<'_>, attached: Option<bool>) {
    let place = case.place().property(0x0e07);
    let Some(flags) = props.int(tags::MESSAGE_FLAGS) else {
        return case.add_at(Code::MessageFlags, place, "there are none");
    };
    if let Some(attached) = attached.filter(|attached| (flags & flags::HAS_ATTACHMENTS != 0) != *attached) {
        let wrong = if attached { "attachments, and the flags say none" } else { "no attachments, and the flags say some" };
        case.add_at(Code::MessageFlags, place, format!("{wrong}: {flags:#x}"));
    }
    if message.kind != Kind::Embedded && (flags & flags::ASSOCIATED != 0) != (message.kind == Kind::Associated) {
        case.add_at(Code::MessageFlags, place, format!("associated or not, against its node's type: {flags:#x}"));
    }
    if flags & !flags::KNOWN != 0 {
        case.add_at(Code::MessageFlags, place, format!("bits that mean nothing: {flags:#x}"));
    }
}

/// Flags and time of a message that was sent.
fn submission(case: &mut Case, props: &PropertyCheck<'_>, message: &Message<'_>) {
    if let Some(flags) = props.int(tags::SUBMIT_FLAGS).filter(|flags| *flags != 0)
        && (flags & !flags::SUBMIT_KNOWN != 0 || message.folder != Some(Role("outbox")))
    {
        case.add_at(Code::SubmitFlags, case.place().property(0x0e14), format!("{flags:#x}"));
    }
    let submitted = props.int(tags::MESSAGE_FLAGS).is_some_and(|flags| flags & flags::SUBMITTED != 0);
    if submitted && !props.has(tags::CLIENT_SUBMIT_TIME) {
        case.add_at(Code::SubmitTime, case.place().property(0x0039), "");
    }
}

/// Properties that the specification wants everywhere, and that other programs' stores often lack.
fn what_all_have(look: &Look<'_>, case: &mut Case, props: &PropertyCheck<'_>, message: &Message<'_>) -> Result<()> {
    let offline = look.store.ndb().header().client == Client::OST;
    let wanted = [
        (tags::SEARCH_KEY, Code::SearchKey),
        (tags::CREATION_TIME, Code::CreationTime),
        (tags::LAST_MODIFICATION_TIME, Code::ModificationTime),
    ];
    for (key, code) in wanted {
        let Key::Id(id) = key else { continue };
        // OSTs keep the time of the last change in the folder's table alone.
        if !props.has(key) && !(offline && (code == Code::ModificationTime || message.row.value(key)?.is_some())) {
            case.add_at(code, case.place().property(id), "");
        }
    }
    Ok(())
}

/// The size is what all blocks hold, give or take what Outlook counts otherwise.
fn size(look: &mut Look<'_>, case: &mut Case, props: &PropertyCheck<'_>, node: NodeRef) -> Result<()> {
    let Some(told) = props.int(tags::MESSAGE_SIZE) else {
        case.add(Code::MessageSize, "there is none");
        return Ok(());
    };
    let told = u64::try_from(told).unwrap_or(0);
    look.seen.clear();
    let own = data_bytes(look.store.ndb(), node.data)?;
    // Of what cannot be read nobody knows the size.
    let (Some(own), Some(below)) = (own, bytes_below(look, case, node.subnodes, 0)?) else { return Ok(()) };
    let counted = own.saturating_add(below);
    let apart = told.abs_diff(counted);
    if apart > 4096 && apart > counted >> 2 {
        case.add_at(Code::MessageSize, case.place().property(0x0e08), format!("told {told}, counted {counted} bytes"));
    }
    Ok(())
}

/// Bytes of all that lies in a tree of subnodes; `None` where some of it cannot be read.
fn bytes_below(look: &mut Look<'_>, case: &mut Case, root: Bid, depth: usize) -> Result<Option<u64>> {
    if root.is_none() || depth > attachment::DEPTH_MAX || !look.seen.insert(root.key()) {
        return Ok(Some(0));
    }
    let Some(entries) = survive(case, look.store.ndb().subnodes(root))? else { return Ok(None) };
    let mut sum = 0_u64;
    for entry in entries {
        let below = bytes_below(look, case, entry.subnodes, depth.saturating_add(1))?;
        let (Some(own), Some(below)) = (data_bytes(look.store.ndb(), entry.data)?, below) else { return Ok(None) };
        sum = sum.saturating_add(own).saturating_add(below);
    }
    Ok(Some(sum))
}

/// 2100-01-01, in ticks since 1601.
const TIME_MAX: u64 = 157_469_184_000_000_000;

fn times(case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
    for key in [tags::CLIENT_SUBMIT_TIME, tags::MESSAGE_DELIVERY_TIME, tags::CREATION_TIME, tags::LAST_MODIFICATION_TIME] {
        if let (Some(Value::Time(FileTime(ticks))), Key::Id(id)) = (props.value(key)?, key)
            && ticks > TIME_MAX
        {
            case.add_at(Code::TimeRange, case.place().property(id), format!("{ticks:#x}"));
        }
    }
    Ok(())
}

/// A subject may begin with U+0001 and its prefix's length plus one ([MS-PST] 2.5.3.1.1.1).
fn subject(case: &mut Case, props: &PropertyCheck<'_>) -> Result<()> {
    if props.first_unit(tags::SUBJECT)? != Some(1) {
        return Ok(());
    }
    let chars: Vec<u32> = match props.value(tags::SUBJECT)? {
        Some(Value::Unicode(text)) => text.encode_utf16().map(u32::from).collect(),
        Some(Value::String8(bytes)) => bytes.into_iter().map(u32::from).collect(),
        _ => return Ok(()),
    };
    if let [1, length, rest @ ..] = chars.as_slice()
        && u64::from(length.saturating_sub(1)) > u64::try_from(rest.len()).unwrap_or(0)
    {
        let detail = format!("{} of {} characters", length.saturating_sub(1), rest.len());
        case.add_at(Code::SubjectPrefix, case.place().property(0x0037), detail);
    }
    Ok(())
}

/// Named properties have names.
fn names(look: &Look<'_>, case: &mut Case, props: &PropertyCheck<'_>) {
    for record in props.records().iter().filter(|record| record.id >= 0x8000) {
        if look.store.names().name(record.id).is_none() {
            case.add_at(Code::PropertyUnnamed, case.place().property(record.id), "");
        }
    }
}
