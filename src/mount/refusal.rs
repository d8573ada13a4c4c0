//! Why a mount was refused, in words that say what to do.

use std::fs::File;
use std::io;

const DEVICE: &str = "/dev/fuse";

/// What an error of mounting means to the user.
pub(super) fn explain(error: &io::Error) -> String {
    let device = File::options().read(true).write(true).open(DEVICE).err().map(|error| error.kind());
    words(error, device)
}

/// `device` is why /dev/fuse cannot be opened, if it cannot.
fn words(error: &io::Error, device: Option<io::ErrorKind>) -> String {
    let text = error.to_string();
    match device {
        Some(io::ErrorKind::NotFound) => {
            return format!("{DEVICE} does not exist: load the kernel module with 'modprobe fuse', or give the container the device");
        }
        Some(io::ErrorKind::PermissionDenied) => {
            return format!("you may not open {DEVICE}: its mode should be 0666 (as root: 'chmod 666 {DEVICE}'), or mount as root");
        }
        Some(other) => return format!("{DEVICE} cannot be opened: {other}; is the kernel module loaded ('modprobe fuse')?"),
        None => {}
    }
    if text.contains("user_allow_other") {
        return "allow_other is not allowed to users here: add the line 'user_allow_other' to /etc/fuse.conf, or leave the option out"
            .into();
    }
    if error.kind() == io::ErrorKind::NotFound {
        return "fusermount3 is not installed, and only root can mount without it: install the package fuse3".into();
    }
    let reason = text.trim().rsplit(": ").next().unwrap_or_default().to_owned();
    if reason == "Operation not permitted" || reason == "Permission denied" || reason.starts_with("EPERM") || reason.starts_with("EACCES") {
        return format!(
            "the system refused the mount ({text}): in a container it takes CAP_SYS_ADMIN; \
             AppArmor may allow fusermount3 only below your home folder, /mnt, /media and /tmp",
            text = text.trim()
        );
    }
    format!("cannot mount: {}", text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        let other = |text: &str| io::Error::other(text.to_owned());
        let cases = [
            (other("x"), Some(io::ErrorKind::NotFound), "modprobe fuse"),
            (io::ErrorKind::PermissionDenied.into(), Some(io::ErrorKind::PermissionDenied), "chmod 666"),
            (other("fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf\n"), None, "add the line"),
            (io::ErrorKind::NotFound.into(), None, "install the package fuse3"),
            (other("fusermount3: mount failed: Operation not permitted\n"), None, "CAP_SYS_ADMIN"),
            (other("Error calling mount() at \"/x\" with \"fd=3\": EPERM: Operation not permitted"), None, "CAP_SYS_ADMIN"),
            (other("fusermount3: user has no write access to mountpoint /x\n"), None, "user has no write access to mountpoint /x"),
        ];
        for (error, device, expected) in cases {
            let words = words(&error, device);
            assert!(words.contains(expected) && !words.ends_with('\n'), "{words}");
        }
    }
}
