//! What an organization's mirror has found: its repositories, and the queue of their syncs.

use moorage_domain::{Namespace, RepositoryName, discovery::DiscoveredRepository};
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, namespace_pk, prefix},
    table::{Item, Query},
    transaction::Transaction,
};

/// Turns that are looked at to take some: those who look at once mostly choose different ones.
const CHOICE: i32 = 32;

/// That a repository is to be synced when it is its turn.
#[derive(Serialize, Deserialize)]
pub(crate) struct Turn {
    repository: RepositoryName,
}

impl Table {
    /// The repositories that an organization's mirror has found, by name.
    pub async fn discovered(&self, organization: &Namespace) -> Result<Vec<DiscoveredRepository>, StateError> {
        self.all(namespace_pk(organization), prefix::DISCOVERED).await
    }

    /// Queues the sync of a repository.
    pub async fn put_turn(&self, repository: &RepositoryName) -> Result<(), StateError> {
        self.put(Key::Turn(repository), &Turn { repository: repository.clone() }).await
    }

    /// Takes up to `count` repositories whose sync is queued. Each is given to one caller only.
    pub async fn take_turns(&self, organization: &Namespace, count: usize) -> Result<Vec<RepositoryName>, StateError> {
        let (mut taken, mut after) = (Vec::new(), None);
        while taken.len() < count {
            let query = Query {
                pk: namespace_pk(organization),
                prefix: prefix::TURN,
                newest_first: false,
                limit: Some(CHOICE),
                after,
            };
            let mut page = self.page::<Turn>(query).await?;
            page.items.shuffle(&mut rand::rng());
            for turn in page.items {
                if taken.len() == count {
                    break;
                }
                match self.delete(Key::Turn(&turn.repository)).await {
                    Ok(()) => taken.push(turn.repository),
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
    pub async fn queued(&self, organization: &Namespace) -> Result<usize, StateError> {
        Ok(self.all::<Turn>(namespace_pk(organization), prefix::TURN).await?.len())
    }

    /// Takes all syncs of an organization's repositories from the queue.
    pub async fn drop_turns(&self, organization: &Namespace) -> Result<(), StateError> {
        self.delete_all(&namespace_pk(organization), prefix::TURN).await
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
    transaction.put(Key::Turn(repository), &Turn { repository: repository.clone() })
}

/// The end of what an organization's mirror remembers of a repository, as a part of a transaction.
pub(crate) fn forget(transaction: &mut Transaction<'_>, repository: &RepositoryName) -> Result<(), StateError> {
    transaction.delete(Key::Discovered(repository), None::<(&str, Item)>)?;
    transaction.delete(Key::Turn(repository), None::<(&str, Item)>)
}
