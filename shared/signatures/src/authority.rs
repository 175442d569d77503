//! What one authority has signed.

use moorage_domain::{
    Digest, Timestamp,
    signature_policy::{Authority, Format, Refusal, Signer, Verified},
};

use crate::{
    candidate::{Candidate, Unreadable},
    evidence::Evidence,
    failure::{Failure, any},
    key, keyless,
    proof::Proof,
    statement::SIGNED,
    trust::Trust,
};

/// All candidates of an image that can be read.
pub(crate) struct Candidates {
    read: Vec<Candidate>,
    /// How many others there are, and why the first of them is none.
    unreadable: (usize, Option<Unreadable>),
}

impl Candidates {
    pub(crate) fn read(evidence: &[Evidence], image: &Digest) -> Self {
        let (mut read, mut others) = (Vec::new(), Vec::new());
        for candidate in evidence.iter().flat_map(|evidence| evidence.read(image)) {
            match candidate {
                Ok(candidate) => read.push(candidate),
                Err(reason) => others.push(reason),
            }
        }
        Self { read, unreadable: (others.len(), others.into_iter().next()) }
    }

    /// Why there is nothing that could be verified.
    fn nothing(&self, what: &str) -> Failure {
        let others = match &self.unreadable {
            (0, _) | (_, None) => String::new(),
            (count, Some(reason)) => format!("; {count} candidates cannot be read, of which the first {reason}"),
        };
        Failure::new(Refusal::Unsigned, format!("there is {what}{others}"))
    }
}

/// What an authority has signed: the image, or each of the attestations that it is asked for.
pub(crate) fn judge(
    authority: &Authority,
    candidates: &Candidates,
    trust: &Trust,
    now: Timestamp,
) -> Result<Vec<Verified>, Failure> {
    if authority.attestations.is_empty() {
        return signed(authority, candidates, None, trust, now).map(|verified| vec![verified]);
    }
    authority.attestations.iter().map(|predicate| signed(authority, candidates, Some(predicate), trust, now)).collect()
}

/// The first candidate that does; otherwise why the one does not that came nearest.
fn signed(
    authority: &Authority,
    candidates: &Candidates,
    attestation: Option<&str>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Verified, Failure> {
    let is_asked_for = |candidate: &&Candidate| {
        authority.takes(candidate.format)
            && match (candidate.format, attestation) {
                (Format::Bundle, wanted) => candidate.predicate.as_deref() == Some(wanted.unwrap_or(SIGNED)),
                (Format::Simple, wanted) => wanted.is_none(),
            }
    };
    let mut asked_for = candidates.read.iter().filter(is_asked_for).peekable();
    if asked_for.peek().is_none() {
        let what = attestation.map_or("no signature".to_owned(), |predicate| format!("no attestation of {predicate}"));
        return Err(candidates.nothing(&what));
    }
    any(asked_for.map(|candidate| {
        let Proof { issuer, subject, time, log_index } = verify(authority, candidate, trust, now)?;
        let (authority, evidence) = (authority.name.clone(), candidate.evidence.clone());
        let predicate = attestation.map(str::to_owned);
        Ok(Verified { authority, issuer, subject, time, log_index, predicate, evidence })
    }))
}

fn verify(authority: &Authority, candidate: &Candidate, trust: &Trust, now: Timestamp) -> Result<Proof, Failure> {
    let elsewhere = || Failure::new(Refusal::WrongDigest, "what is signed names another image");
    let artifact = candidate.artifact().ok_or_else(elsewhere)?;
    match &authority.signer {
        Signer::Key(source) => key::verify(source, authority.transparency_log, candidate, artifact, trust, now),
        Signer::Keyless { identities, trust_root } => {
            keyless::verify(identities, trust.root(trust_root, now)?, candidate, artifact, now)
        }
    }
}
