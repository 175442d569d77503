//! What may be a signature, as a registry has it.

use moorage_domain::{Digest, signature_policy::Format};

use crate::{
    bundle,
    candidate::{Candidate, Unreadable},
    simple,
};

/// The most candidates that are looked at. Whoever may push to a repository can attach as many as they like, and each costs
/// some signatures to verify.
pub const MAX_CANDIDATES: usize = 64;
/// Bytes beside an image that may be signatures of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A bundle: the layer of a referrer.
    Bundle(Vec<u8>),
    /// A manifest of simple signing, as cosign keeps it in a tag that is named after the image's digest.
    Simple {
        /// The manifest, whose layers' annotations have the signatures.
        manifest: Vec<u8>,
        /// What was signed: the layers, in any order. One that is not there is no signature.
        payloads: Vec<Vec<u8>>,
    },
}

impl Evidence {
    /// How it is kept beside the image.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Bundle(_) => Format::Bundle,
            Self::Simple { .. } => Format::Simple,
        }
    }

    /// How many candidates it has, as far as one can see without reading them.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Bundle(_) => 1,
            Self::Simple { manifest, payloads } => simple::layers(manifest).max(payloads.len()),
        }
    }

    /// Reads all of its candidates, for an image.
    pub(crate) fn read(&self, image: &Digest) -> Vec<Result<Candidate, Unreadable>> {
        match self {
            Self::Bundle(bytes) => vec![bundle::read(bytes, image)],
            Self::Simple { manifest, payloads } => simple::read(manifest, payloads, image),
        }
    }
}
