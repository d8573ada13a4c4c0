//! What is mounted where, as the kernel tells it in `mountinfo` (proc(5)).

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The type that our mounts show.
pub const KIND: &str = "fuse.pstfs";

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of its file system, `major:minor`; of a FUSE mount the minor is the connection's, which lives as long
    /// as the mount does.
    pub device: String,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Its type, such as `fuse.pstfs`.
    pub kind: String,
    /// What is mounted there: of our mounts the store's path.
    pub source: PathBuf,
}

impl Entry {
    /// Whether it is a mount of this program.
    pub fn is_ours(&self) -> bool {
        self.kind == KIND
    }

    /// Whether nobody serves it any more.
    pub fn is_dead(&self) -> bool {
        // `stat` would not tell: the kernel answers it from memory when the process is long gone.
        std::fs::read_dir(&self.point).is_err_and(|error| error.raw_os_error() == Some(libc::ENOTCONN))
    }
}

/// All mounts that this process sees, in the order in which they were made.
pub fn all() -> io::Result<Vec<Entry>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    Ok(table.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

/// The topmost mount at exactly this folder.
pub fn at(dir: &Path) -> io::Result<Option<Entry>> {
    Ok(all()?.into_iter().rfind(|entry| entry.point == dir))
}

fn parse(line: &[u8]) -> Option<Entry> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = fields.nth(2)?;
    let point = fields.nth(1)?;
    fields.find(|field| *field == b"-")?;
    let (kind, source) = (fields.next()?, fields.next()?);
    Some(Entry {
        device: String::from_utf8(device.to_vec()).ok()?,
        point: path(point),
        kind: String::from_utf8_lossy(kind).into_owned(),
        source: path(source),
    })
}

/// A path with its escapes (`\040` for a space) undone.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let escaped = if *first == b'\\' { octal(after) } else { None };
        let (byte, after) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    OsString::from_vec(bytes).into()
}

/// Three octal digits as a byte, and what follows them.
fn octal(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_at_checked(3)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u8::from_str_radix(digits, 8).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_device_point_type_and_source() {
        let line = br"41 27 0:57 / /mnt/my\040mail rw,nosuid shared:9 - fuse.pstfs /home/x/a,b\134c.pst rw,user_id=0";
        let expected =
            Entry { device: "0:57".into(), point: "/mnt/my mail".into(), kind: KIND.into(), source: r"/home/x/a,b\c.pst".into() };
        assert_eq!(parse(line), Some(expected));
    }

    #[test]
    fn every_cut_of_a_line_is_survived() {
        let line = br"41 27 0:57 / /mnt/a\040b rw - fuse.pstfs /x\1";
        for end in 0..line.len() {
            parse(&line[..end]);
        }
    }

    #[test]
    fn the_root_is_mounted() {
        assert!(at(Path::new("/")).unwrap().is_some());
        assert_eq!(at(Path::new("/no such folder")).unwrap(), None);
    }
}
