//! What a command ends with.

use std::process::ExitCode;

/// How a command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is done, or there is nothing to do.
    Done,
    /// Something failed.
    Failed,
    /// Nothing failed, and somebody should look: a plan has changes, or a sync has held something back.
    Notable,
    /// It goes on, and the time to wait for it was over.
    TimedOut,
    /// The command line is wrong. Not 2, which is clap's own, because a plan's changes are that.
    Usage,
    /// It was interrupted from the keyboard.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Notable => 2,
            // As in sysexits.h: EX_USAGE and EX_TEMPFAIL.
            Self::Usage => 64,
            Self::TimedOut => 75,
            // As shells say it.
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
