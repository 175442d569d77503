//! What one authority has to have signed, and what it has.

use moorage_domain::{
    Timestamp,
    signature_policy::{Authority, Format, Refusal, SIGNED, Signer, Verified},
};

use crate::{candidate::Candidate, failure::Failure, key, keyless, proof::Proof, trust::Trust};

/// The signature, or one attestation, that an authority is asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    authority: &'a Authority,
    /// The predicate type of an attestation.
    attestation: Option<&'a str>,
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// There is no candidate for it.
    Nothing,
    /// There is one that does.
    Verified(Verified),
    /// Why the one does not that came nearest.
    Failed(Failure),
}

impl<'a> Asked<'a> {
    /// All that an authority is asked for: that it has signed the image, or each of the attestations.
    pub(crate) fn of(authority: &'a Authority) -> Vec<Self> {
        let ask = |attestation| Self { authority, attestation, found: Found::Nothing };
        match &authority.attestations[..] {
            [] => vec![ask(None)],
            some => some.iter().map(|predicate| ask(Some(predicate.as_str()))).collect(),
        }
    }

    /// Whether there is what is asked for.
    pub(crate) fn is_verified(&self) -> bool {
        matches!(self.found, Found::Verified(_))
    }

    /// Takes a candidate into account.
    pub(crate) fn see(&mut self, candidate: &Candidate, trust: &Trust, now: Timestamp) {
        if self.is_verified() || !self.is_about(candidate) {
            return;
        }
        let before = std::mem::replace(&mut self.found, Found::Nothing);
        self.found = match (verify(self.authority, candidate, trust, now), before) {
            (Ok(proof), _) => Found::Verified(self.verified(proof, candidate)),
            (Err(failure), Found::Failed(nearest)) => Found::Failed(nearest.max(failure)),
            (Err(failure), _) => Found::Failed(failure),
        };
    }

    /// What was found.
    pub(crate) fn outcome(self) -> Result<Verified, Failure> {
        let nothing = match self.attestation {
            Some(predicate) => format!("there is no attestation of {predicate}"),
            None => "there is no signature".to_owned(),
        };
        match self.found {
            Found::Verified(verified) => Ok(verified),
            Found::Failed(failure) => Err(failure.of(&self.authority.name)),
            Found::Nothing => Err(Failure::new(Refusal::Unsigned, nothing).of(&self.authority.name)),
        }
    }

    /// Whether a candidate is of the kind that is asked for, whoever signed it.
    fn is_about(&self, candidate: &Candidate) -> bool {
        let is_kind = match candidate.format {
            Format::Bundle => candidate.predicate.as_deref() == Some(self.attestation.unwrap_or(SIGNED)),
            Format::Simple => self.attestation.is_none(),
        };
        is_kind && self.authority.takes(candidate.format)
    }

    fn verified(&self, proof: Proof, candidate: &Candidate) -> Verified {
        let Proof { issuer, subject, time, log_index } = proof;
        let (authority, evidence) = (self.authority.name.clone(), candidate.evidence.clone());
        let predicate = self.attestation.map(str::to_owned);
        Verified { authority, issuer, subject, time, log_index, predicate, evidence }
    }
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
