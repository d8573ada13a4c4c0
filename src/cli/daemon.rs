//! A process that serves a mount: how it goes to the background, and how it ends.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::exit::Exit;
use super::out::{Failure, tell};
use crate::disk::process::{self, EndSignals, Side};
use crate::mount::{self, table};

const READY: u8 = 0;
const FAILED: u8 = 1;

/// Runs `serve` in a process of its own, and returns when it says that it is ready or has failed.
///
/// The new process keeps the terminal until it is ready: it can say what is wrong there, and Ctrl-C reaches it. Both
/// processes return from here; which of them it is makes no difference to the caller.
pub(super) fn in_background(serve: impl FnOnce(Ready) -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::new(Exit::MountFailed, format!("cannot go to the background: {error}"));
    let (reader, writer) = io::pipe().map_err(failed)?;
    match process::fork().map_err(failed)? {
        Side::Parent => {
            drop(writer);
            parent(reader)
        }
        Side::Child => {
            drop(reader);
            Ok(child(&writer, serve))
        }
    }
}

/// Waits for one byte, not for the end of the pipe: the child lives on.
fn parent(mut reader: PipeReader) -> Result<Exit, Failure> {
    let mut byte = [0];
    match reader.read_exact(&mut byte) {
        Ok(()) if byte == [READY] => Ok(Exit::Done),
        // The child has said what is wrong.
        Ok(()) => Ok(Exit::MountFailed),
        Err(_) => Err(Failure::new(Exit::MountFailed, "the process that should serve the mount ended before it could")),
    }
}

fn child(writer: &PipeWriter, serve: impl FnOnce(Ready) -> Result<Exit, Failure>) -> Exit {
    let ready = writer.try_clone().map_err(|error| Failure::new(Exit::MountFailed, error.to_string()));
    ready.and_then(|pipe| serve(Ready(Some(pipe)))).unwrap_or_else(|failure| {
        let exit = failure.tell();
        // Nobody may be waiting any more.
        let _ = (&*writer).write_all(&[FAILED]);
        exit
    })
}

/// The word that a mount can be used, yet to be said.
#[derive(Debug)]
pub(super) struct Ready(Option<PipeWriter>);

impl Ready {
    /// For a process that stays in the foreground.
    pub(super) fn in_foreground() -> Self {
        Self(None)
    }

    /// Whether the process stays in the foreground.
    pub(super) fn is_foreground(&self) -> bool {
        self.0.is_none()
    }

    /// Leaves the terminal and the folder where the program was started, and lets the caller go.
    pub(super) fn say(self) -> io::Result<()> {
        let Some(mut writer) = self.0 else { return Ok(()) };
        process::leave_terminal()?;
        std::env::set_current_dir("/")?;
        process::silence_standard_streams()?;
        writer.write_all(&[READY])
    }
}

/// Ends the process or takes its mount away when a signal asks for it.
#[derive(Clone, Debug)]
pub(super) struct Ending(Arc<Mutex<Phase>>);

#[derive(Debug)]
enum Phase {
    /// Nothing is mounted yet: the process just ends.
    Starting,
    /// The kernel is being asked: ending now might leave a mount that nobody serves.
    Mounting { asked: bool },
    /// Mounted here.
    Mounted(table::Entry),
    /// The mount's name is gone; the process ends when its last user lets go.
    Ending,
}

impl Ending {
    /// Listens from now on; call it before any thread is started.
    pub(super) fn listen() -> io::Result<Self> {
        let signals = EndSignals::block()?;
        let ending = Self(Arc::new(Mutex::new(Phase::Starting)));
        let listener = ending.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            while signals.wait().is_ok() {
                listener.heard()
            }
        })?;
        Ok(ending)
    }

    /// The mount begins.
    pub(super) fn mounting(&self) {
        *self.lock() = Phase::Mounting { asked: false };
    }

    /// The mount stands; had a signal come meanwhile, it is taken away again.
    pub(super) fn mounted(&self, place: table::Entry) {
        let mut phase = self.lock();
        let asked = matches!(*phase, Phase::Mounting { asked: true });
        *phase = Phase::Mounted(place);
        drop(phase);
        if asked {
            self.heard();
        }
    }

    /// A signal has come.
    pub(super) fn heard(&self) {
        let mut phase = self.lock();
        match &mut *phase {
            Phase::Starting | Phase::Ending => std::process::exit(Exit::Cancelled.code().into()),
            Phase::Mounting { asked } => *asked = true,
            Phase::Mounted(place) => match mount::detach(place) {
                Ok(()) => *phase = Phase::Ending,
                // Stay: a mount that nobody serves would be worse.
                Err(error) => tell(&format!("cannot unmount {}: {error}", place.point.display())),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
