//! Ctrl-C and its kin, for commands that end cleanly rather than at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::exit::Exit;
use super::out::{Failure, redraw, tell};
use crate::disk::process::EndSignals;

/// Does something whenever the user asks the program to stop; call it before any other thread is started.
pub(super) fn on_interrupt(act: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("cannot listen for signals: {error}"));
    let signals = EndSignals::block().map_err(failed)?;
    let listen = move || {
        while signals.wait().is_ok() {
            act();
        }
    };
    thread::Builder::new().name("signals".into()).spawn(listen).map(drop).map_err(failed)
}

/// Ends the program where it stands whenever the user asks: for commands that write nothing but to standard output.
pub(super) fn end_at_once() -> Result<(), Failure> {
    on_interrupt(|| {
        redraw("");
        tell("cancelled");
        std::process::exit(Exit::Cancelled.code().into())
    })
}

/// Whether the user asked to stop since the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    /// Listens from now on; call it before any other thread is started.
    pub(super) fn listen() -> Result<Self, Failure> {
        let asked = Self::default();
        let flag = Arc::clone(&asked.0);
        on_interrupt(move || flag.store(true, Ordering::Relaxed))?;
        Ok(asked)
    }

    /// Whether it came; the next call says no.
    pub(super) fn taken(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
