//! The text of a HTML body, for documents that hold text only.

/// Elements whose content nobody reads.
const UNSEEN: [&str; 4] = ["head", "script", "style", "title"];
/// Elements that begin a line of their own.
const LINES: [&str; 15] = ["br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "hr", "blockquote", "pre"];
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
    /// Whether lines end where they end in the HTML: Exchange writes the text of a meeting so.
    keeps_lines: bool,
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
        if name == "pre" {
            self.keeps_lines = !closes;
        }
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
                '\r' if self.keeps_lines => {}
                it if self.keeps_lines => self.text.push(it),
                it if it.is_whitespace() && self.text.ends_with([' ', '\n']) => {}
                it if it.is_whitespace() => self.text.push(' '),
                it => self.text.push(it),
            }
        }
    }
}

/// The names of the characters from U+00A0 on, in their order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute \
    micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave \
    Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml \
    Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth \
    ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/// Text with its character references resolved: those by number, and the names that writers of mail use.
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
    const NAMES: [(&str, char); 17] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("euro", '€'),
        ("trade", '™'),
        ("ndash", '–'),
        ("mdash", '—'),
        ("hellip", '…'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("sbquo", '‚'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("bdquo", '„'),
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
        None => {
            let latin = || ('\u{a0}'..='\u{ff}').zip(LATIN.split_ascii_whitespace()).find(|(_, known)| *known == name);
            let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
            return found.or_else(|| latin().map(|(character, _)| character));
        }
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

    /// An invitation that Exchange made had its time and place in one line.
    #[test]
    fn lines_that_are_set_already_stay() {
        assert_eq!(
            plain("<tt><pre>When: noon\r\n  Where: here\r\n\r\n*~*\n</pre></tt><div>a\nb</div>"),
            "When: noon\n  Where: here\n\n*~*\na b"
        );
    }

    #[test]
    fn characters_of_western_languages_have_names() {
        assert_eq!(plain("Gr&uuml;&szlig;e &Yacute;&yuml; &copy; &euro;5 &bdquo;so&ldquo; &x;"), "Grüße Ýÿ © €5 „so“ &x;");
    }

    #[test]
    fn what_is_cut_short_gives_what_stands_before_it() {
        assert_eq!(plain("a<b"), "a");
        assert_eq!(plain("a<!-- b"), "a");
        assert_eq!(plain("a<script>b"), "a");
        assert_eq!(plain("a &#xffffffff; &#1234567890123;"), "a &#xffffffff; &#1234567890123;");
    }
}
