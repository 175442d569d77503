//! Whom to believe: certificate authorities, logs and clocks, and the keys of KMS.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use moorage_domain::{
    Timestamp,
    signature_policy::{KmsKey, PublicKey, Refusal, TrustRootId},
};
use sigstore_verify::{
    PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult, Verifier,
    trust_root::{Error, SIGSTORE_GITHUB_TRUSTED_ROOT, SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot},
    types::{Artifact, Bundle, DerPublicKey, TransparencyLogEntry},
};

use crate::failure::Failure;

/// The largest trusted root, in bytes: GitHub's has 32 kB, and grows by 5 kB with each of its certificates.
pub const MAX_TRUST_ROOT: usize = 256 * 1024;
/// When the library was released that has the embedded copies, in seconds since the epoch: 2026-10-23.
const EMBEDDED_ON: i64 = 1_792_713_600;
/// How long the embedded copies are believed, for who cannot refresh them and takes our releases. What is taken back
/// meanwhile is believed, and what is new is not.
pub const EMBEDDED_LIFETIME: Duration = Duration::from_secs(270 * 24 * 60 * 60);

/// What a policy's names stand for.
#[derive(Debug, Default)]
pub struct Trust {
    roots: BTreeMap<TrustRootId, TrustRoot>,
    keys: BTreeMap<KmsKey, PublicKey>,
}

/// The authorities, logs and clocks of one instance of Sigstore.
pub struct TrustRoot {
    verifier: Verifier,
    /// What certificates have to be proven by.
    policy: VerificationPolicy,
    expires: Timestamp,
    /// The ids of its logs.
    logs: BTreeSet<Vec<u8>>,
}

/// Why bytes are no trusted root.
#[derive(Debug, thiserror::Error)]
pub enum TrustRootError {
    /// There are more of them than of any.
    #[error("is larger than {MAX_TRUST_ROOT} bytes")]
    TooLarge,
    /// They are no text.
    #[error("is no text")]
    NoText,
    /// They are something else.
    #[error("cannot be read")]
    Unreadable(#[source] Error),
    /// It has keys or certificates that are none.
    #[error("cannot be used")]
    Unusable(#[source] Box<sigstore_verify::Error>),
    /// It has neither authorities nor logs.
    #[error("trusts nobody")]
    Nobody,
}

impl Trust {
    /// And a root, in place of one of the same name.
    #[must_use]
    pub fn with_root(mut self, id: TrustRootId, root: TrustRoot) -> Self {
        self.roots.insert(id, root);
        self
    }

    /// And the public key that KMS has.
    #[must_use]
    pub fn with_key(mut self, name: KmsKey, key: PublicKey) -> Self {
        self.keys.insert(name, key);
        self
    }

    /// The root of that name, as long as it is believed.
    pub(crate) fn root(&self, id: &TrustRootId, now: Timestamp) -> Result<&TrustRoot, Failure> {
        let untrusted = |detail: String| Failure::new(Refusal::UntrustedRoot, detail);
        let root = self.roots.get(id).ok_or_else(|| untrusted(format!("there is no trusted root `{id}`")))?;
        if now >= root.expires {
            return Err(untrusted(format!("the trusted root `{id}` has expired at {}", root.expires.iso())));
        }
        Ok(root)
    }

    /// The public key of one that KMS has. Without it nothing is known of what it has signed.
    pub(crate) fn key(&self, name: &KmsKey) -> Result<&PublicKey, Failure> {
        self.keys
            .get(name)
            .ok_or_else(|| Failure::Unavailable(format!("the public key of {} is not there", name.as_str())))
    }
}

impl TrustRoot {
    /// Reads a trusted root, as TUF distributes it, that is believed until it expires.
    ///
    /// Certificates have to be in its log of signatures and its log of certificates if it has them: GitHub's instance for
    /// private repositories has neither.
    pub fn parse(json: &[u8], expires: Timestamp) -> Result<Self, TrustRootError> {
        if json.len() > MAX_TRUST_ROOT {
            return Err(TrustRootError::TooLarge);
        }
        let text = str::from_utf8(json).map_err(|_| TrustRootError::NoText)?;
        let root = TrustedRoot::from_json(text).map_err(TrustRootError::Unreadable)?;
        if root.tlogs.is_empty() && root.certificate_authorities.is_empty() {
            return Err(TrustRootError::Nobody);
        }
        let mut policy = VerificationPolicy::any_identity();
        if root.ctlogs.is_empty() {
            policy = policy.skip_sct();
        }
        if root.tlogs.is_empty() {
            policy = policy.skip_tlog_unsafe();
        }
        let verifier = Verifier::new(&root).map_err(|error| TrustRootError::Unusable(Box::new(error)))?;
        let logs = root.tlogs.iter().map(|log| log.log_id.key_id.as_bytes().to_vec()).collect();
        Ok(Self { verifier, policy, expires, logs })
    }

    /// Verifies by it that a certificate signed.
    pub(crate) fn verify(&self, artifact: Artifact<'_>, bundle: &Bundle) -> Result<VerificationResult, Failure> {
        self.verifier.verify(artifact, bundle, &self.policy).map_err(|error| self.failure(error, bundle))
    }

    /// Verifies by it that the log has what a key signed.
    pub(crate) fn verify_key(
        &self,
        artifact: Artifact<'_>,
        bundle: &Bundle,
        key: DerPublicKey,
    ) -> Result<VerificationResult, Failure> {
        let policy = PublicKeyVerificationPolicy::new(key);
        self.verifier.verify(artifact, bundle, &policy).map_err(|error| self.failure(error, bundle))
    }

    /// Why it does not verify. The promise of a log that is not known is one that does not do, for the library.
    fn failure(&self, error: sigstore_verify::Error, bundle: &Bundle) -> Failure {
        let is_known = |entry: &TransparencyLogEntry| self.logs.contains(entry.log_id.key_id.as_bytes());
        let is_of_log = matches!(error, sigstore_verify::Error::TransparencyLog(_));
        if is_of_log && !bundle.verification_material.tlog_entries.iter().all(is_known) {
            return Failure::new(Refusal::UntrustedRoot, format!("the log is none that is trusted: {error}"));
        }
        error.into()
    }

    /// Until when it is believed.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// The root of a name that our releases have; nothing for the names of others.
pub fn embedded(id: &TrustRootId) -> Result<Option<TrustRoot>, TrustRootError> {
    let json = match id {
        TrustRootId::Public => SIGSTORE_PRODUCTION_TRUSTED_ROOT,
        TrustRootId::Github => SIGSTORE_GITHUB_TRUSTED_ROOT,
        TrustRootId::Other(_) => return Ok(None),
    };
    TrustRoot::parse(json.as_bytes(), embedded_on().plus(EMBEDDED_LIFETIME)).map(Some)
}

/// How old the embedded copies are at most: when they were released.
pub fn embedded_on() -> Timestamp {
    Timestamp::from_unix(EMBEDDED_ON)
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustRoot").field("expires", &self.expires).finish_non_exhaustive()
    }
}
