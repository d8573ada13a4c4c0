//! Code pages: which bytes stand for which text.

/// Western European, what most stores without a hint are in.
pub const WINDOWS_1252: u16 = 1252;
/// UTF-8.
pub const UTF_8: u16 = 65001;

/// Whether [`decode`] knows this page.
pub fn is_known(page: u16) -> bool {
    codepage::to_encoding(page).is_some()
}

/// The text that these bytes stand for; what does not decode becomes U+FFFD.
pub fn decode(page: u16, bytes: &[u8]) -> String {
    let encoding = codepage::to_encoding(page).unwrap_or(encoding_rs::WINDOWS_1252);
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}
