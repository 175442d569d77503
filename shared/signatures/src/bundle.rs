//! Bundles of Sigstore (v0.1 to v0.3) whose content is a statement, as cosign 3 and GitHub attach them.

use moorage_domain::{Digest, signature_policy::Format};
use sigstore_verify::types::SignatureContent;

use crate::{
    candidate::{Candidate, Unreadable, parse},
    statement,
};

/// Reads a bundle of one statement.
pub(crate) fn read(bytes: &[u8], image: &Digest) -> Result<Candidate, Unreadable> {
    let bundle = parse(bytes)?;
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else { return Err(Unreadable::NoStatement) };
    let statement = statement::read(&envelope.payload_type, envelope.payload.as_bytes(), image)?;
    Ok(Candidate {
        format: Format::Bundle,
        evidence: Digest::sha256(bytes),
        signed: envelope.pae(),
        signature: envelope.signature.sig.as_bytes().to_vec(),
        image: statement.image,
        predicate: Some(statement.predicate),
        bundle,
    })
}
