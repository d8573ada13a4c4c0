//! Progress on standard error: a bar on a terminal, elsewhere a line every 30 seconds.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::out;
use crate::progress::{Progress, State};

/// How often a bar is drawn.
const DRAW: Duration = Duration::from_millis(200);
/// How often a line is written where there is no terminal.
const SAY: Duration = Duration::from_secs(30);
/// How many characters a full bar has.
const WIDTH: u64 = 30;

/// Shows progress until it is dropped.
#[derive(Debug)]
pub(super) struct Bar(Option<(Sender<()>, JoinHandle<()>)>);

impl Bar {
    /// Shows the progress of a task; nothing where the user wants it quiet.
    pub(super) fn show(progress: Arc<Progress>, quiet: bool) -> Self {
        if quiet {
            return Self(None);
        }
        let (end, ended) = mpsc::channel();
        let terminal = io::stderr().is_terminal();
        let every = if terminal { DRAW } else { SAY };
        let draw = move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let state = progress.state();
                if terminal {
                    out::redraw(&drawn(&state));
                } else {
                    out::tell(&told(&state));
                }
            }
            if terminal {
                out::redraw("");
            }
        };
        // Without a thread the work goes on, and nobody sees how far it is.
        Self(thread::Builder::new().name("progress".into()).spawn(draw).ok().map(|thread| (end, thread)))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

fn percent(state: &State) -> Option<u64> {
    state.done.min(state.total).saturating_mul(100).checked_div(state.total)
}

fn drawn(state: &State) -> String {
    match percent(state) {
        Some(percent) => {
            let full = percent.saturating_mul(WIDTH).checked_div(100).unwrap_or(0);
            let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
            format!("{} [{bar}] {percent} %", state.phase)
        }
        None => format!("{} {} MB", state.phase, state.done >> 20),
    }
}

fn told(state: &State) -> String {
    match percent(state) {
        Some(percent) => format!("{}: {percent} %", state.phase),
        None => format!("{}: {} MB", state.phase, state.done >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_how_much_is_done() {
        let state = State { phase: "Validating blocks", done: 5, total: 10 };
        assert_eq!(drawn(&state), "Validating blocks [###############...............] 50 %");
        assert_eq!(told(&state), "Validating blocks: 50 %");
        assert_eq!(told(&State { done: 5 << 20, total: 0, ..state }), "Validating blocks: 5 MB");
        assert_eq!(percent(&State { done: 11, ..state }), Some(100), "more than there was to do is all of it");
    }
}
