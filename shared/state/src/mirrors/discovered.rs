//! What an organization's mirror has found: its repositories, and the queue of their syncs.

use std::{collections::HashSet, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Namespace, RepositoryName, Timestamp, discovery::DiscoveredRepository};
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::now,
    key::{Key, PK, namespace_pk, prefix},
    mirrors::active,
    table::{Item, Query, conditional},
    transaction::Transaction,
};

/// How many queued syncs are looked at to take some of them at random: callers that look at the same time mostly choose
/// different ones.
const CHOICE: i32 = 32;
/// The attribute that says whose a turn is.
const TAKEN_BY: &str = "taken_by";
/// How long a turn is one caller's, who starts the sync and then takes it from the queue: longer than an invocation is asked
/// for, with all repetitions. After that whoever was killed between the two has not started it.
const TAKEN: Duration = Duration::from_secs(60);

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
    /// Who is about to start it, and until when nobody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken_by: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// A queued sync that one caller is to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The repository.
    pub repository: RepositoryName,
    by: Uuid,
}

impl QueuedSync {
    fn new(repository: &RepositoryName) -> Self {
        Self { repository: repository.clone(), taken_by: None, until: None }
    }
}

impl Table {
    /// The repositories that an organization's mirror has found, by name.
    pub async fn discovered(&self, organization: &Namespace) -> Result<Vec<DiscoveredRepository>, StateError> {
        self.all(namespace_pk(organization), prefix::DISCOVERED).await
    }

    /// Queues the sync of a repository.
    pub async fn queue_sync(&self, repository: &RepositoryName) -> Result<(), StateError> {
        let queued = &QueuedSync::new(repository);
        self.put(Key::QueuedSync(repository), &NewQueuedSync { queued, active: active::TURNS }).await
    }

    /// Takes up to `count` queued syncs. Each is given to one caller only, who starts it and then calls [`Self::end_turn`];
    /// if that does not happen within a minute, it is given to another one.
    pub async fn take_queued_syncs(&self, organization: &Namespace, count: usize) -> Result<Vec<Turn>, StateError> {
        let (by, mut taken, mut after) = (Uuid::new_v4(), Vec::new(), None);
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
                match self.take_turn(&queued.repository, by).await {
                    Ok(()) => taken.push(Turn { repository: queued.repository, by }),
                    // Somebody else was faster.
                    Err(StateError::Conflict) => {}
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

    async fn take_turn(&self, repository: &RepositoryName, by: Uuid) -> Result<(), StateError> {
        let number = |moment: Timestamp| AttributeValue::N(moment.unix().to_string());
        let update = self.client.update_item().table_name(&self.name);
        let update = update.set_key(Some(Key::QueuedSync(repository).attributes()));
        let update = update.update_expression("SET #taken_by = :by, #until = :until");
        let update =
            update.expression_attribute_names("#taken_by", TAKEN_BY).expression_attribute_names("#until", "until");
        let update = update.expression_attribute_values(":by", AttributeValue::S(by.to_string()));
        let update = update.expression_attribute_values(":until", number(now().plus(TAKEN)));
        let free = "attribute_exists(#pk) AND (attribute_not_exists(#until) OR #until <= :now)";
        let update = update.condition_expression(free).expression_attribute_names("#pk", PK);
        conditional(update.expression_attribute_values(":now", number(now()))).await
    }

    /// Takes a sync from the queue that was started.
    pub async fn end_turn(&self, turn: &Turn) -> Result<(), StateError> {
        let by = (":by", AttributeValue::S(turn.by.to_string()));
        match self.delete_if(Key::QueuedSync(&turn.repository), "taken_by = :by", by).await {
            // It was queued anew.
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }

    /// The repositories of an organization whose syncs are queued.
    pub async fn queued_syncs(&self, organization: &Namespace) -> Result<HashSet<RepositoryName>, StateError> {
        let queued = self.all::<QueuedSync>(namespace_pk(organization), prefix::QUEUED_SYNC).await?;
        Ok(queued.into_iter().map(|queued| queued.repository).collect())
    }

    /// Takes the sync of a repository from the queue, because it is started without a turn.
    pub async fn leave_queue(&self, repository: &RepositoryName) -> Result<(), StateError> {
        match self.delete(Key::QueuedSync(repository)).await {
            // It was not in it.
            Err(StateError::NotFound) => Ok(()),
            result => result,
        }
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
    let queued = &QueuedSync::new(repository);
    transaction.put(Key::QueuedSync(repository), &NewQueuedSync { queued, active: active::TURNS })
}

/// The end of what an organization's mirror remembers of a repository, as a part of a transaction.
pub(crate) fn forget(transaction: &mut Transaction<'_>, repository: &RepositoryName) -> Result<(), StateError> {
    transaction.delete(Key::Discovered(repository), None::<(&str, Item)>)?;
    transaction.delete(Key::QueuedSync(repository), None::<(&str, Item)>)
}
