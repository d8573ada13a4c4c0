//! Which errno the caller sees. Nowhere else is one chosen for an error of the store.

use std::io;

use fuser::Errno;

use crate::control::Refusal;
use crate::damage::Error;

/// The errno of an error that a question about the store ended in.
pub(super) fn of(error: &Error) -> Errno {
    match error {
        Error::Io(error) => of_io(error),
        Error::Unsupported(_) => Errno::EOPNOTSUPP,
        Error::NotFound(_) => Errno::ENOENT,
        Error::Cancelled => Errno::EINTR,
        Error::Damaged(..) => Errno::EIO,
    }
}

/// The errno of a command that was not taken.
pub(super) fn of_refusal(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::Unknown | Refusal::TooLong | Refusal::Idle => Errno::EINVAL,
        Refusal::Busy | Refusal::InUse => Errno::EBUSY,
        Refusal::ReadOnly => Errno::EROFS,
        Refusal::NoSpace => Errno::ENOSPC,
        Refusal::Exists => Errno::EEXIST,
        Refusal::Stale => Errno::ESTALE,
        Refusal::NoThread => Errno::EAGAIN,
        Refusal::Failed => Errno::EIO,
    }
}

/// The file's own errno where it tells the caller more than EIO does.
///
/// Others would mislead: the kernel takes ENOSYS as "never ask again", and ENOENT as "no such document".
fn of_io(error: &io::Error) -> Errno {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => Errno::ENOMEM,
        Some(libc::ESTALE) => Errno::ESTALE,
        Some(libc::ETIMEDOUT) => Errno::ETIMEDOUT,
        Some(libc::EACCES) => Errno::EACCES,
        Some(_) | None => Errno::EIO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::{Code, Place};

    #[test]
    fn damage_is_an_input_output_error() {
        assert_eq!(of(&Error::Damaged(Code::BlockCrc, Place::FILE)), Errno::EIO);
        assert_eq!(of(&Error::NotFound("x".into())), Errno::ENOENT);
        assert_eq!(of(&Error::Unsupported("x".into())), Errno::EOPNOTSUPP);
    }

    #[test]
    fn the_files_own_errno_is_kept_where_it_tells_more() {
        let of_raw = |errno| of(&Error::Io(io::Error::from_raw_os_error(errno)));
        assert_eq!(of_raw(libc::ESTALE), Errno::ESTALE);
        assert_eq!(of_raw(libc::ENOSYS), Errno::EIO);
        assert_eq!(of_raw(libc::ENOENT), Errno::EIO);
        assert_eq!(of(&Error::Io(io::ErrorKind::UnexpectedEof.into())), Errno::EIO);
    }
}
