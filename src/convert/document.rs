//! A document: segments whose lengths are arithmetic, so that its size is exact before a byte of it is read.
//!
//! The kernel asks for the size first and for ranges later. Text is kept in memory; an attachment stays in the store and
//! is read, and encoded, only where a range asks for it.

use std::sync::Arc;

use super::encode::{BASE64_LINE_SOURCE, base64_line_len, base64_lines, base64_lines_len};
use crate::damage::{Code, Place, Result};
use crate::ltp::value::Stream;
use crate::store::Store;

/// Reads a range of a stream; what is missing of it counts as zeros.
pub type Fetch<'a> = &'a dyn Fn(&Stream, u64, usize) -> Result<Vec<u8>>;

/// Bytes, here or in the store: pieces that follow each other.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pieces: Vec<Piece>,
    len: u64,
}

/// So many bytes of an origin.
#[derive(Clone, Debug)]
struct Piece {
    origin: Origin,
    offset: u64,
    len: u64,
}

#[derive(Clone, Debug)]
enum Origin {
    Memory(Arc<[u8]>),
    Store(Stream),
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::of(Origin::Memory(bytes.into()))
    }
}

impl From<Stream> for Source {
    fn from(stream: Stream) -> Self {
        Self::of(Origin::Store(stream))
    }
}

impl Source {
    fn of(origin: Origin) -> Self {
        let len = match &origin {
            Origin::Memory(bytes) => long(bytes.len()),
            Origin::Store(stream) => stream.len,
        };
        Self { pieces: vec![Piece { origin, offset: 0, len }], len }
    }

    /// How many bytes there are.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The same bytes without the first `count`.
    #[must_use]
    pub fn skip(self, count: u64) -> Self {
        let rest = self.len.saturating_sub(count);
        self.slice(count, rest)
    }

    /// The bytes from `offset`, at most `len`; fewer only at the end.
    #[must_use]
    pub fn slice(&self, offset: u64, len: u64) -> Self {
        let mut slice = Self::default();
        self.visit(offset, len, &mut |piece| slice.push(piece));
        slice
    }

    /// These bytes, then those.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        next.pieces.into_iter().for_each(|piece| self.push(piece));
        self
    }

    fn push(&mut self, piece: Piece) {
        self.len = self.len.saturating_add(piece.len);
        self.pieces.push(piece);
    }

    /// The range from `offset` of at most `len` bytes: fewer only at the end.
    pub fn read(&self, offset: u64, len: usize, fetch: Fetch<'_>) -> Result<Vec<u8>> {
        let mut wanted = Vec::new();
        self.visit(offset, long(len), &mut |piece| wanted.push(piece));
        let mut bytes = Vec::new();
        for piece in wanted {
            let end = bytes.len().saturating_add(size(piece.len));
            match &piece.origin {
                Origin::Memory(kept) => bytes.extend_from_slice(range(kept, piece.offset, size(piece.len))),
                Origin::Store(stream) => bytes.extend(fetch(stream, piece.offset, size(piece.len))?),
            }
            bytes.resize(end, 0);
        }
        Ok(bytes)
    }

    /// Passes the parts of the pieces that lie in a range.
    fn visit(&self, offset: u64, len: u64, each: &mut dyn FnMut(Piece)) {
        let end = offset.saturating_add(len);
        let mut start = 0_u64;
        for piece in &self.pieces {
            let next = start.saturating_add(piece.len);
            let (from, to) = (offset.max(start), end.min(next));
            if from < to {
                let offset = piece.offset.saturating_add(from.saturating_sub(start));
                each(Piece { origin: piece.origin.clone(), offset, len: to.saturating_sub(from) });
            }
            start = next;
        }
    }

    fn memory_bytes(&self) -> usize {
        let kept = self.pieces.iter().map(|piece| match &piece.origin {
            Origin::Memory(bytes) => bytes.len(),
            Origin::Store(_) => 0,
        });
        kept.fold(self.pieces.len().saturating_mul(size_of::<Piece>()), usize::saturating_add)
    }
}

/// A piece of a document.
#[derive(Clone, Debug)]
pub enum Segment {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Base64 in lines.
    Base64(Source),
    /// A source's bytes as they are.
    Raw(Source),
}

impl Segment {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => long(bytes.len()),
            Self::Base64(source) => base64_lines_len(source.len()),
            Self::Raw(source) => source.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Base64(source) | Self::Raw(source) => source.memory_bytes(),
        }
    }

    fn read(&self, offset: u64, len: usize, fetch: Fetch<'_>) -> Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(range(bytes, offset, len).to_vec()),
            Self::Base64(source) => read_base64(source, offset, len, fetch),
            Self::Raw(source) => source.read(offset, len, fetch),
        }
    }
}

/// Reads the source bytes of the lines that the range touches, and cuts the range out of those lines.
fn read_base64(source: &Source, offset: u64, len: usize, fetch: Fetch<'_>) -> Result<Vec<u8>> {
    let first = offset.div_euclid(base64_line_len());
    let end = offset.saturating_add(long(len)).div_ceil(base64_line_len());
    let start = first.saturating_mul(BASE64_LINE_SOURCE);
    let count = end.saturating_sub(first).saturating_mul(BASE64_LINE_SOURCE);
    let lines = base64_lines(&source.read(start, size(count), fetch)?);
    Ok(range(&lines, offset.rem_euclid(base64_line_len()), len).to_vec())
}

/// A document of known length.
#[derive(Clone, Debug, Default)]
pub struct Document {
    segments: Vec<Segment>,
    /// Where each segment begins.
    starts: Vec<u64>,
    len: u64,
}

impl Document {
    /// Adds a segment at the end.
    pub fn push(&mut self, segment: Segment) {
        // Neighbours in memory become one, so that a message with many small parts stays a short list.
        if let (Some(Segment::Bytes(last)), Segment::Bytes(bytes)) = (self.segments.last_mut(), &segment) {
            last.extend_from_slice(bytes);
            self.len = self.len.saturating_add(segment.len());
            return;
        }
        self.starts.push(self.len);
        self.len = self.len.saturating_add(segment.len());
        self.segments.push(segment);
    }

    /// The exact number of bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the document holds in memory, for the budget of a cache.
    pub fn memory_bytes(&self) -> usize {
        let kept = self.segments.iter().map(Segment::memory_bytes).fold(0, usize::saturating_add);
        kept.saturating_add(self.segments.len().saturating_mul(size_of::<Segment>().saturating_add(size_of::<u64>())))
    }

    /// The bytes from `offset`, at most `len`; fewer only at the end.
    pub fn read(&self, store: &Store, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.read_with(offset, len, &|stream, offset, len| fetch(store, stream, offset, len))
    }

    /// As [`Self::read`], with the streams read by `fetch`.
    pub fn read_with(&self, offset: u64, len: usize, fetch: Fetch<'_>) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let first = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        for (segment, start) in self.segments.iter().zip(&self.starts).skip(first) {
            let missing = len.saturating_sub(out.len());
            if missing == 0 {
                break;
            }
            let from = offset.saturating_add(long(out.len())).saturating_sub(*start);
            out.extend(segment.read(from, missing.min(size(segment.len().saturating_sub(from))), fetch)?);
        }
        Ok(out)
    }
}

/// Reads a stream of the store. Only an I/O error is one: damaged data reads as zeros and is noted, for a document keeps
/// the length that was told.
pub fn fetch(store: &Store, stream: &Stream, offset: u64, len: usize) -> Result<Vec<u8>> {
    let ndb = store.ndb();
    match ndb.data(stream.data).and_then(|data| data.read(ndb, offset, len)) {
        Err(error) if !error.is_io() => {
            ndb.notes().survived(&error, Code::Attachment, Place::block(stream.data.0));
            Ok(Vec::new())
        }
        other => other,
    }
}

fn range(bytes: &[u8], offset: u64, len: usize) -> &[u8] {
    let start = size(offset).min(bytes.len());
    bytes.get(start..start.saturating_add(len).min(bytes.len())).unwrap_or_default()
}

fn long(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn size(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::Bid;
    use crate::format::property::PropType;
    use proptest::prelude::*;
    use std::cell::Cell;

    fn stream(len: u64) -> Stream {
        Stream { kind: PropType::BINARY, data: Bid(4), len }
    }

    /// A stream whose byte at `n` is `n` modulo 251.
    fn pattern(_: &Stream, offset: u64, len: usize) -> Result<Vec<u8>> {
        Ok((offset..).take(len).map(|n| (n % 251) as u8).collect())
    }

    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..300);
        let segment = prop_oneof![
            bytes.clone().prop_map(Segment::Bytes),
            bytes.prop_map(|bytes| Segment::Base64(bytes.into())),
            (0..2000_u64).prop_map(|len| Segment::Base64(stream(len).into())),
            (0..2000_u64, 0..100_u64).prop_map(|(len, skip)| Segment::Raw(Source::from(stream(len)).skip(skip))),
        ];
        proptest::collection::vec(segment, 0..6)
    }

    proptest! {
        #[test]
        fn any_range_is_that_range_of_the_whole(segments in segments(), offset in 0..6000_u64, len in 0..3000_usize) {
            let mut document = Document::default();
            segments.into_iter().for_each(|segment| document.push(segment));
            let whole = document.read_with(0, usize::MAX, &pattern).unwrap();
            prop_assert_eq!(whole.len() as u64, document.len());
            prop_assert_eq!(document.read_with(offset, len, &pattern).unwrap(), range(&whole, offset, len));
        }
    }

    #[test]
    fn a_range_of_a_large_attachment_reads_only_what_it_needs() {
        let mut document = Document::default();
        document.push(Segment::Bytes(b"head\n".to_vec()));
        document.push(Segment::Base64(stream(4 << 30).into()));
        let read = Cell::new(0);
        let counting = |stream: &Stream, offset: u64, len: usize| {
            read.set(read.get() + len);
            pattern(stream, offset, len)
        };
        assert_eq!(document.read_with(3 << 30, 4096, &counting).unwrap().len(), 4096);
        assert!(read.get() < 4096);
        assert!(document.memory_bytes() < 1000);
    }

    #[test]
    fn sources_are_cut_and_joined_without_being_read() {
        let source = Source::from(b"0123456789".to_vec());
        let joined = source.slice(8, 9).then(stream(300).into()).then(source.slice(0, 2)).slice(1, 302);
        let mut wanted = b"9".to_vec();
        wanted.extend(pattern(&stream(300), 0, 300).unwrap());
        wanted.push(b'0');
        assert_eq!(joined.len(), 302);
        assert_eq!(joined.read(0, usize::MAX, &pattern).unwrap(), wanted);
        assert_eq!(joined.read(299, 2, &pattern).unwrap(), wanted[299..301]);
    }

    #[test]
    fn a_stream_that_ends_early_goes_on_with_zeros() {
        let mut document = Document::default();
        document.push(Segment::Raw(stream(4).into()));
        assert_eq!(document.read_with(0, 9, &|_, _, _| Ok(vec![7])).unwrap(), [7, 0, 0, 0]);
    }
}
