//! Progress on standard error: a bar on a terminal, elsewhere a line every 30 seconds.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::out;
use crate::progress::{Progress, State};

/// How often a bar is drawn.
const DRAW: Duration = Duration::from_millis(200);
/// How often a line is written where there is no terminal.
const SAY: Duration = Duration::from_secs(30);
/// How many characters a full bar has.
const WIDTH: u64 = 30;

/// What a task counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes of the store.
    Bytes,
    /// Messages and other items.
    Items,
}

/// Shows progress until it is dropped.
#[derive(Debug)]
pub(super) struct Bar(Option<(Sender<()>, JoinHandle<()>)>);

impl Bar {
    /// Shows the progress of a task; nothing where the user wants it quiet.
    pub(super) fn show(progress: Arc<Progress>, unit: Unit, quiet: bool) -> Self {
        if quiet {
            return Self(None);
        }
        let (end, ended) = mpsc::channel();
        let mut meter = Meter::new(unit, false);
        let draw = move || {
            while ended.recv_timeout(DRAW) == Err(RecvTimeoutError::Timeout) {
                let State { phase, done, total } = progress.state();
                if !phase.is_empty() {
                    meter.show(phase, done, total);
                }
            }
            meter.clear();
        };
        // Without a thread the work goes on, and nobody sees how far it is.
        Self(thread::Builder::new().name("progress".into()).spawn(draw).ok().map(|thread| (end, thread)))
    }
}

/// Tells of the search that a damaged store makes necessary, when it begins and how far it is, until it is dropped.
#[derive(Debug)]
pub(super) struct Watch(Arc<Progress>, Option<JoinHandle<()>>);

impl Watch {
    /// Says `line` when the search begins, and shows its progress where the user does not want it quiet.
    pub(super) fn new(search: Arc<Progress>, line: String, quiet: bool) -> Self {
        let (watched, mut meter) = (Arc::clone(&search), Meter::new(Unit::Bytes, quiet));
        let look = move || {
            let (mut line, mut tasks) = (Some(line), 0);
            while let Some(begun) = watched.next_task(tasks) {
                tasks = begun;
                if let Some(line) = line.take() {
                    out::tell(&line);
                }
                while watched.lasts(DRAW) {
                    let State { phase, done, total } = watched.state();
                    meter.show(phase, done, total);
                }
                meter.clear();
            }
        };
        Self(search, thread::Builder::new().name("watch".into()).spawn(look).ok())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.close();
        if let Some(thread) = self.1.take() {
            let _ = thread.join();
        }
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

/// The bar itself, for who looks how far something is.
#[derive(Debug)]
pub(super) struct Meter {
    unit: Unit,
    quiet: bool,
    terminal: bool,
    said: Instant,
}

impl Meter {
    /// A bar that says nothing where the user wants it quiet.
    pub(super) fn new(unit: Unit, quiet: bool) -> Self {
        Self { unit, quiet, terminal: io::stderr().is_terminal(), said: Instant::now() }
    }

    /// Shows how far it is: how much is done of how much in all, 0 where nobody knows.
    pub(super) fn show(&mut self, phase: &str, done: u64, total: u64) {
        if self.quiet {
            return;
        }
        if self.terminal {
            out::redraw(&drawn(phase, done, total, self.unit));
        } else if self.said.elapsed() >= SAY {
            self.said = Instant::now();
            out::tell(&told(phase, done, total, self.unit));
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if self.terminal && !self.quiet {
            out::redraw("");
        }
    }
}

fn percent(done: u64, total: u64) -> Option<u64> {
    done.min(total).saturating_mul(100).checked_div(total)
}

fn drawn(phase: &str, done: u64, total: u64, unit: Unit) -> String {
    match percent(done, total) {
        Some(percent) => {
            let full = percent.saturating_mul(WIDTH).checked_div(100).unwrap_or(0);
            let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
            format!("{phase} [{bar}] {percent} %{}", of_items(done, total, unit))
        }
        None => told(phase, done, total, unit),
    }
}

fn told(phase: &str, done: u64, total: u64, unit: Unit) -> String {
    match percent(done, total) {
        Some(percent) => format!("{phase}: {percent} %{}", of_items(done, total, unit)),
        None if unit == Unit::Items => format!("{phase}: {done} items"),
        None => format!("{phase}: {} MB", done >> 20),
    }
}

/// Items are counted one by one, bytes by their share.
fn of_items(done: u64, total: u64, unit: Unit) -> String {
    if unit == Unit::Items { format!(", {done} of {total} items") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_how_much_is_done() {
        let phase = "Validating blocks";
        assert_eq!(drawn(phase, 5, 10, Unit::Bytes), "Validating blocks [###############...............] 50 %");
        assert_eq!(told(phase, 5, 10, Unit::Bytes), "Validating blocks: 50 %");
        assert_eq!(told(phase, 5 << 20, 0, Unit::Bytes), "Validating blocks: 5 MB");
        assert_eq!(told("Exporting", 25, 100, Unit::Items), "Exporting: 25 %, 25 of 100 items");
        assert_eq!(told("Exporting", 7, 0, Unit::Items), "Exporting: 7 items");
        assert_eq!(percent(11, 10), Some(100), "more than there was to do is all of it");
    }
}
