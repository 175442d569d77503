//! What a discovery writes: repositories that it creates, and what is remembered of those that it has found.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    MirrorSecrets, Namespace, Timestamp,
    discovery::DiscoveredRepository,
    mirror::{MirrorConfig, RepositoryState},
    status::SyncState,
};
use uuid::Uuid;

use crate::{
    StateError, Table,
    access::{
        permission::{self, Role},
        robot::Robot,
        robot_use,
    },
    key::Key,
    mirrors::{
        discovered,
        mirror::{LISTED, Mirror},
        sources,
    },
    organizations::generation::within,
    repositories::{
        public_entry,
        repository::{self, NewRepository, Repository},
    },
    table::Item,
    transaction::{Committed, Transaction},
};

/// Repositories that are remembered in one transaction: two items for each, and at most 100 in all.
const AT_ONCE: usize = 49;

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
            listed: Some(LISTED.to_owned()),
        };
        let mut transaction = Transaction::new(self);
        repository::insert(&mut transaction, &repository)?;
        transaction.create(Key::Mirror(name), &mirror)?;
        transaction.put(Key::Discovered(name), &new.discovered)?;
        discovered::queue(&mut transaction, name)?;
        permission::grant(&mut transaction, name, by.robot, Role::Write)?;
        robot_use::expect_robot(&mut transaction, by.robot)?;
        expect_claim(&mut transaction, &name.namespace(), by.transaction)?;
        within(&mut transaction, &name.namespace(), by.robot.organization_id)?;
        public_entry::list(&mut transaction, name, new.is_public)?;
        sources::enter(&mut transaction, name, (None, Some(&mirror.sources())))?;
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
        self.put_and_queue(discovered, claim, |known| known.skipped.is_none()).await
    }

    /// As [`Self::put_discovered`], but whatever is asked of the repositories is queued of all of them.
    pub async fn queue_discovered(&self, discovered: &[DiscoveredRepository], claim: Uuid) -> Result<(), StateError> {
        self.put_and_queue(discovered, claim, |_| true).await
    }

    async fn put_and_queue(
        &self,
        discovered: &[DiscoveredRepository],
        claim: Uuid,
        is_queued: impl Fn(&DiscoveredRepository) -> bool,
    ) -> Result<(), StateError> {
        for some in discovered.chunks(AT_ONCE) {
            let mut transaction = Transaction::new(self);
            for known in some {
                let repository = &known.repository;
                transaction.put(Key::Discovered(repository), known)?;
                if is_queued(known) {
                    discovered::queue(&mut transaction, repository)?;
                }
            }
            expect_claim(&mut transaction, &some[0].repository.namespace(), claim)?;
            if let Committed::Refused(_) = transaction.commit().await? {
                return Err(StateError::NotFound);
            }
        }
        Ok(())
    }
}

/// Expects a discovery to have its claim still, as a part of a transaction.
fn expect_claim(transaction: &mut Transaction<'_>, organization: &Namespace, claim: Uuid) -> Result<(), StateError> {
    let id = AttributeValue::S(claim.to_string());
    let values = Item::from([(":id".to_owned(), id), (":true".to_owned(), AttributeValue::Bool(true))]);
    let ours = "#sync_transaction_id = :id AND NOT #is_deleted = :true";
    transaction.check(Key::OrganizationMirror(organization), ours, values)
}
