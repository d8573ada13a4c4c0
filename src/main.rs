//! The `pstfs` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    pstfs::cli::run(std::env::args_os().collect()).into()
}
