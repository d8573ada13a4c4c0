//! The text of a HTML body, for documents that hold text only.

/// Elements whose content nobody reads.
const UNSEEN: [&str; 4] = ["head", "script", "style", "title"];
/// Elements that begin a line of their own.
const LINES: [&str; 14] = ["br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "hr", "blockquote"];
/// The longest name of a character that is looked for.
const ENTITY_MAX: usize = 10;

/// The words of HTML without its tags: one line a paragraph, white space as a browser shows it.
pub(in crate::convert) fn plain(html: &str) -> String {
    let mut out = Text::default();
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        out.words(text);
        rest = out.tag(tag);
    }
    out.words(rest);
    out.text.trim().to_owned()
}

#[derive(Default)]
struct Text {
    text: String,
    /// The element being left out.
    unseen: Option<String>,
}

impl Text {
    /// Takes in a tag, and gives what stands after it.
    fn tag<'h>(&mut self, html: &'h str) -> &'h str {
        if let Some(comment) = html.strip_prefix("!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        let (tag, rest) = html.split_once('>').unwrap_or((html, ""));
        let (name, closes) = tag.strip_prefix('/').map_or((tag, false), |name| (name, true));
        let name = name.split(|it: char| it.is_whitespace() || it == '/').next().unwrap_or_default().to_ascii_lowercase();
        if self.unseen.as_ref().is_some_and(|unseen| closes && *unseen == name) {
            self.unseen = None;
        } else if self.unseen.is_none() && !closes && UNSEEN.contains(&name.as_str()) {
            self.unseen = Some(name);
        } else if self.unseen.is_none() && LINES.contains(&name.as_str()) && (name == "br" || !self.text.ends_with('\n')) {
            self.text.push('\n');
        }
        rest
    }

    fn words(&mut self, html: &str) {
        if self.unseen.is_some() {
            return;
        }
        for character in entities(html).chars() {
            match character {
                '\u{a0}' => self.text.push(' '),
                it if it.is_whitespace() && self.text.ends_with([' ', '\n']) => {}
                it if it.is_whitespace() => self.text.push(' '),
                it => self.text.push(it),
            }
        }
    }
}

/// Text with its character references resolved: those by number, and the few names that writers of mail use.
fn entities(html: &str) -> String {
    let mut parts = html.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(';').and_then(|(name, rest)| Some((entity(name)?, rest))) {
            Some((character, rest)) => {
                out.push(character);
                out.push_str(rest);
            }
            None => {
                out.push('&');
                out.push_str(part);
            }
        }
    }
    out
}

fn entity(name: &str) -> Option<char> {
    const NAMES: [(&str, char); 12] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", '\u{a0}'),
        ("ndash", '–'),
        ("mdash", '—'),
        ("hellip", '…'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("bull", '•'),
    ];
    if name.len() > ENTITY_MAX {
        return None;
    }
    let code = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => return NAMES.iter().find(|(known, _)| *known == name).map(|(_, character)| *character),
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_tags_go() {
        let html = "<html><head><title>no</title><style>p{}</style></head><body><!-- > --><p>Dear\r\n Ann &amp; Bob,</p>\
                    <div>one<br>two&nbsp;&#8364;&#x20ac;</div><p class=x>AT&T; 1 &lt; 2</p></body></html>";
        assert_eq!(plain(html), "Dear Ann & Bob,\none\ntwo €€\nAT&T; 1 < 2");
    }

    #[test]
    fn what_is_cut_short_gives_what_stands_before_it() {
        assert_eq!(plain("a<b"), "a");
        assert_eq!(plain("a<!-- b"), "a");
        assert_eq!(plain("a<script>b"), "a");
        assert_eq!(plain("a &#xffffffff; &#1234567890123;"), "a &#xffffffff; &#1234567890123;");
    }
}
