//! How far a long command is: a bar on a terminal, elsewhere a line every 30 seconds.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::tell;

/// How often a line comes where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// What the user sees of a task's progress, on standard error.
#[derive(Debug)]
pub(super) enum Bar {
    /// Nothing.
    Silent,
    /// A bar that moves.
    Moving(ProgressBar),
    /// A line now and then; when the last one came.
    Lines(Mutex<Instant>),
}

impl Bar {
    /// A bar, lines, or nothing.
    pub(super) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Silent
        } else if stderr().is_terminal() {
            Self::Moving(moving())
        } else {
            Self::Lines(Mutex::new(Instant::now()))
        }
    }

    /// Shows how far it is: bytes done of bytes in all, 0 where nobody knows.
    pub(super) fn show(&self, phase: &str, done: u64, total: u64) {
        match self {
            Self::Silent => {}
            Self::Moving(bar) => {
                bar.set_length(total);
                bar.set_position(done.min(total));
                bar.set_message(phase.to_owned());
            }
            Self::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    tell(&line(phase, done, total));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        if let Self::Moving(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn moving() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    // The template is ours and a test reads it; the plain style would do, too.
    bar.set_style(ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Fits into 80 columns with the longest phase.
const TEMPLATE: &str = "{msg:28!} {bar:20} {percent:>3} % {bytes:>10} {eta:>6}";

fn line(phase: &str, done: u64, total: u64) -> String {
    match done.saturating_mul(100).checked_div(total) {
        Some(percent) => format!("{phase}: {percent} %"),
        None => format!("{phase}: {done} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn a_line_tells_the_share_where_the_whole_is_known() {
        assert_eq!(line("Validating BBT", 1, 3), "Validating BBT: 33 %");
        assert_eq!(line("Searching", 1, 0), "Searching: 1 bytes");
        assert_eq!(line("Searching", u64::MAX, 1), "Searching: 18446744073709551615 %");
    }
}
