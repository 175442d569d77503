//! Statements of in-toto: what is said of which images.

use moorage_domain::Digest;
use sigstore_verify::types::{Sha256Hash, Statement as InToto};

use crate::candidate::Unreadable;

/// The media type of statements in envelopes.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The versions of statements that are known, which differ in nothing that is read here.
const TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// What a statement says.
pub(crate) struct Statement {
    pub(crate) predicate: String,
    /// The digest of the image, if that is one of its subjects.
    pub(crate) image: Option<Sha256Hash>,
}

/// Reads the payload of an envelope.
pub(crate) fn read(payload_type: &str, payload: &[u8], image: &Digest) -> Result<Statement, Unreadable> {
    let statement: InToto = serde_json::from_slice(payload).map_err(|_| Unreadable::NoStatement)?;
    if payload_type != PAYLOAD_TYPE || !TYPES.contains(&statement.type_.as_str()) {
        return Err(Unreadable::NoStatement);
    }
    // Those of another algorithm are longer.
    let image = Sha256Hash::try_from(image.bytes()).ok().filter(|image| statement.matches_sha256(image));
    Ok(Statement { predicate: statement.predicate_type, image })
}
