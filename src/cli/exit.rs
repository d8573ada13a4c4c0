//! The exit code of each command, as scripts know them.

use std::process::ExitCode;

use crate::damage::Verdict;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Clean, or all done.
    Done,
    /// Something was repaired.
    Repaired,
    /// Damage or differences are left.
    DamageLeft,
    /// It could not be done.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The user stopped it.
    Cancelled,
    /// `mount` or `umount`: the command line makes no sense (mount(8)).
    MountUsage,
    /// `mount` or `umount`: it could not be done (mount(8)).
    MountFailed,
    /// Several files, and each ended in its own way: their codes, ORed.
    Mixed(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Repaired | Self::MountUsage => 1,
            Self::DamageLeft => 4,
            Self::Failed => 8,
            Self::Usage => 16,
            Self::Cancelled | Self::MountFailed => 32,
            Self::Mixed(codes) => codes,
        }
    }

    /// What the code of a job means.
    pub fn of_job(code: u64) -> Option<Self> {
        let known = [Self::Done, Self::Repaired, Self::DamageLeft, Self::Failed, Self::Cancelled];
        known.into_iter().find(|exit| u64::from(exit.code()) == code)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::NoErrors | Verdict::Minor | Verdict::Done => Self::Done,
            Verdict::Repaired => Self::Repaired,
            Verdict::Errors | Verdict::Remain => Self::DamageLeft,
            Verdict::Cancelled => Self::Cancelled,
            Verdict::Failed => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_and_a_shell_see_the_same_number() {
        use Verdict::{Cancelled, Errors, Failed, Minor, NoErrors, Remain, Repaired};
        for verdict in [NoErrors, Minor, Errors, Repaired, Remain, Cancelled, Failed] {
            assert_eq!(Exit::from(verdict).code(), verdict.exit_code());
        }
    }
}
