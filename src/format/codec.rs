//! The one gate through which bytes become numbers and numbers bytes.
//!
//! Only this file cuts slices. A [`Decoder`] hands out fields in order and never reads past its end; a [`Field`] is
//! anything that knows how it stands in each [`Format`]; [`record!`](crate::record) declares a structure once and
//! gives its size, decoding, encoding and what `pstfs inspect` prints. All integers are little-endian.

use std::marker::PhantomData;

use byteorder::{ByteOrder, LittleEndian};

use super::Format;
use crate::damage::{Code, Error, Place};

/// The bytes ended before the structure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl Cut {
    /// The error for a structure that is cut short at this place.
    pub const fn at(self, code: Code, place: Place) -> Error {
        Error::Damaged(code, place)
    }
}

/// Reads fields from bytes, in order.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    format: Format,
    bytes: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Starts at the first of these bytes.
    pub const fn new(format: Format, bytes: &'a [u8]) -> Self {
        Self { format, bytes }
    }

    /// The variant of the format that the bytes are in.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The next field.
    pub fn field<T: Field>(&mut self) -> Result<T, Cut> {
        T::decode(self)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Cut> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Cut)?;
        self.bytes = tail;
        Ok(head)
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Collects encoded bytes.
#[derive(Clone, Debug)]
pub struct Encoder {
    format: Format,
    bytes: Vec<u8>,
}

impl Encoder {
    /// Starts empty.
    pub const fn new(format: Format) -> Self {
        Self { format, bytes: Vec::new() }
    }

    /// The variant of the format to write.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Appends a field.
    pub fn field<T: Field>(&mut self, value: &T) -> &mut Self {
        value.encode(self);
        self
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends zeros up to this length.
    pub fn pad_to(&mut self, len: usize) -> &mut Self {
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
        self
    }

    /// What was collected so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// All that was collected.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// A value that knows how it stands on disk in each format.
pub trait Field: Sized {
    /// Reads it.
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut>;
    /// Writes it.
    fn encode(&self, to: &mut Encoder);
    /// How many bytes it takes.
    fn size(format: Format) -> usize;
}

/// Decodes one value from the start of `bytes`.
pub fn decode<T: Field>(format: Format, bytes: &[u8]) -> Result<T, Cut> {
    Decoder::new(format, bytes).field()
}

/// The bytes of one value.
pub fn encode<T: Field>(format: Format, value: &T) -> Vec<u8> {
    let mut to = Encoder::new(format);
    value.encode(&mut to);
    to.finish()
}

/// The bytes from `start`, `len` long; `None` where the slice ends before.
pub fn cut(bytes: &[u8], start: usize, len: usize) -> Option<&[u8]> {
    bytes.get(start..start.checked_add(len)?)
}

/// A slice in pieces of `len`, the last one shorter where they do not come out even; nothing for a length of 0.
pub fn pieces<T>(whole: &[T], len: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = whole;
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_at_checked(len.min(rest.len()))?;
        rest = tail;
        (!head.is_empty()).then_some(head)
    })
}

/// Puts `new` over the bytes from `at` on; what would lie past the end is left out.
pub fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes.iter_mut().skip(at).zip(new).for_each(|(to, from)| *to = *from);
}

/// The structures that stand one after the other in `bytes`, each `stride` bytes apart.
///
/// Yields nothing where the stride is smaller than the structure, and leaves out a last one that is cut short.
pub fn entries<T: Field>(format: Format, bytes: &[u8], stride: usize) -> impl Iterator<Item = T> {
    let stride = if stride < T::size(format) { 0 } else { stride };
    Entries { format, rest: bytes, stride, entry: PhantomData }
}

/// What [`entries`] gives. It knows how many are left, so that a list of them is made in one piece.
struct Entries<'a, T> {
    format: Format,
    rest: &'a [u8],
    stride: usize,
    entry: PhantomData<T>,
}

impl<T: Field> Iterator for Entries<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.stride == 0 {
            return None;
        }
        let (head, tail) = self.rest.split_at_checked(self.stride)?;
        self.rest = tail;
        decode(self.format, head).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len().checked_div(self.stride).unwrap_or(0);
        (left, Some(left))
    }
}

macro_rules! integer_field {
    ($($type:ty, $bytes:literal, $read:expr, $write:expr;)*) => { $(
        impl Field for $type {
            fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
                Ok($read(from.take($bytes)?))
            }
            fn encode(&self, to: &mut Encoder) {
                let mut bytes = [0; $bytes];
                $write(&mut bytes, *self);
                to.bytes(&bytes);
            }
            fn size(_: Format) -> usize {
                $bytes
            }
        }
    )* };
}

integer_field! {
    u16, 2, LittleEndian::read_u16, LittleEndian::write_u16;
    u32, 4, LittleEndian::read_u32, LittleEndian::write_u32;
    u64, 8, LittleEndian::read_u64, LittleEndian::write_u64;
    i16, 2, LittleEndian::read_i16, LittleEndian::write_i16;
    i32, 4, LittleEndian::read_i32, LittleEndian::write_i32;
    i64, 8, LittleEndian::read_i64, LittleEndian::write_i64;
    f32, 4, LittleEndian::read_f32, LittleEndian::write_f32;
    f64, 8, LittleEndian::read_f64, LittleEndian::write_f64;
}

impl Field for u8 {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        from.take(1)?.first().copied().ok_or(Cut)
    }
    fn encode(&self, to: &mut Encoder) {
        to.bytes(&[*self]);
    }
    fn size(_: Format) -> usize {
        1
    }
}

impl<const N: usize> Field for [u8; N] {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        from.take(N)?.try_into().map_err(|_| Cut)
    }
    fn encode(&self, to: &mut Encoder) {
        to.bytes(self);
    }
    fn size(_: Format) -> usize {
        N
    }
}

/// A number that is 4 bytes wide in ANSI files and 8 in the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub u64);

impl Field for Word {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        match from.format() {
            Format::Ansi => Ok(Self(from.field::<u32>()?.into())),
            Format::Unicode | Format::Unicode4k => Ok(Self(from.field()?)),
        }
    }
    fn encode(&self, to: &mut Encoder) {
        match to.format() {
            // A writer never makes an id or offset above 4 GiB in an ANSI file: its limit is 2 GiB.
            Format::Ansi => to.field(&u32::try_from(self.0).unwrap_or(u32::MAX)),
            Format::Unicode | Format::Unicode4k => to.field(&self.0),
        };
    }
    fn size(format: Format) -> usize {
        format.layout().word_bytes
    }
}

/// Four unused bytes that only the wide formats have; kept, so that encoding gives back what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WidePadding(pub u32);

impl Field for WidePadding {
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Cut> {
        match from.format() {
            Format::Ansi => Ok(Self(0)),
            Format::Unicode | Format::Unicode4k => Ok(Self(from.field()?)),
        }
    }
    fn encode(&self, to: &mut Encoder) {
        match to.format() {
            Format::Ansi => {}
            Format::Unicode | Format::Unicode4k => {
                to.field(&self.0);
            }
        }
    }
    fn size(format: Format) -> usize {
        match format {
            Format::Ansi => 0,
            Format::Unicode | Format::Unicode4k => 4,
        }
    }
}

/// What `pstfs inspect` prints of a structure: name, offset in the structure, value.
pub type Described = Vec<(&'static str, usize, String)>;

/// Declares a structure whose fields stand one after the other on disk, in the order given.
#[macro_export]
macro_rules! record {
    ($(#[$doc:meta])* pub struct $name:ident { $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

        impl $crate::format::codec::Field for $name {
            fn decode(from: &mut $crate::format::codec::Decoder<'_>) -> Result<Self, $crate::format::codec::Cut> {
                Ok(Self { $( $field: from.field()?, )* })
            }
            fn encode(&self, to: &mut $crate::format::codec::Encoder) {
                $( to.field(&self.$field); )*
            }
            fn size(format: $crate::format::Format) -> usize {
                0_usize $( .saturating_add(<$type as $crate::format::codec::Field>::size(format)) )*
            }
        }

        impl $name {
            /// Name, offset and value of each field, for `pstfs inspect`.
            pub fn describe(&self, format: $crate::format::Format) -> $crate::format::codec::Described {
                let mut at = 0_usize;
                let mut lines = Vec::new();
                $(
                    lines.push((stringify!($field), at, format!("{:x?}", self.$field)));
                    at = at.saturating_add(<$type as $crate::format::codec::Field>::size(format));
                )*
                lines
            }
        }
    };
}

#[cfg(test)]
pub(crate) mod testing {
    //! The laws every structure is held to.
    use super::*;
    use std::fmt::Debug;

    /// Encoding gives back what was decoded, the size is as told, and every cut is an error.
    pub(crate) fn holds_its_laws<T: Field + PartialEq + Debug>(format: Format, value: &T) {
        let bytes = encode(format, value);
        assert_eq!(bytes.len(), T::size(format), "size in {format:?}");
        assert_eq!(decode::<T>(format, &bytes).as_ref(), Ok(value), "round trip in {format:?}");
        for len in 0..bytes.len() {
            assert_eq!(decode::<T>(format, &bytes[..len]), Err(Cut), "cut at {len} in {format:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_4_or_8_bytes() {
        for format in Format::ALL {
            testing::holds_its_laws(format, &Word(0x1234_5678));
        }
    }

    #[test]
    fn an_entry_size_of_zero_yields_nothing() {
        assert_eq!(entries::<u32>(Format::Ansi, &[0; 64], 0).count(), 0);
        assert_eq!(entries::<u32>(Format::Ansi, &[0; 64], 3).count(), 0);
        assert_eq!(entries::<u32>(Format::Ansi, &[0; 63], 8).count(), 7);
    }

    #[test]
    fn pieces_end_with_a_shorter_one() {
        assert_eq!(pieces(&[1, 2, 3], 2).collect::<Vec<_>>(), [&[1, 2][..], &[3]]);
        assert_eq!(pieces(&[1, 2, 3], 0).count() + pieces::<u8>(&[], 2).count(), 0);
    }

    #[test]
    fn overwriting_stays_within() {
        let mut bytes = [0; 3];
        overwrite(&mut bytes, 2, &[7, 8]);
        overwrite(&mut bytes, 9, &[7]);
        assert_eq!(bytes, [0, 0, 7]);
    }

    #[test]
    fn a_cut_past_the_end_is_none() {
        assert_eq!(cut(&[1, 2, 3], 1, 2), Some(&[2, 3][..]));
        assert_eq!(cut(&[1, 2, 3], usize::MAX, 2), None);
    }
}
