//! Values and types, as people read them.

use std::fmt::Write;

use super::super::text;
use crate::damage::Result;
use crate::format::id::{Nid, NodeType};
use crate::format::property::PropType;
use crate::ltp::value::{Stream, Value};
use crate::ndb::Ndb;
use crate::store::codepage;
use crate::store::props::VALUE_MAX;

/// How much of a string, in characters, and of bytes is shown without `--all`.
const TEXT_MAX: usize = 40;
const BYTES_MAX: usize = 16;
/// How many elements of several are.
const ELEMENTS_MAX: usize = 4;
/// How much of a value in the file is read without `--all`.
const STREAM_BYTES: usize = 512;

/// Prints values, cut or whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer<'a> {
    ndb: &'a Ndb,
    all: bool,
    codepage: u16,
}

impl<'a> Printer<'a> {
    /// Prints values of this store; `all` cuts nothing, `codepage` is that of 8-bit strings.
    pub(super) const fn new(ndb: &'a Ndb, all: bool, codepage: u16) -> Self {
        Self { ndb, all, codepage }
    }

    /// A value in one line; one that was left in the file in two.
    pub(super) fn print(&self, value: &Value) -> Result<String> {
        Ok(match value {
            Value::Null => "none".into(),
            Value::I16(value) => format!("{value} ({value:#x})"),
            Value::I32(value) => format!("{value} ({value:#x})"),
            Value::I64(value) | Value::Currency(value) => format!("{value} ({value:#x})"),
            Value::F32(value) => value.to_string(),
            Value::F64(value) | Value::AppTime(value) => value.to_string(),
            Value::Error(value) => format!("{value:#010x}"),
            Value::Bool(value) => value.to_string(),
            Value::Time(time) => text::rfc3339(time.unix()).unwrap_or_else(|| format!("no time ({:#x})", time.0)),
            Value::Guid(guid) => guid.to_string(),
            Value::String8(bytes) => self.text(&codepage::decode(self.codepage, bytes)),
            Value::Unicode(text) => self.text(text),
            Value::Binary(bytes) => self.bytes(bytes),
            Value::Object(nid, size) => format!("object in subnode {nid}, {size} bytes"),
            Value::Multi(values) => self.elements(values)?,
            Value::Stream(stream) => self.stream(stream)?,
        })
    }

    fn text(&self, text: &str) -> String {
        let shown = if self.all { usize::MAX } else { TEXT_MAX };
        let cut: String = text.chars().take(shown).collect();
        let rest = text.chars().count().saturating_sub(shown);
        let more = if rest == 0 { String::new() } else { format!(" ... {rest} more") };
        format!("\"{}\"{more}", escaped(&cut))
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        let shown = if self.all { usize::MAX } else { BYTES_MAX };
        let mut hex = String::new();
        for byte in bytes.iter().take(shown) {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        let len = text::counted(u64::try_from(bytes.len()).unwrap_or(u64::MAX), "byte", "bytes");
        let more = if bytes.len() > shown { "..." } else { "" };
        if bytes.is_empty() { len } else { format!("{len}: {hex}{more}") }
    }

    fn elements(&self, values: &[Value]) -> Result<String> {
        let shown = if self.all { usize::MAX } else { ELEMENTS_MAX };
        let printed = values.iter().take(shown).map(|value| self.print(value)).collect::<Result<Vec<_>>>()?;
        let more = if values.len() > shown { ", ..." } else { "" };
        Ok(format!("{} values: [{}{more}]", values.len(), printed.join(", ")))
    }

    /// A value in the file: where, and its beginning.
    fn stream(&self, stream: &Stream) -> Result<String> {
        let all = usize::try_from(stream.len.min(VALUE_MAX)).unwrap_or(usize::MAX);
        let wanted = if self.all { all } else { all.min(STREAM_BYTES) };
        let bytes = self.ndb.data(stream.data)?.read(self.ndb, 0, wanted)?;
        let place = format!("{} bytes in data tree {}", stream.len, stream.data);
        let begins = match stream.kind {
            PropType::UNICODE | PropType::STRING8 => {
                Value::decode(stream.kind, &bytes).map_or(Ok(String::new()), |value| self.print(&value))?
            }
            _ => self.bytes(&bytes),
        };
        Ok(format!("{place}\n          begins {begins}"))
    }
}

/// A string without what would confuse a terminal.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        match char {
            '\'' => escaped.push(char),
            other => escaped.extend(other.escape_debug()),
        }
    }
    escaped
}

/// What a property's type is called.
pub(in crate::cli) fn type_name(kind: PropType) -> String {
    if kind.is_multi() {
        return format!("multi {}", type_name(kind.element()));
    }
    let name = match kind {
        PropType::UNSPECIFIED => "unspecified",
        PropType::NULL => "null",
        PropType::I16 => "int16",
        PropType::I32 => "int32",
        PropType::I64 => "int64",
        PropType::F32 => "float32",
        PropType::F64 => "float64",
        PropType::CURRENCY => "currency",
        PropType::APP_TIME => "app time",
        PropType::ERROR => "error",
        PropType::BOOL => "bool",
        PropType::OBJECT => "object",
        PropType::STRING8 => "string8",
        PropType::UNICODE => "string",
        PropType::TIME => "time",
        PropType::GUID => "guid",
        PropType::BINARY => "binary",
        PropType(other) => return format!("type {other:#06x}"),
    };
    name.to_owned()
}

/// What a node's type is called.
pub(super) fn node_kind(nid: Nid) -> String {
    let name = match nid.kind() {
        NodeType::HID => "heap item",
        NodeType::INTERNAL => "internal",
        NodeType::FOLDER => "folder",
        NodeType::SEARCH_FOLDER => "search folder",
        NodeType::MESSAGE => "message",
        NodeType::ATTACHMENT => "attachment",
        NodeType::SEARCH_UPDATE_QUEUE => "search update queue",
        NodeType::SEARCH_CRITERIA => "search criteria",
        NodeType::ASSOCIATED_MESSAGE => "associated message",
        NodeType::HIERARCHY_TABLE => "table of folders",
        NodeType::CONTENTS_TABLE => "table of messages",
        NodeType::ASSOCIATED_TABLE => "table of associated messages",
        NodeType::SEARCH_CONTENTS_TABLE => "table of a search folder",
        NodeType::ATTACHMENT_TABLE => "table of attachments",
        NodeType::RECIPIENT_TABLE => "table of recipients",
        NodeType::LTP => "large value",
        NodeType(other) => return format!("type {other:#x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_confuses_a_terminal_is_escaped() {
        assert_eq!(escaped("it's \"x\"\u{1b}[2J\u{202e}é"), "it's \\\"x\\\"\\u{1b}[2J\\u{202e}é");
    }

    #[test]
    fn each_type_of_a_property_has_a_name() {
        assert_eq!(type_name(PropType(0x101f)), "multi string");
        assert_eq!(type_name(PropType(0xf123)), "multi type 0xe123");
    }
}
