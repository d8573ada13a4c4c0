//! Which bytes stand at this offset.
//!
//! A source answers by position and exactly, from any thread: a mapped file with its SIGBUS guard, a file read with
//! `pread`, bytes in memory. Nothing here knows the format. The only `unsafe` code of the program is in this layer.
//!
//! The file belongs to someone else, who may write, cut, grow or replace it while we look. What [`open`] gives stays
//! safe under all of these: an answer is bytes that stood in the file, or an error, never a crash and never made-up
//! zeros. [`Opened::changed`] tells what happened to the file since.

mod arena;
mod copy;
mod file;
mod kept;
mod lock;
mod mapped;
mod open;
mod own;
mod sigbus;
mod spill;
mod sync;

pub use arena::{Arena, Piece};
pub use copy::{copy_bytes, free_bytes, rename_new, share_storage};
pub use file::{Identity, PreadFile};
pub use lock::{Lock, Locking};
pub use mapped::MappedFile;
pub use open::{Access, Change, Opened, open};
pub use own::{KeepingFile, OwnWrites};
pub use spill::Spill;
pub use sync::sync_file_system;

pub mod process;

pub mod crash;
pub mod overlay;
mod window;
mod writable;

use std::fmt::Debug;
use std::io;

pub use window::Window;
pub use writable::{MemoryFile, WritableFile};

/// Bytes that can be read by position.
pub trait ReadAt: Debug + Send + Sync {
    /// How many bytes there are now.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are none.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` with the bytes from `offset` on; `UnexpectedEof` where the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// The same for who reads many times and asks later whether the file was changed: where it was cut off meanwhile, what
    /// stood behind its new end may come as zeros.
    fn read_trusting_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    /// Whether another program wrote to the bytes since they were opened, or put others in their place.
    fn was_changed(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// Bytes that can also be changed by position. Only writers name it: `disk`, `ndb::write` and `repair`.
pub trait WriteAt: ReadAt {
    /// Writes all of `bytes` from `offset` on; what lies between the old end and `offset` becomes zeros.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns when all that was written before has reached the medium.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to this length, or grows it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.as_slice().len()).map_err(io::Error::other)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = usize::try_from(offset).ok().and_then(|start| self.get(start..start.checked_add(buffer.len())?));
        let bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?;
        copy(buffer, bytes);
        Ok(())
    }
}

/// Copies as many bytes as both slices have.
fn copy(to: &mut [u8], mut from: &[u8]) {
    // Reading from a slice into a slice cannot fail.
    let _ = io::Read::read(&mut from, to);
}
