//! The guard of mapped files against SIGBUS.
//!
//! Where a mapped file shrank, or its disk does not answer, the kernel sends SIGBUS to the thread that touches the page;
//! by default the program dies. The handler here looks whether the address lies in a [`Region`] that we registered. If
//! so, it counts the hit, maps a page of zeros over the one that is gone, and lets the read go on: it ends with zeros,
//! and its reader, who finds the count moved, throws them away. Every other SIGBUS goes where it would have gone.
//!
//! A handler may run in the middle of anything: it takes no lock, allocates nothing and cannot panic. So regions stand
//! in a fixed table of atomics, and a slot that changes while the handler looks counts as empty. That is sound, since
//! the slot that matters belongs to a mapping that is being read and therefore does not change.

#![allow(unsafe_code, reason = "signal handlers, and pages mapped at a fixed address, have no safe form")]

use std::io;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

use libc::{c_int, c_void, siginfo_t};

/// How many mappings can be registered at once. A mount has one, and one more for a while after a repair.
const SLOTS: usize = 256;

static TABLE: [Slot; SLOTS] = [const { Slot::empty() }; SLOTS];

/// What handled SIGBUS before us.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// The size of a page less one; a handler may not ask for it.
static PAGE_MASK: AtomicUsize = AtomicUsize::new(0);

/// A registered range of addresses.
#[derive(Debug)]
struct Slot {
    is_taken: AtomicBool,
    /// Odd while the range changes.
    version: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    hits: AtomicU64,
}

/// A mapping that the handler watches over, for as long as this lives.
#[derive(Debug)]
pub(super) struct Region {
    slot: &'static Slot,
}

impl Region {
    /// Watches over `len` bytes from `start`.
    ///
    /// # Safety
    ///
    /// The range must be a read-only mapping that belongs to the caller and is unmapped only after the region is
    /// dropped: the handler replaces pages in it.
    pub(super) unsafe fn register(start: *const u8, len: usize) -> io::Result<Self> {
        let end = start.addr().checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
        let slot = Slot::take(&TABLE).ok_or_else(|| io::Error::other("too many files are mapped at once"))?;
        slot.set(start.addr(), end);
        Ok(Self { slot })
    }

    /// How many pages of the mapping were replaced by zeros; once it is not 0, nothing read from it counts.
    pub(super) fn hits(&self) -> u64 {
        self.slot.hits.load(SeqCst)
    }

    /// Counts a hit without a signal, for who finds out otherwise that the mapping shows what the file has not.
    pub(super) fn distrust(&self) {
        self.slot.hits.fetch_add(1, SeqCst);
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.slot.leave();
    }
}

impl Slot {
    const fn empty() -> Self {
        Self {
            is_taken: AtomicBool::new(false),
            version: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            hits: AtomicU64::new(0),
        }
    }

    /// A slot of the table that nobody has, now taken.
    fn take(table: &'static [Self]) -> Option<&'static Self> {
        let slot = table.iter().find(|slot| slot.is_taken.compare_exchange(false, true, SeqCst, SeqCst).is_ok())?;
        slot.hits.store(0, SeqCst);
        Some(slot)
    }

    /// Gives the slot back.
    fn leave(&self) {
        self.set(0, 0);
        self.is_taken.store(false, SeqCst);
    }

    /// Changes the range; only who has taken the slot may.
    fn set(&self, start: usize, end: usize) {
        self.version.fetch_add(1, SeqCst);
        self.start.store(start, SeqCst);
        self.end.store(end, SeqCst);
        self.version.fetch_add(1, SeqCst);
    }

    fn holds(&self, address: usize) -> bool {
        let version = self.version.load(SeqCst);
        let range = self.start.load(SeqCst)..self.end.load(SeqCst);
        range.contains(&address) && version & 1 == 0 && version == self.version.load(SeqCst)
    }

    /// Counts a hit and puts a page of zeros where `address` lies; `false` where the kernel has none.
    fn blank(&self, address: *mut c_void) -> bool {
        // Counted first: who reads a zero of ours must find the count.
        self.hits.fetch_add(1, SeqCst);
        let mask = PAGE_MASK.load(SeqCst);
        let page = address.map_addr(|address| address & !mask);
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_ANONYMOUS;
        // SAFETY: the page lies in a registered range, so it is part of a mapping of ours that only `copy` reads, byte by
        // byte. mmap is a bare system call; errno is put back, as the interrupted code may be about to read it.
        unsafe {
            let errno = *libc::__errno_location();
            let mapped = libc::mmap(page, mask.wrapping_add(1), libc::PROT_READ, flags, -1, 0);
            *libc::__errno_location() = errno;
            mapped == page
        }
    }
}

/// Sets the handler up, once for the whole program.
pub(super) fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let result = INSTALLED.get_or_init(|| set_handler().map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL)));
    result.map_err(io::Error::from_raw_os_error)
}

fn set_handler() -> io::Result<()> {
    // SAFETY: sysconf takes no pointer.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).ok().filter(|page| page.is_power_of_two()).ok_or(io::ErrorKind::Unsupported)?;
    PAGE_MASK.store(page.wrapping_sub(1), SeqCst);
    // SAFETY: both structures are ours and valid as zeros. The previous handler is kept before ours can run.
    unsafe {
        let mut previous: libc::sigaction = std::mem::zeroed();
        succeeded(libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous))?;
        PREVIOUS.get_or_init(|| previous);
        let mut ours: libc::sigaction = std::mem::zeroed();
        ours.sa_sigaction = address_of(on_sigbus);
        // NODEFER: a second page may be missing under the same copy, and the previous handler may fault itself.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        succeeded(libc::sigemptyset(&raw mut ours.sa_mask))?;
        succeeded(libc::sigaction(libc::SIGBUS, &raw const ours, ptr::null_mut()))
    }
}

fn succeeded(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

fn address_of(handler: Handler) -> libc::sighandler_t {
    #[expect(clippy::as_conversions, reason = "sigaction keeps a function as a number; no other form exists")]
    let address = handler as libc::sighandler_t;
    address
}

extern "C" fn on_sigbus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel hands over a valid siginfo_t.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr()) };
    if is_fault(code) && TABLE.iter().any(|slot| slot.holds(address.addr()) && slot.blank(address)) {
        return;
    }
    pass_on(signal, info, context);
}

/// Whether the signal comes from a page that could not be had; where a process sent it, it has no address.
fn is_fault(code: c_int) -> bool {
    code == libc::BUS_ADRERR || code == libc::BUS_OBJERR || code == libc::BUS_MCEERR_AR
}

/// Does with a signal that is not ours what would have been done without us.
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let (handler, flags) = PREVIOUS.get().map_or((libc::SIG_DFL, 0), |previous| (previous.sa_sigaction, previous.sa_flags));
    // SAFETY: the kernel gave us this address as that of the handler before us, and its flags tell which form it has.
    unsafe {
        match handler {
            libc::SIG_IGN if (*info).si_code <= 0 => {}
            // A fault that is ignored kills all the same.
            libc::SIG_DFL | libc::SIG_IGN => die(signal),
            handler if flags & libc::SA_SIGINFO != 0 => std::mem::transmute::<libc::sighandler_t, Handler>(handler)(signal, info, context),
            handler => std::mem::transmute::<libc::sighandler_t, extern "C" fn(c_int)>(handler)(signal),
        }
    }
}

/// Ends the program as the signal would have, so that its parent sees the true reason.
fn die(signal: c_int) {
    // SAFETY: all three are allowed in a handler; the structure is ours and valid as zeros, which is SIG_DFL.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, &raw const default, ptr::null_mut());
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Access, ReadAt, open};
    use memmap2::MmapOptions;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};

    /// Which handler the child has before ours: `default`, `ignored`, `std` (that of Rust's runtime) or `own`.
    const CHILD: &str = "PSTFS_TEST_SIGBUS_BEFORE";

    /// Runs [`child_touches_a_foreign_mapping`] alone in a process of its own.
    fn child(before: &str) -> ExitStatus {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "disk::sigbus::tests::child_touches_a_foreign_mapping", "--test-threads=1"]);
        command.env(CHILD, before).output().unwrap().status
    }

    extern "C" fn exit_42(_: c_int) {
        // SAFETY: _exit is allowed in a handler.
        unsafe { libc::_exit(42) }
    }

    fn set_before(before: &str) {
        // SAFETY: the handler only exits; no core is to be left behind.
        unsafe {
            libc::setrlimit(libc::RLIMIT_CORE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 });
            match before {
                "std" => 0,
                "default" => libc::signal(libc::SIGBUS, libc::SIG_DFL),
                "ignored" => libc::signal(libc::SIGBUS, libc::SIG_IGN),
                _ => libc::signal(libc::SIGBUS, exit_42 as *const () as libc::sighandler_t),
            };
        }
    }

    /// Does nothing unless [`child`] runs it. It has a mapped file that was cut, so that the handler has shown to work,
    /// and then touches a mapping that is not registered.
    #[test]
    fn child_touches_a_foreign_mapping() {
        let Ok(before) = std::env::var(CHILD) else { return };
        set_before(&before);
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(8192).unwrap();
        let ours = open(file.path(), Access { mmap: true }).unwrap();
        let foreign = MmapOptions::new().map_raw_read_only(file.as_file()).unwrap();
        file.as_file().set_len(0).unwrap();
        assert!(ours.read_exact_at(&mut [0; 10], 5000).is_err());
        // SAFETY: it is meant to kill.
        std::hint::black_box(unsafe { foreign.as_ptr().add(5000).read_volatile() });
    }

    #[test]
    fn a_foreign_fault_still_kills() {
        for before in ["default", "ignored", "std"] {
            assert_eq!(child(before).signal(), Some(libc::SIGBUS), "handler before ours: {before}");
        }
    }

    #[test]
    fn a_foreign_fault_reaches_the_handler_before_ours() {
        assert_eq!(child("own").code(), Some(42));
    }

    #[test]
    fn a_full_table_gives_no_slot_until_one_is_left() {
        let table: &'static [Slot] = Box::leak(Box::new([const { Slot::empty() }; 2]));
        let first = Slot::take(table).unwrap();
        assert!(Slot::take(table).is_some() && Slot::take(table).is_none());
        first.set(100, 200);
        first.leave();
        assert!(!first.holds(100) && Slot::take(table).is_some());
    }

    #[test]
    fn a_slot_that_changes_holds_nothing() {
        let slot = Slot::empty();
        slot.set(100, 200);
        assert!(slot.holds(100) && slot.holds(199) && !slot.holds(200) && !slot.holds(99));
        slot.version.fetch_add(1, SeqCst);
        assert!(!slot.holds(100));
    }
}
