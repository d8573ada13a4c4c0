//! What the first lines of a document tell: the ids of a mail, who sent it, what of it is missing.

use crate::convert::address::parse_list;

/// The longest header that is looked at.
const HEAD_MAX: usize = 256 << 10;

/// The start of a document, collected while its bytes go by.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
    done: bool,
}

impl Head {
    /// Takes the next bytes of the document, as long as they belong to its header.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.done {
            return;
        }
        let from = self.bytes.len().saturating_sub(1);
        let room = HEAD_MAX.saturating_sub(self.bytes.len());
        self.bytes.extend(bytes.iter().take(room));
        let searched = self.bytes.get(from..).unwrap_or_default();
        if let Some(at) = end_of_header(searched) {
            self.bytes.truncate(from.saturating_add(at));
            self.done = true;
        }
        self.done |= self.bytes.len() >= HEAD_MAX;
    }

    /// Whether there is a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// The value of the first field of this name, in one line.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut lines = text.lines().skip_while(|line| !is_field(line, name));
        let first = lines.next()?.split_once(':')?.1;
        let rest = lines.take_while(|line| line.starts_with([' ', '\t']));
        Some(std::iter::once(first).chain(rest).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "))
    }

    /// The address that sent the mail.
    pub(super) fn sender(&self) -> Option<String> {
        let addresses =
            ["Return-Path", "Sender", "From"].into_iter().filter_map(|name| self.field(name)).flat_map(|value| parse_list(&value));
        addresses.map(|address| address.email).find(|email| email.contains('@'))
    }
}

/// Where the blank line begins that ends a header.
fn end_of_header(bytes: &[u8]) -> Option<usize> {
    let newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    newlines.map(|at| at.saturating_add(1)).find(|next| bytes.get(*next) == Some(&b'\n'))
}

fn is_field(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"Return-Path: <>\nFrom: Ann <ann@x.org>\nMessage-ID:\n <a@b>\nX-Pstfs-Incomplete: one;\n two\n\nStatus: body\n";

    #[test]
    fn fields_are_those_above_the_first_blank_line_however_the_bytes_come() {
        for size in [1, 2, 7, 1000] {
            let mut head = Head::default();
            MAIL.chunks(size).for_each(|bytes| head.take(bytes));
            assert_eq!(head.field("message-id").as_deref(), Some("<a@b>"));
            assert_eq!(head.field("X-Pstfs-Incomplete").as_deref(), Some("one; two"));
            assert_eq!((head.has("Status"), head.sender().as_deref()), (false, Some("ann@x.org")), "{size}");
        }
    }

    #[test]
    fn a_document_without_an_end_of_its_header_costs_little() {
        let mut head = Head::default();
        (0..100).for_each(|_| head.take(&[b'x'; 10_000]));
        assert_eq!(head.bytes.len(), HEAD_MAX);
    }
}
