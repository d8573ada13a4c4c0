//! The list after `-o`: what pstfs knows, what mount(8) may add, and everything else refused by name.

use std::path::PathBuf;

use crate::convert::contact::Version;
use crate::tree::{Names, Recovered, View};

/// What a user asked for with `-o`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Nothing can be written, `.control` neither.
    pub read_only: bool,
    /// Other users may look.
    pub allow_other: bool,
    /// `fusermount3` unmounts when the mount's process is killed.
    pub auto_unmount: bool,
    /// Owner instead of the store file's.
    pub uid: Option<u32>,
    /// Group instead of the store file's.
    pub gid: Option<u32>,
    /// Mode bits to clear in documents and folders.
    pub umask: u16,
    /// The same in documents only, instead of `umask`.
    pub fmask: Option<u16>,
    /// The same in folders only, instead of `umask`.
    pub dmask: Option<u16>,
    /// What the tree shows.
    pub view: View,
    /// Neither `.control` nor `.scanlog`.
    pub no_control: bool,
    /// Read the store with read(2), never through a map.
    pub no_mmap: bool,
    /// A file for messages of the mount.
    pub log: Option<PathBuf>,
}

/// What mount(8), fstab and systemd pass to every file system; each is either always so here or not our business.
const IGNORED: &[&str] = &[
    "async",
    "atime",
    "auto",
    "default_permissions",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "group",
    "lazytime",
    "loud",
    "_netdev",
    "noatime",
    "noauto",
    "nodev",
    "nodiratime",
    "noexec",
    "nofail",
    "nogroup",
    "nolazytime",
    "noowner",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nouser",
    "nousers",
    "owner",
    "relatime",
    "silent",
    "strictatime",
    "suid",
    "sync",
    "user",
    "users",
];
/// The same with a value or a suffix.
const IGNORED_STARTS: &[&str] = &["x-", "X-", "comment=", "user=", "uhelper=", "helper="];

impl Options {
    /// The options of all lists, the last of several winning; the error is in words for the user.
    pub fn parse<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut options = Self::default();
        for option in lists.into_iter().flat_map(split) {
            options.set(&option)?;
        }
        if options.auto_unmount && !options.allow_other {
            return Err("auto_unmount works only together with allow_other (fusermount3 must be able to look at the mount)".into());
        }
        Ok(options)
    }

    /// Mode bits to clear in documents.
    pub fn file_mask(&self) -> u16 {
        self.fmask.unwrap_or(self.umask)
    }

    /// Mode bits to clear in folders.
    pub fn dir_mask(&self) -> u16 {
        self.dmask.unwrap_or(self.umask)
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        match option.split_once('=') {
            Some((name, value)) => self.set_value(option, name, value),
            None => self.set_flag(option),
        }
    }

    fn set_flag(&mut self, option: &str) -> Result<(), String> {
        match option {
            "ro" => self.read_only = true,
            "rw" => self.read_only = false,
            "allow_other" => self.allow_other = true,
            "auto_unmount" => self.auto_unmount = true,
            "all_folders" => self.view.all_folders = true,
            "hidden" => self.view.hidden = true,
            "attachments" => self.view.attachments = true,
            "nocontrol" => self.no_control = true,
            "nommap" => self.no_mmap = true,
            "remount" => return Err("remount is not possible; unmount and mount again".into()),
            _ => return ignored(option),
        }
        Ok(())
    }

    fn set_value(&mut self, option: &str, name: &str, value: &str) -> Result<(), String> {
        match name {
            "uid" => self.uid = Some(number(option, value)?),
            "gid" => self.gid = Some(number(option, value)?),
            "umask" => self.umask = mask(option, value)?,
            "fmask" => self.fmask = Some(mask(option, value)?),
            "dmask" => self.dmask = Some(mask(option, value)?),
            "recovered" => {
                let values = [("orphaned", Recovered::Orphaned), ("none", Recovered::None), ("all", Recovered::All)];
                self.view.recovered = one_of(option, value, &values)?;
            }
            "names" => {
                self.view.names = one_of(option, value, &[("date", Names::Date), ("subject", Names::Subject), ("nid", Names::Nid)])?;
            }
            "resolve" => self.view.resolve_store = one_of(option, value, &[("store", true)])?,
            "vcard" => self.view.documents.vcard = one_of(option, value, &[("4.0", Version::V4), ("3.0", Version::V3)])?,
            "log" if value.is_empty() => return Err("log= needs the name of a file".into()),
            "log" => self.log = Some(value.into()),
            _ => return ignored(option),
        }
        Ok(())
    }
}

/// The options of a list. A backslash takes the meaning from the comma or backslash after it, as in other file systems.
fn split(list: &str) -> Vec<String> {
    let mut options = vec![String::new()];
    let mut chars = list.chars();
    while let Some(char) = chars.next() {
        match (char, options.last_mut()) {
            (',', _) => options.push(String::new()),
            ('\\', Some(last)) => match chars.next() {
                Some(escaped @ (',' | '\\')) => last.push(escaped),
                other => last.extend(['\\'].into_iter().chain(other)),
            },
            (_, Some(last)) => last.push(char),
            (_, None) => {}
        }
    }
    options.retain(|option| !option.is_empty());
    options
}

fn ignored(option: &str) -> Result<(), String> {
    if IGNORED.contains(&option) || IGNORED_STARTS.iter().any(|start| option.starts_with(start)) {
        return Ok(());
    }
    Err(format!("unknown mount option '{option}'; 'pstfs mount --help' lists those there are"))
}

fn number(option: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("mount option '{option}' needs a number, such as the one that 'id' prints"))
}

fn mask(option: &str, value: &str) -> Result<u16, String> {
    let mask = u16::from_str_radix(value, 8).ok().filter(|mask| *mask <= 0o777);
    mask.ok_or_else(|| format!("mount option '{option}' needs octal mode bits from 0 to 777, such as 022"))
}

fn one_of<T: Copy>(option: &str, value: &str, values: &[(&str, T)]) -> Result<T, String> {
    let found = values.iter().find(|(name, _)| *name == value).map(|(_, found)| *found);
    found.ok_or_else(|| {
        let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
        format!("mount option '{option}' can only be: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> Result<Options, String> {
        Options::parse([list])
    }

    #[test]
    fn every_option_is_understood() {
        let list = "ro,allow_other,uid=1000,gid=100,umask=022,fmask=133,dmask=027,all_folders,hidden,attachments,recovered=none,\
                    nocontrol,nommap,names=subject,resolve=store,vcard=3.0,log=/tmp/x.log,auto_unmount";
        let expected = Options {
            read_only: true,
            allow_other: true,
            auto_unmount: true,
            uid: Some(1000),
            gid: Some(100),
            umask: 0o022,
            fmask: Some(0o133),
            dmask: Some(0o027),
            view: View {
                all_folders: true,
                hidden: true,
                attachments: true,
                names: Names::Subject,
                recovered: Recovered::None,
                resolve_store: true,
                documents: crate::convert::Options { vcard: Version::V3 },
            },
            no_control: true,
            no_mmap: true,
            log: Some("/tmp/x.log".into()),
        };
        assert_eq!(parse(list), Ok(expected));
    }

    #[test]
    fn what_fstab_and_systemd_add_is_ignored() {
        let list = "rw,noauto,user,nofail,_netdev,x-systemd.automount,x-gvfs-show,comment=hi there,nosuid,nodev,noexec,relatime,defaults,,";
        assert_eq!(parse(list), Ok(Options::default()));
    }

    #[test]
    fn the_last_of_several_wins() {
        assert!(!parse("ro,rw").unwrap().read_only);
        assert!(Options::parse(["rw", "ro"]).unwrap().read_only);
        assert_eq!(parse("recovered=none,recovered=all").unwrap().view.recovered, Recovered::All);
    }

    #[test]
    fn a_backslash_escapes_a_comma() {
        assert_eq!(parse(r"log=/a\,b,ro").unwrap().log, Some("/a,b".into()));
        assert_eq!(split(r"a\\,b\c,\"), [r"a\", r"b\c", r"\"]);
    }

    #[test]
    fn what_is_unknown_is_named() {
        for option in [
            "frobnicate",
            "frobnicate=1",
            "uid=",
            "uid=me",
            "umask=888",
            "umask=1777",
            "recovered=some",
            "resolve=",
            "resolve=all",
            "names=",
            "vcard=2.1",
            "log=",
            "ro=1",
            "remount",
        ] {
            let message = parse(option).unwrap_err();
            assert!(message.contains(option), "{message}");
            assert_eq!(message.lines().count(), 1);
        }
    }

    #[test]
    fn auto_unmount_needs_allow_other() {
        assert!(parse("auto_unmount").unwrap_err().contains("allow_other"));
    }

    #[test]
    fn masks_of_their_own_replace_the_common_one() {
        let options = parse("umask=077,dmask=022").unwrap();
        assert_eq!((options.file_mask(), options.dir_mask()), (0o077, 0o022));
    }
}
