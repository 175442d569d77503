//! Whom a policy has believed: the trusted roots that the table has, or else ours, and the public keys that KMS has.

use std::collections::BTreeSet;

use moorage_domain::{
    FailureReason,
    failure::Failure,
    signature_policy::{KeySource, KmsKey, SignaturePolicy, Signer, TrustRootId},
};
use moorage_signatures::{Trust, TrustRoot, embedded, embedded_on, tuf::Repository};
use moorage_state::StoredTrustRoot;

use crate::{engine::Engine, error::WorkError};

impl Engine {
    /// Whom a policy's authorities are verified by. What cannot be had is left out: then nothing is verified by it.
    pub(crate) async fn trust(&self, policy: &SignaturePolicy) -> Result<Trust, WorkError> {
        let (mut roots, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for authority in policy.authorities() {
            match &authority.signer {
                Signer::Keyless { trust_root, .. } => _ = roots.insert(trust_root),
                Signer::Key(source) => {
                    // For what the log says of it.
                    roots.insert(&TrustRootId::Public);
                    if let KeySource::Kms(name) = source {
                        keys.insert(name);
                    }
                }
            }
        }
        let mut trust = Trust::default();
        for id in roots {
            if let Some(root) = self.trust_root(id).await? {
                trust = trust.with_root(id.clone(), root);
            }
        }
        for name in keys {
            trust = self.with_key(trust, name).await;
        }
        Ok(trust)
    }

    /// The root of a name, as the last refresh has left it; ours where there was none.
    async fn trust_root(&self, id: &TrustRootId) -> Result<Option<TrustRoot>, WorkError> {
        let stored = self.table.trust_root(id).await?.filter(|stored| !is_older(stored));
        let stored = stored.and_then(StoredTrustRoot::believed);
        let Some((json, until)) = stored else {
            let unusable = |error| WorkError::Failed(Failure::of(FailureReason::UnknownError, &error));
            return embedded(id).map_err(unusable);
        };
        match TrustRoot::parse(json.as_bytes(), until) {
            Ok(root) => Ok(Some(root)),
            // It was read when it was stored.
            Err(error) => {
                tracing::error!(%id, %error, "the trusted root in the table cannot be read");
                Ok(None)
            }
        }
    }

    async fn with_key(&self, trust: Trust, name: &KmsKey) -> Trust {
        match self.secrets.public_key(name).await {
            Ok(key) => trust.with_key(name.clone(), key),
            Err(error) => {
                tracing::warn!(key = name.as_str(), %error, "the public key cannot be had");
                trust
            }
        }
    }
}

/// Whether a root is of the repository that our releases know, and is older than what these have. One that an operator has set
/// is what it is.
fn is_older(stored: &StoredTrustRoot) -> bool {
    let is_ours = |repository: Repository| stored.tuf.as_ref().is_some_and(|tuf| tuf.url == repository.url);
    Repository::of(&stored.id).is_some_and(is_ours) && stored.refreshed_at.is_none_or(|at| at < embedded_on())
}

#[cfg(test)]
mod tests {
    use moorage_domain::Timestamp;
    use moorage_state::TufSource;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_ours_gives_way_to_what_comes_with_a_release() {
        let before = embedded_on().minus(std::time::Duration::from_secs(1));
        let stored = |url: Option<&str>, refreshed_at: Option<Timestamp>| StoredTrustRoot {
            id: TrustRootId::Public,
            trusted_root: Some("{}".to_owned()),
            refreshed_at,
            until: None,
            tuf: url.map(|url| TufSource { url: url.to_owned(), anchor: "{}".to_owned() }),
            failure: None,
            revision: Uuid::nil(),
        };
        let ours = Some(Repository::PUBLIC.url);
        assert!(is_older(&stored(ours, Some(before))) && is_older(&stored(ours, None)));
        assert!(!is_older(&stored(ours, Some(embedded_on()))));
        assert!(!is_older(&stored(None, Some(before))), "what an operator has set stays as it is");
        assert!(!is_older(&stored(Some("https://tuf.example.com"), Some(before))));
    }
}
