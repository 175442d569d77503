//! What helps a sync to find out that its repository may have some content without fetching it again: hints, which prove
//! nothing, and receipts, which do.

use std::{collections::HashMap, sync::Arc, time::Duration};

use moorage_domain::{Digest, Generation, Owner, Proven, RepositoryName, Timestamp, TrustDomain, plan::HeldTag};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::Key,
    reads::Reads,
    table::{Item, item},
};

/// How long a hint is kept: base images are renewed every few weeks.
const HINT_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// When a hint that was of use is written anew.
const HINT_RENEWAL: Duration = Duration::from_secs(15 * 86_400);
/// How long a registry need not send again what it has sent: longer than the tries of one sync.
const RECEIPT_LIFE: Duration = Duration::from_secs(86_400);
/// Digests that are asked for together: two keys each, and one request reads 100. Keys of hundreds of thousands would take
/// more memory than a run has.
const CLUES_AT_ONCE: usize = 50;

/// What the table knows of some content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clue {
    /// A repository that is said to have it. Its link tells whether it does.
    pub holder: Option<RepositoryName>,
    /// Whether that should be said again soon.
    pub is_old: bool,
    /// That the repository's own registry has sent all of it within a day.
    pub receipt: Option<Proven>,
}

/// A hint, or a receipt.
#[derive(Serialize, Deserialize)]
pub(crate) struct ClueItem {
    digest: Digest,
    /// Of a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<RepositoryName>,
    /// Of a receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<Generation>,
    expires_at: Timestamp,
}

/// Proof by the record of a tag, which is written after the tag itself: that the repository has its manifest. Nothing
/// where the record is of an earlier repository of the name.
pub fn recorded<'t>(owner: &Arc<Owner>, held: &'t HeldTag) -> impl Iterator<Item = Proven> + use<'t> {
    let owner = Some(Arc::clone(owner)).filter(|owner| owner.generation == held.generation);
    let manifests = std::iter::once(&held.digest).chain(&held.manifests);
    manifests.filter_map(move |digest| Some(Proven::attested_whole(owner.as_ref()?, digest)))
}

impl Reads {
    /// What is known of some content, each digest once; of what is not known there is nothing in the answer.
    pub async fn clues<'d>(
        &self,
        owner: &Arc<Owner>,
        trust: TrustDomain,
        digests: impl IntoIterator<Item = &'d Digest>,
        now: Timestamp,
    ) -> Result<HashMap<Digest, Clue>, StateError> {
        let (domain, digests) = (trust.of(&owner.repository), digests.into_iter().collect::<Vec<_>>());
        let mut clues = HashMap::<Digest, Clue>::new();
        for some in digests.chunks(CLUES_AT_ONCE) {
            let keys = some.iter().flat_map(|digest| {
                [Key::Hint(&domain, digest).attributes(), Key::Receipt(&owner.repository, digest).attributes()]
            });
            let items: Vec<ClueItem> = serde_dynamo::from_items(self.items(keys.collect()).await?)?;
            for item in items.into_iter().filter(|item| item.expires_at > now) {
                let clue = clues.entry(item.digest.clone()).or_default();
                match item {
                    ClueItem { holder: Some(holder), expires_at, .. } => {
                        (clue.holder, clue.is_old) = (Some(holder), expires_at <= now.plus(HINT_RENEWAL));
                    }
                    ClueItem { generation, .. } => {
                        let is_ours = generation == Some(owner.generation);
                        clue.receipt = is_ours.then(|| Proven::attested(owner, &item.digest));
                    }
                }
            }
        }
        Ok(clues)
    }
}

impl Table {
    /// Says that a repository has linked some content.
    pub async fn put_hints(
        &self,
        owner: &Owner,
        trust: TrustDomain,
        digests: &[Digest],
        now: Timestamp,
    ) -> Result<(), StateError> {
        let (domain, expires_at) = (trust.of(&owner.repository), now.plus(HINT_LIFE));
        let hint = |digest: &Digest| {
            let holder = Some(owner.repository.clone());
            let hint = ClueItem { digest: digest.clone(), holder, generation: None, expires_at };
            item(Key::Hint(&domain, digest), &hint)
        };
        self.put_all(digests.iter().map(hint).collect::<Result<Vec<Item>, _>>()?).await
    }

    /// Records that a repository's registry has sent some content, and that it was hashed.
    pub async fn put_receipts(&self, received: &[Proven], now: Timestamp) -> Result<(), StateError> {
        let expires_at = now.plus(RECEIPT_LIFE);
        let receipt = |proven: &Proven| {
            let (digest, generation) = (proven.digest().clone(), Some(proven.owner().generation));
            let receipt = ClueItem { digest, holder: None, generation, expires_at };
            item(Key::Receipt(&proven.owner().repository, proven.digest()), &receipt)
        };
        self.put_all(received.iter().map(receipt).collect::<Result<Vec<Item>, _>>()?).await
    }
}
