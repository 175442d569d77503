//! What an organization's mirror has found: its repositories, and the queue of their syncs.

use moorage_domain::{Namespace, RepositoryName, discovery::DiscoveredRepository};
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, namespace_pk, prefix},
    mirrors::active,
    table::{Item, Query},
    transaction::Transaction,
};

/// How many queued syncs are looked at to take some of them at random: callers that look at the same time mostly choose
/// different ones.
const CHOICE: i32 = 32;

/// A repository whose sync is queued, as it is written: the index has it, so that a queue is found that stands still.
#[derive(Serialize)]
struct NewQueuedSync<'a> {
    #[serde(flatten)]
    queued: &'a QueuedSync,
    active: &'static str,
}

/// A repository whose sync is queued.
#[derive(Serialize, Deserialize)]
pub(crate) struct QueuedSync {
    repository: RepositoryName,
}

impl Table {
    /// The repositories that an organization's mirror has found, by name.
    pub async fn discovered(&self, organization: &Namespace) -> Result<Vec<DiscoveredRepository>, StateError> {
        self.all(namespace_pk(organization), prefix::DISCOVERED).await
    }

    /// Queues the sync of a repository.
    pub async fn queue_sync(&self, repository: &RepositoryName) -> Result<(), StateError> {
        let queued = &QueuedSync { repository: repository.clone() };
        self.put(Key::QueuedSync(repository), &NewQueuedSync { queued, active: active::TURNS }).await
    }

    /// Takes up to `count` repositories whose sync is queued. Each is given to one caller only.
    pub async fn take_queued_syncs(
        &self,
        organization: &Namespace,
        count: usize,
    ) -> Result<Vec<RepositoryName>, StateError> {
        let (mut taken, mut after) = (Vec::new(), None);
        while taken.len() < count {
            let query = Query {
                pk: namespace_pk(organization),
                prefix: prefix::QUEUED_SYNC,
                newest_first: false,
                limit: Some(CHOICE),
                after,
            };
            let mut page = self.page::<QueuedSync>(query).await?;
            page.items.shuffle(&mut rand::rng());
            for queued in page.items {
                if taken.len() == count {
                    break;
                }
                match self.delete(Key::QueuedSync(&queued.repository)).await {
                    Ok(()) => taken.push(queued.repository),
                    // Somebody else was faster.
                    Err(StateError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(taken)
    }

    /// How many syncs of an organization's repositories are queued.
    pub async fn count_queued_syncs(&self, organization: &Namespace) -> Result<usize, StateError> {
        Ok(self.all::<QueuedSync>(namespace_pk(organization), prefix::QUEUED_SYNC).await?.len())
    }

    /// Takes all syncs of an organization's repositories from the queue.
    pub async fn drop_queued_syncs(&self, organization: &Namespace) -> Result<(), StateError> {
        self.delete_all(&namespace_pk(organization), prefix::QUEUED_SYNC).await
    }

    /// Forgets a repository that an organization's mirror has found.
    pub async fn forget_discovered(&self, repository: &RepositoryName) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        forget(&mut transaction, repository)?;
        transaction.commit().await.map(drop)
    }
}

/// Queues the sync of a repository, as a part of a transaction.
pub(crate) fn queue(transaction: &mut Transaction<'_>, repository: &RepositoryName) -> Result<(), StateError> {
    let queued = &QueuedSync { repository: repository.clone() };
    transaction.put(Key::QueuedSync(repository), &NewQueuedSync { queued, active: active::TURNS })
}

/// The end of what an organization's mirror remembers of a repository, as a part of a transaction.
pub(crate) fn forget(transaction: &mut Transaction<'_>, repository: &RepositoryName) -> Result<(), StateError> {
    transaction.delete(Key::Discovered(repository), None::<(&str, Item)>)?;
    transaction.delete(Key::QueuedSync(repository), None::<(&str, Item)>)
}
