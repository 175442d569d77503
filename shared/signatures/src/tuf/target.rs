//! What the metadata say of a file that they vouch for.

use moorage_domain::{Digest, DigestError};
use sigstore_tuf::TargetFile;

use super::error::Defect;

/// A file that is vouched for, by its length and one digest or more.
#[derive(Debug)]
pub(super) struct Target {
    name: &'static str,
    length: u64,
    /// SHA-256 first, if it has one.
    digests: Vec<Digest>,
}

impl Target {
    pub(super) fn read(name: &'static str, file: &TargetFile) -> Result<Self, Defect> {
        let digest = |(algorithm, hex): (&String, &String)| match format!("{algorithm}:{hex}").parse() {
            // Nobody has to know all of them.
            Err(DigestError::Algorithm) => None,
            digest => Some(digest),
        };
        let digests: Result<Vec<Digest>, DigestError> = file.hashes.iter().filter_map(digest).collect();
        match digests {
            Ok(digests) if !digests.is_empty() => Ok(Self { name, length: file.length, digests }),
            _ => Err(Defect::Mismatched(format!("no hash of {name} can be compared"))),
        }
    }

    /// Where it is. With consistent snapshots it has its digest before its name.
    pub(super) fn path(&self, is_consistent: bool) -> String {
        match self.digests.first() {
            Some(digest) if is_consistent => format!("targets/{}.{}", digest.hex(), self.name),
            _ => format!("targets/{}", self.name),
        }
    }

    /// Whether it is these bytes.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), Defect> {
        if bytes.len() as u64 != self.length {
            return Err(Defect::Mismatched(format!("it has {} bytes, and not {}", bytes.len(), self.length)));
        }
        match self.digests.iter().find(|digest| Digest::of(digest.algorithm(), bytes) != **digest) {
            Some(digest) => Err(Defect::Mismatched(format!("its digest is not {digest}"))),
            None => Ok(()),
        }
    }
}
