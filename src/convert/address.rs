//! Addresses as mail has them: cleaned, written, read (RFC 5322 3.4).
//!
//! What is no address of mail, such as the X.500 name of somebody whom nothing resolves, is encapsulated: nothing is lost
//! and no address is made up.

use super::header::{self, Field, clean, is_atom, phrase, quoted};

/// The domain of encapsulated addresses: one that never exists (RFC 2606).
pub const NOWHERE: &str = "pstfs.invalid";

/// The longest local part that goes out; RFC 5321 allows 64, X.500 names need more.
const LOCAL_MAX: usize = 500;

/// A mailbox: a display name and an address, either may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name, in Unicode.
    pub name: String,
    /// The address as `local@domain`, ASCII.
    pub email: String,
}

impl Address {
    /// A mailbox; a name that only repeats the address is left out.
    pub fn new(name: &str, email: String) -> Self {
        let name = unquoted(&clean(name));
        if name.eq_ignore_ascii_case(&email) { Self { name: String::new(), email } } else { Self { name, email } }
    }

    /// Whether there is an address that mail could reach.
    pub fn is_real(&self) -> bool {
        !self.email.is_empty() && !self.is_encapsulated()
    }

    /// Whether the address only wraps one of another kind.
    pub fn is_encapsulated(&self) -> bool {
        self.email.ends_with(NOWHERE)
    }

    /// The tokens of the mailbox; one without an address is an empty group, the only form that RFC 5322 has for it.
    fn tokens(&self) -> Vec<String> {
        let mut tokens = self.phrase();
        match (self.email.is_empty(), tokens.last_mut()) {
            // An encoded-word ends at a space (RFC 2047 5).
            (true, Some(last)) if last.ends_with("?=") => tokens.push(":;".to_owned()),
            (true, Some(last)) => last.push_str(":;"),
            (true, None) => {}
            (false, None) => tokens.push(self.email.clone()),
            (false, Some(_)) => tokens.push(format!("<{}>", self.email)),
        }
        tokens
    }

    fn phrase(&self) -> Vec<String> {
        // Encoded-words that came in as such go out as such.
        let is_word = |word: &str| {
            word.len() < 80 && word.starts_with("=?") && word.ends_with("?=") && word.bytes().all(|byte| is_atom(byte) || byte == b'.')
        };
        if !self.name.is_empty() && self.name.split_whitespace().all(is_word) {
            return self.name.split_whitespace().map(str::to_owned).collect();
        }
        phrase(&self.name)
    }
}

/// A field of addresses.
pub fn field(name: &str, addresses: &[Address]) -> Field {
    let mut lists: Vec<Vec<String>> = addresses.iter().map(Address::tokens).filter(|tokens| !tokens.is_empty()).collect();
    let last = lists.len().saturating_sub(1);
    for tokens in lists.iter_mut().take(last) {
        if let Some(token) = tokens.last_mut() {
            token.push(',');
        }
    }
    header::tokens(name, lists.into_iter().flatten())
}

/// The mailboxes of an address list as it came (RFC 5322 3.4, and whatever else real headers hold).
pub fn parse_list(value: &str) -> Vec<Address> {
    let mut list = Vec::new();
    let mut piece = Piece::default();
    let (mut quote, mut comments, mut angle, mut escaped) = (false, 0_usize, false, false);
    for char in value.chars() {
        if escaped {
            escaped = false;
            piece.push(char, angle, comments > 0);
            continue;
        }
        match char {
            '\\' if quote || comments > 0 => escaped = true,
            '"' if comments == 0 && !angle => quote = !quote,
            '(' if !quote => comments = comments.saturating_add(1),
            ')' if !quote && comments > 0 => comments = comments.saturating_sub(1),
            '<' if !quote && comments == 0 => angle = true,
            '>' if !quote && comments == 0 => angle = false,
            ',' | ';' if !quote && comments == 0 && !angle => list.extend(std::mem::take(&mut piece).address()),
            ':' if !quote && comments == 0 && !angle => piece = Piece::default(),
            _ => piece.push(char, angle, comments > 0),
        }
    }
    list.extend(piece.address());
    list
}

/// A member of an address list, as far as it was read.
#[derive(Default)]
struct Piece {
    outside: String,
    inside: String,
    comment: String,
}

impl Piece {
    fn push(&mut self, char: char, angle: bool, comment: bool) {
        match (comment, angle) {
            (true, _) => self.comment.push(char),
            (false, true) => self.inside.push(char),
            (false, false) => self.outside.push(char),
        }
    }

    fn address(self) -> Option<Address> {
        let outside = self.outside.trim();
        if !self.inside.trim().is_empty() {
            return Some(Address::new(outside, email("SMTP", &self.inside)));
        }
        if outside.contains('@') {
            return Some(Address::new(&self.comment, email("SMTP", outside)));
        }
        (!outside.is_empty()).then(|| Address::new(outside, String::new()))
    }
}

/// An address that can stand in a header: cleaned, quoted where it must be, encapsulated where it is not one of mail.
pub fn email(kind: &str, address: &str) -> String {
    let address = stripped(address);
    if address.is_empty() {
        return String::new();
    }
    match address.rsplit_once('@') {
        Some((local, domain)) if !kind.eq_ignore_ascii_case("EX") && is_domain(domain) => match local_part(local) {
            Some(local) => format!("{local}@{domain}"),
            None => encapsulated("SMTP", &address),
        },
        _ => encapsulated(kind, &address),
    }
}

/// An address without what writers put around it: white space, quotes, brackets, `mailto:`, `SMTP:`.
fn stripped(address: &str) -> String {
    let mut address = clean(address);
    if let Some((_, inner)) = address.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        address = inner.to_owned();
    }
    for prefix in ["mailto:", "smtp:"] {
        if let Some((head, rest)) = address.split_at_checked(prefix.len())
            && head.eq_ignore_ascii_case(prefix)
        {
            address = rest.to_owned();
        }
    }
    address.trim_matches(|char: char| matches!(char, '\'' | '<' | '>' | ' ')).to_owned()
}

fn is_domain(domain: &str) -> bool {
    let named = domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let literal = domain.starts_with('[')
        && domain.ends_with(']')
        && domain.bytes().all(|byte| byte.is_ascii_hexdigit() || b"[].:IPv".contains(&byte));
    domain.len() < 256 && domain.bytes().any(|byte| byte.is_ascii_alphanumeric()) && (literal || named)
}

/// A local part: as it is where it is a dot-atom, else quoted; `None` where mail cannot have it.
fn local_part(local: &str) -> Option<String> {
    let inner = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(local);
    if inner.is_empty() || inner.len() > LOCAL_MAX || !inner.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let plain = inner.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom));
    Some(if plain { inner.to_owned() } else { quoted(inner) })
}

/// An address of another kind, wrapped as Exchange does it ([MS-OXCMAIL] 2.1.3.1.2.1): `IMCEAEX-_o=Org_cn=user@domain`.
fn encapsulated(kind: &str, address: &str) -> String {
    let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let kind = if kind.is_empty() { "UNKNOWN".to_owned() } else { kind.to_ascii_uppercase() };
    let mut local = String::new();
    for char in address.chars() {
        let unit = match char {
            '/' => "_".to_owned(),
            '0'..='9' | 'A'..='Z' | 'a'..='z' | '-' | '=' => char.to_string(),
            _ => char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("+{byte:02X}")).collect(),
        };
        if local.len().saturating_add(unit.len()) > LOCAL_MAX {
            break;
        }
        local.push_str(&unit);
    }
    format!("IMCEA{kind}-{local}@{NOWHERE}")
}

/// A name without the quotes around it that some writers store.
pub fn unquoted(name: &str) -> String {
    ['\'', '"']
        .into_iter()
        .find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote))
        .filter(|inner| !inner.is_empty())
        .unwrap_or(name)
        .to_owned()
}

/// A name that must stand where only a mailbox may, as `From`: with an address of nowhere if it has none.
pub fn as_mailbox(address: Address) -> Address {
    if address.email.is_empty() { Address { email: encapsulated("UNKNOWN", &address.name), ..address } } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(name: &str, email: &str) -> String {
        field("To", &[Address { name: name.into(), email: email.into() }]).value
    }

    #[test]
    fn names_are_atoms_quoted_or_encoded() {
        assert_eq!(written("Jane Doe", "j@x.org"), "Jane Doe <j@x.org>");
        assert_eq!(written("Doe, Jane \"J\"", "j@x.org"), r#""Doe, Jane \"J\"" <j@x.org>"#);
        assert_eq!(written("Jörg", "j@x.org"), "=?utf-8?Q?J=C3=B6rg?= <j@x.org>");
        assert_eq!(written("", "j@x.org"), "j@x.org");
        assert_eq!(written("Jane Doe", ""), "Jane Doe:;");
    }

    #[test]
    fn addresses_lose_what_writers_put_around_them() {
        for stored in ["'a@b.org'", " <a@b.org>", "mailto:a@b.org", "SMTP:a@b.org", "A <a@b.org>"] {
            assert_eq!(email("SMTP", stored), "a@b.org", "{stored}");
        }
        assert_eq!(email("SMTP", "john doe@b.org"), "\"john doe\"@b.org");
    }

    #[test]
    fn an_x500_name_is_encapsulated_when_nothing_resolves_it() {
        assert_eq!(email("EX", "/o=First Org/cn=jdoe"), "IMCEAEX-_o=First+20Org_cn=jdoe@pstfs.invalid");
        assert_eq!(email("FAX", "+49 1"), "IMCEAFAX-+2B49+201@pstfs.invalid");
        assert!(email("EX", &"/cn=x".repeat(5000)).len() < 600);
    }

    #[test]
    fn a_list_is_read_whatever_its_form() {
        let list = parse_list(r#"Group: a@x.org, "Doe, J" <b@x.org>; (Carl) c@x.org, Only Name, <d@x.org>"#);
        let emails: Vec<_> = list.iter().map(|address| address.email.as_str()).collect();
        assert_eq!(emails, ["a@x.org", "b@x.org", "c@x.org", "", "d@x.org"]);
        let names: Vec<_> = list.iter().map(|address| address.name.as_str()).collect();
        assert_eq!(names, ["", "Doe, J", "Carl", "Only Name", ""]);
    }

    proptest! {
        #[test]
        fn a_mailbox_comes_back(name in "[a-zA-Zäß日.,;:<>()@\"\\\\ \\[\\]=?_-]{0,60}", local in "[a-z0-9+-]{1,9}(\\.[a-z0-9+-]{1,9}){0,2}") {
            let address = Address { name: clean(&name), email: email("SMTP", &format!("{local}@x.org")) };
            let line = field("To", std::slice::from_ref(&address));
            let mail = format!("To: {}\n\n", line.value);
            let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap().to().and_then(|to| to.first().cloned()).unwrap();
            prop_assert_eq!(parsed.name().unwrap_or_default().trim(), address.name.trim());
            prop_assert!(line.unfolded().contains(&address.email));
        }

        #[test]
        fn any_list_ends_in_lines(value in "\\PC{0,300}") {
            let written = field("To", &parse_list(&value)).value;
            prop_assert!(written.is_ascii());
            prop_assert!(written.split('\n').all(|line| line.len() <= super::super::encode::LINE_MAX));
        }
    }
}
