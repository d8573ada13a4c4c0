//! Where messages of the program go that are not for the user at the terminal.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing::Level;

/// Sends them to a file, all of them; without one, what is wrong goes to standard error.
pub(super) fn start(file: Option<&Path>) -> io::Result<()> {
    let format = tracing_subscriber::fmt().with_target(false);
    let started = match file {
        Some(path) => {
            let file = File::options().append(true).create(true).open(path)?;
            format.with_max_level(Level::DEBUG).with_ansi(false).with_writer(Mutex::new(file)).try_init()
        }
        None => format.with_max_level(Level::WARN).with_writer(io::stderr).try_init(),
    };
    started.map_err(io::Error::other)?;
    // A bug that is caught and answered with an error still leaves its trace.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}
