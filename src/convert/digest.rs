//! A digest of an item's content, for boundaries and for ids that a message lacks.

/// FNV-1a of 128 bits: names things that differ, and defends nothing against those who want a collision.
#[derive(Clone, Copy, Debug)]
pub struct Digest(u128);

const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

impl Default for Digest {
    fn default() -> Self {
        Self(OFFSET_BASIS)
    }
}

impl Digest {
    /// Takes a field in; its length too, so that `ab`, `c` and `a`, `bc` differ.
    pub fn add(&mut self, field: &[u8]) {
        let len = u64::try_from(field.len()).unwrap_or(u64::MAX);
        self.fold(field);
        self.fold(&len.to_le_bytes());
    }

    fn fold(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }

    /// The digest of these bytes alone, without their length.
    pub fn of(bytes: &[u8]) -> u128 {
        let mut digest = Self::default();
        digest.fold(bytes);
        digest.0
    }

    /// The digest as 32 hex digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str]) -> String {
        let mut digest = Digest::default();
        fields.iter().for_each(|field| digest.add(field.as_bytes()));
        digest.hex()
    }

    #[test]
    fn fields_keep_their_borders() {
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&[""]), of(&["", ""]));
    }

    #[test]
    fn the_digest_never_changes() {
        assert_eq!(of(&["a"]), "19c3dbf8e5061a5c61631051cd9ca0c5".to_owned());
    }
}
