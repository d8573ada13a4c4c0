//! What the user typed and what to print.
//!
//! Each verb is a file; [`out`] is the only one that prints, [`exit`] has the exit codes. A verb is listed in `Verb`
//! when it is built, never before.

mod bar;
mod batch;
mod carve;
pub mod cat;
pub mod ctl;
mod daemon;
pub mod exit;
pub mod export;
pub mod info;
pub mod inspect;
mod interrupt;
mod json;
mod log;
pub mod ls;
pub mod mount;
pub mod options;
pub mod out;
mod processes;
mod properties;
pub mod repair;
mod report;
pub mod scan;
pub mod schema;
mod source;
mod text;
pub mod umount;
pub mod undo;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use exit::Exit;
use out::Failure;

const EXAMPLES: &str = "\
Examples:
  pstfs mount outlook.pst ~/mail     look at it with any program
  grep -r invoice ~/mail             search it
  pstfs umount ~/mail                take it away again
  pstfs info outlook.pst             what it is, what is in it, its health
  pstfs scan outlook.pst             find all that is wrong with it
  pstfs repair outlook.pst           make it whole, with a way back
  pstfs ls -l outlook.pst Inbox      the same tree without a mount
  pstfs export outlook.pst mail      write all of it out as files

Only repair and undo ever write to a store.";

/// Show Outlook mail stores (PST, OST) as folders of .eml, .ics and .vcf files
#[derive(Debug, Parser)]
#[command(name = "pstfs", version, after_help = EXAMPLES, max_term_width = 80)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Mount(mount::Mount),
    Umount(umount::Umount),
    Ctl(ctl::Ctl),
    Info(info::Info),
    Ls(ls::Ls),
    Cat(cat::Cat),
    Export(Box<export::Export>),
    Scan(scan::Scan),
    Repair(repair::Repair),
    Undo(undo::Undo),
    Inspect(inspect::Inspect),
    Schema(schema::Schema),
}

/// Does what the command line says; `args` begins with the name of the program.
pub fn run(args: Vec<OsString>) -> Exit {
    let result = if is_helper(&args) {
        mount::Helper::try_parse_from(&args).map(|args| mount::run_helper(&args))
    } else {
        Command::try_parse_from(&args).map(|command| perform(&command.verb))
    };
    match result {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => failure.tell(),
        Err(error) => explain(&error, usage_exit(&args)),
    }
}

fn perform(verb: &Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Mount(args) => mount::run(args),
        Verb::Umount(args) => umount::run(args),
        Verb::Ctl(args) => ctl::run(args),
        Verb::Info(args) => info::run(args),
        Verb::Ls(args) => ls::run(args),
        Verb::Cat(args) => cat::run(args),
        Verb::Export(args) => export::run(args),
        Verb::Scan(args) => scan::run(args),
        Verb::Repair(args) => repair::run(args),
        Verb::Undo(args) => undo::run(args),
        Verb::Inspect(args) => inspect::run(args),
        Verb::Schema(args) => schema::run(args),
    }
}

/// Whether this is how mount(8) calls: as `mount.pstfs`, or through mount.fuse3 as `pstfs FILE DIR -o ...`.
fn is_helper(args: &[OsString]) -> bool {
    let name = args.first().and_then(|name| Path::new(name).file_name());
    if name.and_then(OsStr::to_str).is_some_and(|name| name.starts_with("mount.")) {
        return true;
    }
    let Some(first) = args.get(1) else { return false };
    let is_verb = first.to_str().is_some_and(|first| first.starts_with('-') || names_verb(first));
    let is_path = Path::new(first).exists() || first.to_str().is_some_and(|first| first.contains('/'));
    !is_verb && is_path && args.len() > 2
}

fn names_verb(word: &str) -> bool {
    word == "help" || Verb::has_subcommand(word)
}

fn usage_exit(args: &[OsString]) -> Exit {
    let of_mount = args.get(1).is_some_and(|verb| verb == "mount" || verb == "umount");
    if of_mount || is_helper(args) { Exit::MountUsage } else { Exit::Usage }
}

/// What clap has to say: help to standard output, errors like every other error.
fn explain(error: &clap::Error, usage: Exit) -> Exit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => out::print(&text),
        // `pstfs` alone: the help is the answer, but no command was done.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out::show_usage(&text);
            usage
        }
        _ => Failure::new(usage, in_one_line(&text)).tell(),
    }
}

/// The first paragraph of an error; the others repeat the usage.
fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join(" ");
    format!("{}; 'pstfs --help' shows how it is used", line.strip_prefix("error: ").unwrap_or(&line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn args(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Command::command().debug_assert();
        mount::Helper::command().debug_assert();
    }

    #[test]
    fn help_fits_into_80_columns() {
        let mut command = Command::command();
        command.build();
        for part in std::iter::once(&command).chain(command.get_subcommands()) {
            let help = part.clone().render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }

    #[test]
    fn the_ways_in_which_mount_calls_are_known() {
        for line in
            ["/sbin/mount.pstfs a.pst /mnt", "mount.fuse.pstfs a b -o ro", "pstfs /dev/null /mnt -o ro,dev,suid", "pstfs no/such/file /mnt"]
        {
            assert!(is_helper(&args(line)), "{line}");
        }
        for line in
            ["pstfs", "pstfs mount a b", "pstfs umount b", "pstfs help mount", "pstfs --version", "pstfs mout a b", "pstfs /dev/null"]
        {
            assert!(!is_helper(&args(line)), "{line}");
        }
    }

    #[test]
    fn a_usage_error_is_one_line() {
        let words = |line: &str| in_one_line(&Command::try_parse_from(args(line)).unwrap_err().to_string());
        assert_eq!(
            words("pstfs mount"),
            "the following required arguments were not provided: <FILE> <DIR>; 'pstfs --help' shows how it is used"
        );
        assert_eq!(words("pstfs mout"), "unrecognized subcommand 'mout'; 'pstfs --help' shows how it is used");
    }

    #[test]
    fn usage_errors_of_mount_have_its_exit_code() {
        assert_eq!(usage_exit(&args("pstfs mount --what")), Exit::MountUsage);
        assert_eq!(usage_exit(&args("mount.pstfs --what")), Exit::MountUsage);
        assert_eq!(usage_exit(&args("pstfs --what")), Exit::Usage);
    }
}
