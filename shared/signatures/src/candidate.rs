//! A signature as it is read, before it is verified.

use moorage_domain::{Digest, signature_policy::Format};
use sigstore_verify::types::{Artifact, Bundle, Sha256Hash, bundle::VerificationMaterialContent};

/// The largest candidate, in bytes.
pub const MAX_CANDIDATE: usize = 1024 * 1024;
/// The most entries of logs, timestamps and certificates of one candidate, each: signers have one of each, or a few, and a
/// candidate of the largest size could hold thousands, of which each has signatures to verify.
const MAX_MATERIAL: usize = 8;

/// One signature, read and not verified.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) format: Format,
    /// The digest of the bytes that have it.
    pub(crate) evidence: Digest,
    /// What is signed, bit by bit.
    pub(crate) signed: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// The digest of the image, if what is signed names it.
    pub(crate) image: Option<Sha256Hash>,
    /// What is said of the image: the predicate type of a statement.
    pub(crate) predicate: Option<String>,
    /// With what it is proven: certificate, log and clock.
    pub(crate) bundle: Bundle,
}

/// Why bytes are no candidate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("is larger than {0} bytes")]
    TooLarge(usize),
    #[error("has more than {MAX_MATERIAL} log entries, timestamps or certificates")]
    TooMuch,
    #[error("is no bundle that can be read: {0}")]
    Bundle(sigstore_verify::types::Error),
    #[error("is no text")]
    NoText,
    #[error("signs no statement of in-toto")]
    NoStatement,
    #[error("is no manifest of simple signing")]
    NoManifest,
    #[error("has a layer whose payload is not there")]
    NoPayload,
    #[error("has a payload that is none of simple signing")]
    OtherPayload,
    #[error("has a layer without a signature in base64")]
    NoSignature,
    #[error("has annotations that cannot be read")]
    Annotations,
}

impl Candidate {
    /// What it is a signature of, as bundles have it, if it names the image: a statement is about that, and simple signing
    /// signs bytes.
    pub(crate) fn artifact(&self) -> Option<Artifact<'_>> {
        let image = self.image?;
        Some(match self.format {
            Format::Bundle => Artifact::from_digest(image),
            Format::Simple => Artifact::from_blob(&self.signed),
        })
    }
}

/// Parses a bundle of bounded size and material.
pub(crate) fn parse(bytes: &[u8]) -> Result<Bundle, Unreadable> {
    if bytes.len() > MAX_CANDIDATE {
        return Err(Unreadable::TooLarge(MAX_CANDIDATE));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NoText)?;
    let bundle = Bundle::from_json(text).map_err(Unreadable::Bundle)?;
    let material = &bundle.verification_material;
    let certificates = match &material.content {
        VerificationMaterialContent::X509CertificateChain { certificates } => certificates.len(),
        _ => 1,
    };
    let timestamps = material.timestamp_verification_data.rfc3161_timestamps.len();
    if [material.tlog_entries.len(), timestamps, certificates].into_iter().any(|count| count > MAX_MATERIAL) {
        return Err(Unreadable::TooMuch);
    }
    Ok(bundle)
}
