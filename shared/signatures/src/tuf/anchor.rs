//! What a refresh starts from.

use serde::{Deserialize, Serialize};
use sigstore_tuf::TrustedMetadataSet;

use super::error::Defect;

/// The largest `root.json`, in bytes: Sigstore's has 6 kB and GitHub's 7, some more when they change their keys. An item of
/// the table, of 400 kB, has room for one and a trusted root.
pub const MAX_ROOT: usize = 64 * 1024;

/// What a refresh starts from, and the next one after it: the root that is trusted, and what was seen. It has at most
/// [`MAX_ROOT`] and some hundred bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Anchor {
    /// `root.json`, signed by itself.
    root: String,
    seen: Seen,
}

/// The versions that a refresh has seen, below which no later one goes. Zero is below all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) timestamp: u64,
    pub(super) snapshot: u64,
    pub(super) targets: u64,
}

/// An anchor as it was stored.
#[derive(Deserialize)]
struct Stored {
    root: String,
    seen: Seen,
}

impl Anchor {
    /// Begins with a `root.json` that is trusted because of where it comes from. It may have expired: its successors count.
    pub fn new(root: &[u8]) -> Result<Self, Defect> {
        Self::checked(root, Seen::default())
    }

    fn checked(root: &[u8], seen: Seen) -> Result<Self, Defect> {
        if root.len() > MAX_ROOT {
            return Err(Defect::TooLarge(MAX_ROOT));
        }
        Ok(Self::of(&TrustedMetadataSet::from_root(root)?, seen))
    }

    /// What was just verified.
    pub(super) fn of(trusted: &TrustedMetadataSet, seen: Seen) -> Self {
        // JSON that was read is UTF-8.
        Self { root: String::from_utf8_lossy(trusted.root_bytes()).into_owned(), seen }
    }

    /// What is trusted at the beginning of a refresh.
    pub(super) fn trusted(&self) -> Result<(TrustedMetadataSet, Seen), Defect> {
        Ok((TrustedMetadataSet::from_root(self.root.as_bytes())?, self.seen))
    }
}

impl Seen {
    /// Refuses a version below the one that was seen, and keeps one above it.
    pub(super) fn raise(seen: &mut u64, role: &'static str, sent: u64) -> Result<(), Defect> {
        if sent < *seen {
            return Err(Defect::RolledBack { role, seen: *seen, sent });
        }
        *seen = sent;
        Ok(())
    }
}

impl TryFrom<Stored> for Anchor {
    type Error = Defect;

    fn try_from(stored: Stored) -> Result<Self, Defect> {
        Self::checked(stored.root.as_bytes(), stored.seen)
    }
}
