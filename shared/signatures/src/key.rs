//! Signatures by keys.

use moorage_domain::{
    Timestamp,
    signature_policy::{KeyAlgorithm, KeySource, PublicKey, Refusal, TransparencyLog, TrustRootId},
};
use sigstore_verify::{
    crypto::{SigningScheme, verify_signature},
    types::{Artifact, DerPublicKey, SignatureBytes},
};

use crate::{
    candidate::Candidate,
    failure::Failure,
    proof::{Proof, log_index},
    trust::Trust,
};

/// Verifies a candidate by a key, and what the log says of it where one is asked for.
pub(crate) fn verify(
    source: &KeySource,
    log: TransparencyLog,
    candidate: &Candidate,
    artifact: Artifact<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Proof, Failure> {
    let key = match source {
        KeySource::Pem(key) => key,
        KeySource::Kms(name) => trust.key(name)?,
    };
    let der = DerPublicKey::new(key.der().to_vec());
    verify_signed(key, &der, candidate)?;
    match logged(der, candidate, artifact, trust, now) {
        Ok(proof) => Ok(proof),
        Err(failure) if log == TransparencyLog::Required => Err(failure),
        // What need not be there says nothing.
        Err(_) => Ok(Proof::default()),
    }
}

/// Verifies the signature itself.
fn verify_signed(key: &PublicKey, der: &DerPublicKey, candidate: &Candidate) -> Result<(), Failure> {
    let signature = SignatureBytes::from_bytes(&candidate.signature);
    let is_by = |scheme: &SigningScheme| verify_signature(der, &candidate.signed, &signature, *scheme).is_ok();
    if schemes(key.algorithm()).iter().any(is_by) {
        Ok(())
    } else {
        Err(Failure::new(Refusal::BadSignature, "it was not signed by this key"))
    }
}

/// What the log says of it.
fn logged(
    key: DerPublicKey,
    candidate: &Candidate,
    artifact: Artifact<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Proof, Failure> {
    let root = trust.root(&TrustRootId::Public, now)?;
    if candidate.bundle.verification_material.tlog_entries.is_empty() {
        let detail = "it was signed by this key, and no log has it; `transparency_log: optional` asks for none";
        return Err(Failure::new(Refusal::NoTime, detail));
    }
    let result = root.verify_key(artifact, &candidate.bundle, key)?;
    let times = result.verified_timestamps().iter().map(|time| Timestamp::from_unix(time.as_second()));
    Ok(Proof { time: times.min(), log_index: log_index(&candidate.bundle), ..Proof::default() })
}

/// How a key signs. Cosign takes SHA-256 with all of them, KMS the hash of the curve's size, and for RSA any.
const fn schemes(algorithm: KeyAlgorithm) -> &'static [SigningScheme] {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => &[SigningScheme::EcdsaP256Sha256],
        KeyAlgorithm::EcdsaP384 => &[SigningScheme::EcdsaP384Sha384, SigningScheme::EcdsaP384Sha256],
        KeyAlgorithm::Ed25519 => &[SigningScheme::Ed25519],
        KeyAlgorithm::Rsa => {
            &[SigningScheme::RsaPkcs1Sha256, SigningScheme::RsaPkcs1Sha384, SigningScheme::RsaPkcs1Sha512]
        }
    }
}
