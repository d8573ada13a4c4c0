//! The lines of a card in either version of vCard: 4.0 (RFC 6350), or 3.0 (RFC 2426) for programs that read no other.

use crate::convert::lines::{Lines, base64};

/// The version of vCard to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 6350.
    #[default]
    V4,
    /// RFC 2426.
    V3,
}

/// A card being written. What a version has no property for has one of ours, or the one that other programs use.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) lines: Lines,
    pub(super) version: Version,
}

impl Card {
    pub(super) fn new(version: Version) -> Self {
        let mut lines = Lines::default();
        lines.raw("BEGIN", "VCARD");
        lines.raw("VERSION", if version == Version::V4 { "4.0" } else { "3.0" });
        lines.raw("PRODID", "-//pstfs//EN");
        Self { lines, version }
    }

    pub(super) fn finish(mut self) -> String {
        self.lines.raw("END", "VCARD");
        self.lines.finish()
    }

    /// The name of a property: one of 4.0, or what stands for it in 3.0.
    pub(super) const fn name(&self, new: &'static str, old: &'static str) -> &'static str {
        match self.version {
            Version::V4 => new,
            Version::V3 => old,
        }
    }

    /// A property with its types, the first choice among several where it is `preferred`.
    pub(super) fn typed(&self, name: &str, types: &[&str], preferred: bool) -> String {
        let mut types: Vec<String> = types.iter().map(|kind| (*kind).to_owned()).collect();
        if self.version == Version::V3 {
            types.extend(preferred.then(|| "pref".to_owned()));
            let types = types.join(",").to_ascii_uppercase();
            return if types.is_empty() { name.to_owned() } else { format!("{name};TYPE={types}") };
        }
        let preferred = if preferred { ";PREF=1" } else { "" };
        match types.as_slice() {
            [] => format!("{name}{preferred}"),
            [one] => format!("{name}{preferred};TYPE={one}"),
            several => format!("{name}{preferred};TYPE=\"{}\"", several.join(",")),
        }
    }

    /// A person by name who has to do with this one: RELATED, which 3.0 does not have.
    pub(super) fn related(&mut self, kind: &str, old: &str, name: Option<&str>) {
        let property = match self.version {
            Version::V4 => format!("RELATED;TYPE={kind};VALUE=text"),
            Version::V3 => old.to_owned(),
        };
        self.lines.some_text(&property, name);
    }

    /// Bytes with their type, such as `image/png`.
    pub(super) fn bytes(&mut self, name: &str, kind: &str, bytes: &[u8]) {
        match self.version {
            Version::V4 => self.lines.raw(name, &format!("data:{kind};base64,{}", base64(bytes))),
            Version::V3 => {
                let kind = kind.rsplit_once('/').map_or(kind, |(_, kind)| kind).to_ascii_uppercase();
                self.lines.raw(&format!("{name};ENCODING=b;TYPE={kind}"), &base64(bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_own_parameters() {
        let (new, old) = (Card::new(Version::V4), Card::new(Version::V3));
        assert_eq!(new.typed("TEL", &["work", "voice"], true), "TEL;PREF=1;TYPE=\"work,voice\"");
        assert_eq!(old.typed("TEL", &["work", "voice"], true), "TEL;TYPE=WORK,VOICE,PREF");
        assert_eq!((new.typed("TEL", &[], false), old.typed("TEL", &[], false)), ("TEL".to_owned(), "TEL".to_owned()));
    }

    #[test]
    fn each_version_holds_bytes_its_own_way() {
        let photo = |version| {
            let mut card = Card::new(version);
            card.bytes("PHOTO", "image/png", b"foo");
            card.finish()
        };
        assert!(photo(Version::V4).contains("\r\nPHOTO:data:image/png;base64,Zm9v\r\n"));
        assert!(
            photo(Version::V3).contains("\r\nVERSION:3.0\r\n") && photo(Version::V3).contains("\r\nPHOTO;ENCODING=b;TYPE=PNG:Zm9v\r\n")
        );
    }
}
