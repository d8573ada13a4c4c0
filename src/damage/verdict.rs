//! How a scan or a repair ended, in the words and numbers that scripts know.

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing is wrong but oddities that healthy files have too.
    NoErrors,
    /// Warnings: repairing is optional.
    Minor,
    /// Content is lost or wrong.
    Errors,
    /// A job that judges nothing has come to its end.
    Done,
    /// There were errors, and there are none any more.
    Repaired,
    /// There were errors, and some are left.
    Remain,
    /// The user stopped the job.
    Cancelled,
    /// The job could not come to its end.
    Failed,
}

impl Verdict {
    /// The words, fixed and English.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoErrors => "No errors were found",
            Self::Minor => "Only minor inconsistencies were found",
            Self::Errors => "Errors were found",
            Self::Done => "Done",
            Self::Repaired => "Errors were repaired",
            Self::Remain => "Errors remain",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
        }
    }

    /// The exit code that goes with it.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::NoErrors | Self::Minor | Self::Done => 0,
            Self::Repaired => 1,
            Self::Errors | Self::Remain => 4,
            Self::Failed => 8,
            Self::Cancelled => 32,
        }
    }
}
