//! System calls about this process and about mounts that the standard library does not offer.
//!
//! They stand in this layer because it is the only one that may hold `unsafe` code. Each function here is safe to call:
//! what a call needs is checked before it, or holds by the types.
#![allow(unsafe_code, reason = "fork, setsid, dup2, sigwait and umount2 have no safe form in std")]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Which of the two processes this is after [`fork`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that called.
    Parent,
    /// The new one.
    Child,
}

/// Makes a second process that goes on from here.
///
/// Refused where other threads run: in the child they would be gone while the locks they held stay shut.
pub fn fork() -> io::Result<Side> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("cannot go to the background while other threads run"));
    }
    // SAFETY: this is the only thread (counted above), so the child has all of the program's state in order.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        _ => Ok(Side::Parent),
    }
}

/// Leaves the terminal: the signals that it sends (Ctrl-C, hang-up) no longer reach this process.
pub fn leave_terminal() -> io::Result<()> {
    // SAFETY: takes nothing, touches no memory.
    check(unsafe { libc::setsid() })
}

/// Lets standard input, output and error lead nowhere, so that nobody waits for them to close.
pub fn silence_standard_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        duplicate(null.as_raw_fd(), stream)?;
    }
    Ok(())
}

fn duplicate(from: RawFd, to: RawFd) -> io::Result<()> {
    // SAFETY: `from` is open in the caller; `to` is a standard stream, which no owned descriptor stands for.
    check(unsafe { libc::dup2(from, to) })
}

/// Who this process acts as; 0 is root.
pub fn effective_user() -> u32 {
    // SAFETY: takes nothing, touches no memory, cannot fail.
    unsafe { libc::geteuid() }
}

/// The most bytes of a command to a mount.
pub const COMMAND_BYTES: usize = 512;

/// The number of the call by which [`command`] reaches a mount: `_IOW('p', 1, char[512])` of ioctl(2).
pub const COMMAND: u32 = 1 << 30 | 512 << 16 | 0x70 << 8 | 1;

/// Sends a command to a mount by its open `.control`, and gives the number of the job that it concerns.
///
/// Unlike a write it works on a handle opened for reading, as it must on a mount without writing.
pub fn command(control: &File, text: &str) -> io::Result<i32> {
    let mut bytes = [0_u8; COMMAND_BYTES];
    // A zero ends the text, so one must be left.
    let room = bytes.get_mut(..text.len()).filter(|room| room.len() < COMMAND_BYTES);
    room.ok_or(io::ErrorKind::InvalidInput)?.clone_from_slice(text.as_bytes());
    // SAFETY: the number says that the call reads 512 bytes, which `bytes` has.
    match unsafe { libc::ioctl(control.as_raw_fd(), libc::Ioctl::from(COMMAND), bytes.as_ptr()) } {
        -1 => Err(io::Error::last_os_error()),
        number => Ok(number),
    }
}

/// The signals that ask a program to end: interrupt, terminate and hang-up.
///
/// While they are blocked they end nothing by themselves; whoever calls [`wait`](Self::wait) hears of them.
pub struct EndSignals(libc::sigset_t);

impl std::fmt::Debug for EndSignals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EndSignals")
    }
}

impl EndSignals {
    /// Blocks them in this thread and in every one that it starts later; call it before any thread is started.
    ///
    /// A signal that the caller's caller ignores (`nohup` does so with hang-up) stays ignored.
    pub fn block() -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset fills the whole set before it is read.
        let mut set = unsafe {
            check(libc::sigemptyset(set.as_mut_ptr()))?;
            set.assume_init()
        };
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            if !is_ignored(signal)? {
                // SAFETY: the set is initialised and the signal's number valid.
                check(unsafe { libc::sigaddset(&raw mut set, signal) })?;
            }
        }
        // SAFETY: the set is initialised; a null pointer means that the old mask is not wanted.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
            0 => Ok(Self(set)),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Sleeps until one of them arrives, and takes it.
    pub fn wait(&self) -> io::Result<()> {
        let mut signal = 0;
        // SAFETY: the set is initialised, the number's place is valid for writing.
        match unsafe { libc::sigwait(&raw const self.0, &raw mut signal) } {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn is_ignored(signal: libc::c_int) -> io::Result<bool> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null pointer asks for the present action only, which the call writes in full when it succeeds.
    let action = unsafe {
        check(libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()))?;
        action.assume_init()
    };
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

/// How to take a mount away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmount {
    /// Only where nobody uses it; `EBUSY` otherwise.
    WhenFree,
    /// The name at once, the rest when the last user lets go.
    Detach,
}

/// Takes the topmost mount at `dir` away; a last symbolic link is not followed.
pub fn unmount(dir: &Path, how: Unmount) -> io::Result<()> {
    let dir = CString::new(dir.as_os_str().as_bytes())?;
    let flags = libc::UMOUNT_NOFOLLOW
        | match how {
            Unmount::WhenFree => 0,
            Unmount::Detach => libc::MNT_DETACH,
        };
    // SAFETY: the path is a C string that lives as long as the call.
    check(unsafe { libc::umount2(dir.as_ptr(), flags) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_threads_does_not_fork() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || stopped.recv());
        assert!(fork().is_err());
        drop(stop);
        other.join().unwrap().unwrap_err();
    }

    #[test]
    fn what_is_no_mount_cannot_be_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        assert!(unmount(dir.path(), Unmount::WhenFree).is_err());
    }

    #[test]
    fn a_blocked_signal_waits_to_be_heard() {
        let heard = std::thread::spawn(|| {
            let signals = EndSignals::block().unwrap();
            // SAFETY: raises a signal in this thread, where it is blocked.
            assert_eq!(unsafe { libc::raise(libc::SIGTERM) }, 0);
            signals.wait()
        });
        heard.join().unwrap().unwrap();
    }
}
