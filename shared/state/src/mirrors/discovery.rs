//! What an organization's mirror has found: its repositories, and whose sync is next.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Namespace, RepositoryName, Timestamp,
    discovery::DiscoveredRepository,
    mirror::{MirrorConfig, RepositoryState},
    status::SyncState,
};
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Mirror, MirrorSecrets, NewRepository, Repository, Robot, Role, StateError, Table,
    access::permission,
    key::{Key, namespace_pk, prefix},
    mirrors::mirror,
    organizations::organization::within,
    repositories::{public, repository},
    table::{Item, Query},
    transaction::{Committed, Transaction},
};

/// Turns that are looked at to take some: those who look at once mostly choose different ones.
const CHOICE: i32 = 32;
/// Repositories that are remembered in one transaction: two items for each, and at most 100 in all.
const AT_ONCE: usize = 49;
/// Mirrors' batches that are read at once.
const READS: usize = 8;
/// Mirrors of one batch: DynamoDB's limit.
const BATCH: usize = 100;

/// That a repository is to be synced when it is its turn.
#[derive(Serialize, Deserialize)]
struct Turn {
    repository: RepositoryName,
}

/// A repository to be created with its mirror.
#[derive(Debug)]
pub struct NewDiscovered {
    /// What is remembered of it.
    pub discovered: DiscoveredRepository,
    /// Its mirror.
    pub config: MirrorConfig,
    /// Whether everybody may pull from it.
    pub is_public: bool,
    /// The start that its schedule counts from.
    pub start: Timestamp,
}

/// Who creates repositories: a discovery, by its claim, for a robot.
#[derive(Debug, Clone, Copy)]
pub struct Discoverer<'a> {
    /// The transaction id of its claim.
    pub transaction: Uuid,
    /// The robot of the repositories.
    pub robot: &'a Robot,
    /// When.
    pub now: Timestamp,
}

impl Table {
    /// The repositories that an organization's mirror has found, by name.
    pub async fn discovered(&self, organization: &Namespace) -> Result<Vec<DiscoveredRepository>, StateError> {
        self.all(namespace_pk(organization), prefix::DISCOVERED).await
    }

    /// The mirrors of many repositories, in no order; those that have none are left out.
    pub async fn mirrors_of_many(&self, repositories: &[RepositoryName]) -> Result<Vec<Mirror>, StateError> {
        let batches = repositories.chunks(BATCH).map(<[_]>::to_vec).collect::<Vec<_>>();
        let read = |batch: Vec<_>| async move { self.mirrors_of(&batch).await };
        let batches = stream::iter(batches).map(read).buffered(READS);
        Ok(batches.try_collect::<Vec<_>>().await?.into_iter().flatten().collect())
    }

    /// Creates a repository with its mirror, gives its robot the role it needs, and queues its sync, all or nothing.
    /// [`StateError::Conflict`] if the name is taken, [`StateError::Locked`] if somebody looks at what the bucket has under
    /// it, [`StateError::NotFound`] if the robot is gone, the organization ends, or the discovery lost its claim.
    pub async fn create_discovered(&self, new: &NewDiscovered, by: Discoverer<'_>) -> Result<(), StateError> {
        let name = &new.discovered.repository;
        let repository = Repository::from(NewRepository {
            repository: name.clone(),
            organization_id: by.robot.organization_id,
            state: RepositoryState::OrgMirror,
            is_public: new.is_public,
            description: String::new(),
            created: by.now,
        });
        let mirror = Mirror {
            config: new.config.clone(),
            secrets: MirrorSecrets::default(),
            state: SyncState::new(new.start, Uuid::new_v4()),
            created: by.now,
            config_revision: 1,
            scheduled_revision: 1,
            is_discovered: true,
        };
        let mut transaction = Transaction::new(self);
        repository::insert(&mut transaction, &repository)?;
        transaction.create(Key::Mirror(name), &mirror)?;
        transaction.put(Key::Discovered(name), &new.discovered)?;
        transaction.put(Key::Turn(name), &Turn { repository: name.clone() })?;
        permission::grant(&mut transaction, name, by.robot, Role::Write)?;
        mirror::expect_robot(&mut transaction, by.robot)?;
        expect_claim(&mut transaction, &name.namespace(), by.transaction)?;
        within(&mut transaction, &name.namespace(), by.robot.organization_id)?;
        public::list(&mut transaction, name, new.is_public)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0 | 2) => Err(StateError::Conflict),
            Committed::Refused(1) => Err(StateError::Locked),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Writes what is remembered of repositories of one organization, and queues the syncs of those that are not skipped.
    /// [`StateError::NotFound`] if the discovery has lost its claim.
    pub async fn put_discovered(&self, discovered: &[DiscoveredRepository], claim: Uuid) -> Result<(), StateError> {
        for some in discovered.chunks(AT_ONCE) {
            let mut transaction = Transaction::new(self);
            for known in some {
                let repository = &known.repository;
                transaction.put(Key::Discovered(repository), known)?;
                if known.skipped.is_none() {
                    transaction.put(Key::Turn(repository), &Turn { repository: repository.clone() })?;
                }
            }
            expect_claim(&mut transaction, &some[0].repository.namespace(), claim)?;
            if let Committed::Refused(_) = transaction.commit().await? {
                return Err(StateError::NotFound);
            }
        }
        Ok(())
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

/// Expects a discovery to have its claim still, as a part of a transaction.
fn expect_claim(transaction: &mut Transaction<'_>, organization: &Namespace, claim: Uuid) -> Result<(), StateError> {
    let id = AttributeValue::S(claim.to_string());
    let values = Item::from([(":id".to_owned(), id), (":true".to_owned(), AttributeValue::Bool(true))]);
    let ours = "#sync_transaction_id = :id AND NOT #is_deleted = :true";
    transaction.check(Key::OrganizationMirror(organization), ours, values)
}

/// The end of what an organization's mirror remembers of a repository, as a part of a transaction.
pub(crate) fn forget(transaction: &mut Transaction<'_>, repository: &RepositoryName) -> Result<(), StateError> {
    transaction.delete(Key::Discovered(repository), None::<(&str, Item)>)?;
    transaction.delete(Key::Turn(repository), None::<(&str, Item)>)
}
