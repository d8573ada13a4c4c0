//! Which format and cipher a file's bytes show, whatever its header says.

use crate::damage::Result;
use crate::disk::ReadAt;
use crate::format::Format;
use crate::format::cipher::Cipher;
use crate::progress::Progress;

use super::survey::{FoundBlock, sound_blocks};

/// How much of a file's beginning is looked at whole: a store with few items has all its blocks in its first section, of
/// 16 MB in 4K stores.
const HEAD_BYTES: u64 = 64 << 20;
/// How many places of the rest are looked at, and how many bytes of each.
const SAMPLES: u64 = 128;
const SAMPLE_BYTES: u64 = 1 << 16;

/// So many blocks that stand where they were written for are no chance, also where the CRC of none is right.
const SIGNED_MIN: usize = 3;

/// The format in which most blocks of a sample verify, or at least stand where they were written for: in a small store rot
/// may have hit every one; `None` where there are no blocks in any.
pub(super) fn format(source: &dyn ReadAt, progress: &Progress) -> Result<Option<Format>> {
    let file_bytes = source.len()?;
    let stride = file_bytes.checked_div(SAMPLES).unwrap_or(0).max(SAMPLE_BYTES);
    let (mut best, mut most) = (None, (0, SIGNED_MIN.saturating_sub(1)));
    for format in Format::ALL {
        let next = |at: &u64| at.checked_add(if *at < HEAD_BYTES { SAMPLE_BYTES } else { stride });
        let places = std::iter::successors(Some(0_u64), next).take_while(|at| *at < file_bytes);
        let mut count = (0_usize, 0_usize);
        for at in places {
            progress.check()?;
            let (sound, signed) = sound_blocks(source, format, at, at.saturating_add(SAMPLE_BYTES).min(file_bytes));
            count = (count.0.saturating_add(sound), count.1.saturating_add(signed));
        }
        if count > most {
            (best, most) = (Some(format), count);
        }
    }
    Ok(best)
}

/// The cipher under which most data begin as heaps do, those that verify before others; `None` where none does under any.
pub(super) fn cipher(blocks: &[FoundBlock]) -> Option<Cipher> {
    let count = |cipher: Cipher| {
        let heaps = blocks.iter().filter(|block| block.heap(cipher).is_some());
        heaps.fold((0_usize, 0_usize), |(sound, all), block| (sound.saturating_add(block.is_whole.into()), all.saturating_add(1)))
    };
    Cipher::ALL
        .into_iter()
        .map(|cipher| (count(cipher), cipher))
        .filter(|((_, all), _)| *all > 0)
        .max_by_key(|(count, _)| *count)
        .map(|(_, cipher)| cipher)
}
