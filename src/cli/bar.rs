//! How far a long task has come, for whoever waits: a bar on a terminal, elsewhere a line every 30 seconds.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::out::tell;
use crate::progress::{Progress, State};

/// How often a bar moves.
const BAR_EVERY: Duration = Duration::from_millis(200);
/// How often a line is told where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Columns of the bar itself.
const WIDTH: u64 = 24;

/// Shows progress until it is dropped.
pub(super) struct Bar {
    /// Closed when the task is done.
    _open: Option<Sender<()>>,
}

impl Bar {
    /// Watches a task that counts in `unit`; quiet shows nothing.
    pub(super) fn watch<'s>(scope: &'s Scope<'s, '_>, progress: &'s Progress, unit: &'static str, quiet: bool) -> Self {
        if quiet {
            return Self { _open: None };
        }
        let (open, closed) = channel();
        scope.spawn(move || {
            let is_terminal = io::stderr().is_terminal();
            let every = if is_terminal { BAR_EVERY } else { LINE_EVERY };
            let begun = Instant::now();
            while closed.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let line = line(progress.state(), unit, begun.elapsed());
                if is_terminal { draw(&line) } else { tell(&line) }
            }
            if is_terminal {
                draw("");
            }
        });
        Self { _open: Some(open) }
    }
}

/// Draws over the line before.
fn draw(line: &str) {
    // Where standard error is gone there is nobody left to tell.
    let _ = write!(io::stderr().lock(), "\r\u{1b}[K{line}");
}

/// `Exporting [######      ] 1200 of 4800 items, 25 %, 40 s left`.
fn line(state: State, unit: &str, elapsed: Duration) -> String {
    let State { phase, done, total } = state;
    let share = |whole: u64| done.min(total).saturating_mul(whole).checked_div(total);
    let (Some(full), Some(percent)) = (share(WIDTH), share(100)) else {
        return if done == 0 { format!("{phase} ...") } else { format!("{phase}: {done} {unit}") };
    };
    let (full, left) = (usize::try_from(full).unwrap_or(0), usize::try_from(WIDTH.saturating_sub(full)).unwrap_or(0));
    let rest = elapsed.as_secs().saturating_mul(total.saturating_sub(done)).checked_div(done);
    let rest = rest.map(|seconds| format!(", {seconds} s left")).unwrap_or_default();
    format!("{phase} [{}{}] {done} of {total} {unit}, {percent} %{rest}", "#".repeat(full), " ".repeat(left))
}

/// Ends the task when the user presses Ctrl-C, or the system asks the program to end.
pub(super) fn cancel_on_signal(progress: &std::sync::Arc<Progress>) -> io::Result<()> {
    let signals = crate::disk::process::EndSignals::block()?;
    let progress = std::sync::Arc::clone(progress);
    thread::spawn(move || {
        if signals.wait().is_ok() {
            progress.cancel();
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(done: u64, total: u64) -> String {
        line(State { phase: "Exporting", done, total }, "items", Duration::from_secs(10))
    }

    #[test]
    fn a_bar_tells_how_much_is_left() {
        assert_eq!(shown(0, 0), "Exporting ...");
        assert_eq!(shown(7, 0), "Exporting: 7 items");
        assert_eq!(shown(25, 100), "Exporting [######                  ] 25 of 100 items, 25 %, 30 s left");
        assert!(shown(9, 3).contains("[########################] 9 of 3 items, 100 %"), "more than was counted");
        assert!(shown(u64::MAX, u64::MAX).len() < 120);
    }
}
