//! What verification finds.

use moorage_domain::Timestamp;
use sigstore_verify::types::Bundle;

/// What is known of a signature that is verified.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    pub(crate) issuer: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) log_index: Option<u64>,
}

/// The place in the log of the first entry of a bundle whose entries are verified. Only a promise says a log's place in all
/// of its trees; what else an entry says of that is not signed, and the proof's place is the one in its tree.
pub(crate) fn log_index(bundle: &Bundle) -> Option<u64> {
    let entry = bundle.verification_material.tlog_entries.first()?;
    match (&entry.inclusion_promise, &entry.inclusion_proof) {
        (Some(_), _) => entry.log_index.as_i64().try_into().ok(),
        (None, Some(proof)) => proof.log_index.as_i64().try_into().ok(),
        (None, None) => None,
    }
}
