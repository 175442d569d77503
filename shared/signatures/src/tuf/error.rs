//! Why a refresh has no result.

use moorage_domain::{Timestamp, cause::chain};
use sigstore_tuf::Error;

use super::MAX_ROOTS;
use crate::{failure::bounded, trust::TrustRootError};

/// Why a refresh has no result. What was known before stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError<E> {
    /// A file could not be had.
    #[error("{file} cannot be fetched")]
    Fetch {
        /// Its path.
        file: String,
        /// What the fetch said.
        #[source]
        cause: E,
    },
    /// A file is not what it has to be.
    #[error("{file} is refused")]
    Refused {
        /// Its path.
        file: String,
        /// What is wrong with it.
        #[source]
        defect: Defect,
    },
    /// There are more roots than are walked at once: the one to start from is too old.
    #[error("there are more than {MAX_ROOTS} roots after the one that is trusted")]
    TooManyRoots,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Defect {
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// It does not name the file that comes next.
    #[error("it does not name {0}")]
    Unnamed(&'static str),
    /// There are more bytes of it than are read.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    /// It is good no longer. Where nothing newer comes, somebody may hold it back.
    #[error("it has expired at {0}")]
    Expired(Timestamp),
    /// It, or what it names, is older than what was seen before.
    #[error("{role} goes back to version {sent} from {seen}")]
    RolledBack {
        /// Whose version it is: `timestamp`, `snapshot` or `targets`.
        role: &'static str,
        /// The version that was seen.
        seen: u64,
        /// The one that came now.
        sent: u64,
    },
    /// It is not signed by those who have to.
    #[error("it is not signed as it has to be: {0}")]
    BadlySigned(String),
    /// It is not the one that is meant, by its version, length or hash.
    #[error("it is another one than is meant: {0}")]
    Mismatched(String),
    /// It is no metadata of its kind.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is the target, and no trusted root.
    #[error("it is no trusted root that can be used")]
    NoTrustRoot(#[source] TrustRootError),
}

impl Defect {
    /// In which file it is.
    pub(super) fn of<E>(self, file: &str) -> RefreshError<E> {
        RefreshError::Refused { file: file.to_owned(), defect: self }
    }
}

impl From<Error> for Defect {
    fn from(error: Error) -> Self {
        // The library quotes what nobody has signed yet.
        let detail = bounded(&chain(&error));
        match error {
            Error::Expired { expires, .. } => Self::Expired(Timestamp::from_unix(expires.as_second())),
            Error::DuplicateSignature { .. } | Error::ThresholdNotMet { .. } | Error::Crypto(_) => {
                Self::BadlySigned(detail)
            }
            Error::BadRootVersion { .. } | Error::IntegrityMismatch(_) => Self::Mismatched(detail),
            _ => Self::Unreadable(detail),
        }
    }
}
