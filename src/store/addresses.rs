//! Whose X.500 name is which mail address, as the whole store tells.

use std::collections::HashMap;

/// The most names that are kept: about as many as the largest address books have.
const NAMES_MAX: usize = 200_000;

/// The most bytes of names and addresses.
const BYTES_MAX: usize = 32 << 20;

/// Mail addresses by X.500 name, both from the store. Of several addresses for a name the first stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    by_x500: HashMap<String, String>,
    bytes: usize,
}

impl Addresses {
    /// Takes a pair in, as long as there is room; the name in lower case.
    pub fn add(&mut self, x500: String, smtp: String) {
        let bytes = self.bytes.saturating_add(x500.len()).saturating_add(smtp.len());
        if bytes <= BYTES_MAX && self.by_x500.len() < NAMES_MAX && !self.by_x500.contains_key(&x500) {
            self.bytes = bytes;
            self.by_x500.insert(x500, smtp);
        }
    }

    /// The mail address of an X.500 name in lower case.
    pub fn get(&self, x500: &str) -> Option<&str> {
        self.by_x500.get(x500).map(String::as_str)
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.by_x500.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_x500.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_a_name_stays() {
        let mut addresses = Addresses::default();
        addresses.add("/o=x".into(), "first@x.org".into());
        addresses.add("/o=x".into(), "second@x.org".into());
        assert_eq!((addresses.get("/o=x"), addresses.len()), (Some("first@x.org"), 1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut addresses = Addresses::default();
        for number in 0..100 {
            addresses.add(format!("/o={number}/{}", "x".repeat(1 << 20)), "a@x.org".into());
        }
        assert!(addresses.len() < 33 && addresses.get(&format!("/o=0/{}", "x".repeat(1 << 20))).is_some());
    }
}
