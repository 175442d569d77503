//! Signatures by certificates that live some minutes.

use std::time::Duration;

use moorage_domain::{
    Timestamp,
    signature_policy::{Identity, Refusal},
};
use sigstore_verify::types::Artifact;

use crate::{
    candidate::Candidate,
    failure::Failure,
    proof::{Proof, log_index},
    trust::TrustRoot,
};

/// How far a trusted clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);

/// Verifies a candidate by its certificate, and then whose that is.
pub(crate) fn verify(
    identities: &[Identity],
    root: &TrustRoot,
    candidate: &Candidate,
    artifact: Artifact<'_>,
    now: Timestamp,
) -> Result<Proof, Failure> {
    let result = root.verify(artifact, &candidate.bundle)?;
    let times = result.verified_timestamps().iter().map(|time| Timestamp::from_unix(time.as_second()));
    let (first, last) = (times.clone().min(), times.max());
    let time = first.ok_or_else(|| Failure::new(Refusal::NoTime, "nothing says when it was signed"))?;
    if last.is_some_and(|last| last > now.plus(SKEW)) {
        return Err(Failure::new(Refusal::NoTime, "it was signed in the future"));
    }
    let (issuer, subject) = (result.issuer().unwrap_or_default(), result.identity().map_or("", |name| name.as_str()));
    if !identities.iter().any(|identity| identity.admits(issuer, subject)) {
        let detail = format!("it was signed by {subject}, for whom {issuer} vouches");
        return Err(Failure::new(Refusal::WrongIdentity, detail));
    }
    Ok(Proof {
        issuer: Some(issuer.to_owned()),
        subject: Some(subject.to_owned()),
        time: Some(time),
        log_index: if result.tlog_verified() { log_index(&candidate.bundle) } else { None },
    })
}
