//! mbox: the line that begins a mail, and the quoting of lines in it that look alike (mboxrd).

use super::Time;

/// Who sent a mail of which nobody knows.
const NOBODY: &str = "MAILER-DAEMON";

/// The line that begins a mail: `From ann@example.com Mon Jan  1 09:03:00 2024`, in UTC.
pub(super) fn from_line(sender: Option<&str>, time: Option<Time>) -> String {
    let is_plain = |sender: &&str| !sender.is_empty() && sender.bytes().all(|byte| byte.is_ascii_graphic());
    let sender = sender.filter(is_plain).unwrap_or(NOBODY);
    let stamp = time.and_then(|(seconds, _)| jiff::Timestamp::from_second(seconds).ok()).unwrap_or_default();
    format!("From {sender} {}\n", stamp.strftime("%a %b %e %H:%M:%S %Y"))
}

/// Puts `>` before every line that is `From ` after any number of `>`; takes the text in pieces.
#[derive(Debug)]
pub(super) struct Quoter {
    /// The line's first bytes, while they may still become such a line; `None` behind them.
    start: Option<Vec<u8>>,
    /// The last byte that went through.
    last: u8,
}

impl Quoter {
    pub(super) const fn new() -> Self {
        Self { start: Some(Vec::new()), last: b'\n' }
    }

    /// The piece, quoted, as far as it is certain.
    pub(super) fn quote(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            self.part(line, &mut out);
        }
        out
    }

    /// A line, or a part of one.
    fn part(&mut self, part: &[u8], out: &mut Vec<u8>) {
        self.last = part.last().copied().unwrap_or(self.last);
        match &mut self.start {
            None => out.extend_from_slice(part),
            Some(start) => {
                start.extend_from_slice(part);
                match looks(start) {
                    Looks::Undecided => {}
                    Looks::Like => self.settle(b">", out),
                    Looks::Otherwise => self.settle(b"", out),
                }
            }
        }
        if self.last == b'\n' {
            self.settle(b"", out);
            self.start = Some(Vec::new());
        }
    }

    fn settle(&mut self, mark: &[u8], out: &mut Vec<u8>) {
        if let Some(start) = self.start.take() {
            out.extend_from_slice(mark);
            out.extend(start);
        }
    }

    /// What is still held back, the end of the last line, and the blank line that ends a mail.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.settle(b"", &mut out);
        if self.last != b'\n' {
            out.push(b'\n');
        }
        out.push(b'\n');
        out
    }
}

enum Looks {
    Like,
    Otherwise,
    Undecided,
}

/// Whether a line that begins so is one to quote. A line of `>` alone is held back until it ends.
fn looks(start: &[u8]) -> Looks {
    const WORD: &[u8] = b"From ";
    let quotes = start.iter().take_while(|byte| **byte == b'>').count();
    let rest = start.get(quotes..).unwrap_or_default();
    if rest.starts_with(WORD) {
        Looks::Like
    } else if WORD.starts_with(rest) {
        Looks::Undecided
    } else {
        Looks::Otherwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(pieces: &[&[u8]]) -> Vec<u8> {
        let mut quoter = Quoter::new();
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| quoter.quote(piece)).collect();
        out.extend(quoter.finish());
        out
    }

    #[test]
    fn a_mail_begins_with_sender_and_date_of_fixed_width() {
        assert_eq!(from_line(Some("a@b.org"), Some((1_704_099_780, 5))), "From a@b.org Mon Jan  1 09:03:00 2024\n");
        assert_eq!(from_line(None, None), "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
        assert_eq!(from_line(Some("a b@c"), None), from_line(Some(""), None));
    }

    #[test]
    fn lines_that_look_like_a_beginning_are_quoted_once_more() {
        let text = b"From a\nFromage\n>From b\n>>From c\n>x\n>\nFrom: d\nFrom";
        assert_eq!(quoted(&[text]), b">From a\nFromage\n>>From b\n>>>From c\n>x\n>\nFrom: d\nFrom\n\n");
        assert_eq!(quoted(&[b""]), b"\n");
        assert_eq!(quoted(&[b"a\n"]), b"a\n\n");
    }

    proptest! {
        #[test]
        fn taking_one_mark_away_gives_the_text_back(text in "(>{0,3}(From |Fro|x)?[a-z]{0,3}\n?){0,8}", cut in 0..20_usize) {
            let cut = cut.min(text.len());
            let (head, tail) = text.as_bytes().split_at(cut);
            let whole = quoted(&[text.as_bytes()]);
            prop_assert_eq!(&quoted(&[head, tail]), &whole);
            let lines = whole.split_inclusive(|byte| *byte == b'\n').map(|line| {
                let is_quoted = line.starts_with(b">") && matches!(looks(line), Looks::Like);
                if is_quoted { &line[1..] } else { line }
            });
            let back: Vec<u8> = lines.flatten().copied().collect();
            let end = if text.is_empty() || text.ends_with('\n') { "\n" } else { "\n\n" };
            prop_assert_eq!(back, [text.as_bytes(), end.as_bytes()].concat());
        }
    }
}
