//! The only place that writes to standard output and standard error.

use std::fmt::Display;
use std::io::{self, Write};

use super::exit::Exit;

/// What goes wrong in a command: what the user is told, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// What is wrong, where, what to do.
    pub message: String,
}

impl Failure {
    /// A failure in these words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Says it on standard error.
    pub fn tell(&self) -> Exit {
        tell(&self.message);
        self.exit
    }
}

/// Why a command stops in the middle of its output.
#[derive(Debug)]
pub enum Stop {
    /// Nobody reads any more: the end, and not a failure.
    Gone,
    /// It cannot go on.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Stop {
    /// What the command ends with.
    pub fn settle(result: Result<Exit, Self>) -> Result<Exit, Failure> {
        match result {
            Ok(exit) => Ok(exit),
            Err(Self::Gone) => Ok(Exit::Done),
            Err(Self::Failed(failure)) => Err(failure),
        }
    }
}

/// Standard output, for commands that write as they go.
#[derive(Debug)]
pub struct Output(io::BufWriter<io::Stdout>);

impl Output {
    /// Takes standard output.
    pub fn new() -> Self {
        Self(io::BufWriter::new(io::stdout()))
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.0.write_all(bytes).map_err(|error| stopped(&error))
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> Result<(), Stop> {
        self.bytes(line.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Hands over what was written so far.
    pub fn flush(&mut self) -> Result<(), Stop> {
        self.0.flush().map_err(|error| stopped(&error))
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

fn stopped(error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::Gone,
        _ => Failure::new(Exit::Failed, format!("cannot write to standard output: {error}")).into(),
    }
}

/// Writes text to standard output. A reader that has gone away is the end, not a failure.
pub fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => Failure::new(Exit::Failed, format!("cannot write to standard output: {error}")).tell(),
    }
}

/// Tells the user something on standard error.
pub fn tell(message: &(impl Display + ?Sized)) {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "pstfs: {message}");
}

/// Draws a line on standard error over the one before.
pub(super) fn redraw(line: &str) {
    // To the line's start, and what stood there is cleared.
    let _ = write!(io::stderr().lock(), "\r\x1b[K{line}");
}

/// Shows how the program is used, on standard error because it was not asked for.
pub fn show_usage(text: &str) {
    let _ = write!(io::stderr().lock(), "{text}");
}

/// What the system says of a file, for users.
pub fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
