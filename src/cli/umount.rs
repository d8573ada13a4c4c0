//! `pstfs umount`: takes a mount away, and returns when the store is closed.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::out::{Failure, in_words, tell};
use super::processes::{self, Servers};
use crate::disk::process::Unmount;
use crate::mount::{self, table};

/// Take a mount away
///
/// Fails when the mount is in use, and names who uses it. Returns when the store's file is closed.
#[derive(Args, Debug)]
pub struct Umount {
    /// Take the name away at once, even when the mount is in use
    ///
    /// What is open stays open; the store's file is closed when the last user lets go.
    #[arg(short, long)]
    lazy: bool,
    /// The folder where the store is mounted
    dir: PathBuf,
}

/// Does it.
pub fn run(args: &Umount) -> Result<Exit, Failure> {
    let mount = find(&args.dir)?;
    // This process itself must not be what keeps the mount busy.
    let _ = std::env::set_current_dir("/");
    let servers = Servers::of(&mount);
    if args.lazy { detach(&mount, &servers) } else { unmount(&mount, &servers) }
}

fn find(dir: &Path) -> Result<table::Entry, Failure> {
    let failed = |what: &str| Failure::new(Exit::MountFailed, format!("{}: {what}", dir.display()));
    let real = dir.canonicalize().map_err(|error| failed(&in_words(&error)))?;
    let mount = table::at(&real).map_err(|error| failed(&in_words(&error)))?.ok_or_else(|| failed("not mounted"))?;
    if mount.is_ours() {
        return Ok(mount);
    }
    Err(failed(&format!("not a mount of pstfs but of type {}; use 'umount'", mount.kind)))
}

fn unmount(mount: &table::Entry, servers: &Servers) -> Result<Exit, Failure> {
    match mount::unmount(&mount.point, Unmount::WhenFree) {
        Ok(()) => wait(mount, servers),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Err(busy(mount)),
        Err(error) => Err(refused(mount, &error)),
    }
}

fn detach(mount: &table::Entry, servers: &Servers) -> Result<Exit, Failure> {
    let holders = processes::holders(mount);
    mount::unmount(&mount.point, Unmount::Detach).map_err(|error| refused(mount, &error))?;
    if holders.is_empty() {
        return wait(mount, servers);
    }
    // Waiting for them could take for ever, which is what -l is there to avoid.
    tell(&format!("{}: stays open until its last user lets go:\n  {}", mount.source.display(), holders.join("\n  ")));
    Ok(Exit::Done)
}

fn wait(mount: &table::Entry, servers: &Servers) -> Result<Exit, Failure> {
    if servers.wait() {
        return Ok(Exit::Done);
    }
    let message = format!("{}: unmounted, but no process was seen to close {}", mount.point.display(), mount.source.display());
    Err(Failure::new(Exit::MountFailed, message))
}

fn busy(mount: &table::Entry) -> Failure {
    let point = mount.point.display();
    let holders = processes::holders(mount);
    let who = if holders.is_empty() {
        "\n  by nobody that you may see; root sees all".to_owned()
    } else {
        format!("\n  {}", holders.join("\n  "))
    };
    Failure::new(Exit::MountFailed, format!("{point}: in use; end these, or take it away with 'pstfs umount -l {point}':{who}"))
}

fn refused(mount: &table::Entry, error: &io::Error) -> Failure {
    Failure::new(Exit::MountFailed, format!("{}: cannot unmount: {error}", mount.point.display()))
}
