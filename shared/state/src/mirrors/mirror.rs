//! Mirrors: their configuration, and the transitions of their state.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    MirrorOf, MirrorSecrets, RepositoryName, Timestamp, Timetable,
    mirror::{MirrorConfig, RepositoryState},
    status::SyncState,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    access::{
        permission::{self, Role},
        robot_use::{expect_robot, release_robot, use_robot},
    },
    clock::moment,
    expression::Change,
    key::Key,
    mirrors::{
        configuration::Changed,
        discovered,
        left::remember_left,
        sources::{self, Sources},
    },
    organizations::generation::within,
    repositories::lock_condition::{UNLOCKED, at_present},
    table::{Item, readable},
    transaction::{Committed, Transaction},
};

/// Mirrors' batches that are read at once.
const READS: usize = 8;
/// Where the index of all mirrors has them: in one partition, since a deployment's page shows all of them. A state is written
/// a few times for each sync, and a partition takes a thousand writes a second.
pub(crate) const LISTED: &str = "MIRRORS";
/// Mirrors of one batch: DynamoDB's limit.
const BATCH: usize = 100;

/// A mirror as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mirror {
    /// What is copied from where, how, and when.
    #[serde(flatten)]
    pub config: MirrorConfig,
    /// The passwords at the external registry and at the proxies.
    #[serde(flatten)]
    pub secrets: MirrorSecrets,
    /// Where it stands.
    #[serde(flatten)]
    pub state: SyncState,
    /// When it was created.
    pub created: Timestamp,
    /// Counts changes of the configuration, so that two at once cannot undo each other.
    pub config_revision: u64,
    /// The revision that the mirror's schedule was made from. If it is another one, the schedule is to be made again.
    #[serde(default)]
    pub scheduled_revision: u64,
    /// Whether its organization's mirror has made it, and manages it: it has no schedule, password and count of its own.
    #[serde(default)]
    pub is_discovered: bool,
    /// Where the index of all mirrors has it; those that earlier releases made are put there by the reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
}

/// A mirror to be created.
#[derive(Debug, Clone)]
pub struct NewMirror {
    /// What is copied from where, how, and when.
    pub config: MirrorConfig,
    /// The passwords at the external registry and at the proxies.
    pub secrets: MirrorSecrets,
    /// The first start.
    pub sync_start_date: Timestamp,
    /// The role that its robot gets, if it has none that suffices.
    pub grant: Option<Role>,
}

/// Why a mirror was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateMirrorError {
    /// The repository has one.
    #[error("the repository has a mirror")]
    Exists,
    /// There is no such repository.
    #[error("there is no such repository")]
    NoRepository,
    /// There is no such robot.
    #[error("there is no such robot")]
    NoRobot,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Mirror {
    /// What its schedule is made from.
    pub fn timetable(&self) -> Timetable {
        let config = &self.config;
        Timetable {
            of: MirrorOf::Repository(config.repository.clone()),
            state: self.state.clone(),
            sync_interval: config.sync_interval,
            is_enabled: config.is_enabled,
        }
    }

    /// By what it is found.
    pub(crate) fn sources(&self) -> Sources {
        Sources::of(&self.config.external_reference, self.is_discovered)
    }

    /// When its schedule starts it for the first time after a moment; never while that is off.
    pub fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        self.config.is_enabled.then(|| self.state.start_after(self.config.sync_interval, after))
    }
}

impl Table {
    /// Creates a mirror: the mirror itself, the repository's state, its robot's role and the robot's count of mirrors, all
    /// or nothing. Its schedule is still to be made.
    pub async fn create_mirror(&self, mirror: NewMirror, now: Timestamp) -> Result<Mirror, CreateMirrorError> {
        let grant = mirror.grant;
        let robot = self.robot(&mirror.config.robot).await?.ok_or(CreateMirrorError::NoRobot)?;
        let mirror = Mirror {
            state: SyncState::new(mirror.sync_start_date, Uuid::new_v4()),
            config: mirror.config,
            secrets: mirror.secrets,
            created: now,
            config_revision: 1,
            scheduled_revision: 0,
            is_discovered: false,
            listed: Some(LISTED.to_owned()),
        };
        let repository = &mirror.config.repository;
        let mut transaction = Transaction::new(self);
        transaction.create(Key::Mirror(repository), &mirror)?;
        let condition = format!("attribute_exists(#pk) AND NOT #is_deleted = :true AND {UNLOCKED}");
        let change = Change { update: "SET #state = :state", condition: &condition };
        let state = serde_dynamo::to_attribute_value(RepositoryState::Mirror).map_err(StateError::from)?;
        let mut values = at_present();
        values.extend([(":state".to_owned(), state), (":true".to_owned(), AttributeValue::Bool(true))]);
        transaction.update(Key::Repository(repository), change, values)?;
        use_robot(&mut transaction, &robot)?;
        if let Some(role) = grant {
            permission::grant(&mut transaction, repository, &robot, role)?;
        }
        within(&mut transaction, &repository.namespace(), robot.organization_id)?;
        sources::enter(&mut transaction, repository, (None, Some(&mirror.sources())))?;
        match transaction.commit().await? {
            Committed::Yes => Ok(mirror),
            Committed::Refused(0) => Err(CreateMirrorError::Exists),
            Committed::Refused(1) => match self.locked_or(repository, StateError::NotFound).await? {
                StateError::Locked => Err(CreateMirrorError::State(StateError::Locked)),
                _ => Err(CreateMirrorError::NoRepository),
            },
            Committed::Refused(2) => Err(CreateMirrorError::NoRobot),
            Committed::Refused(_) => Err(CreateMirrorError::NoRepository),
        }
    }

    /// Reads a mirror.
    pub async fn mirror(&self, repository: &RepositoryName) -> Result<Option<Mirror>, StateError> {
        self.get(Key::Mirror(repository)).await
    }

    /// Changes a mirror's configuration, passwords and next start to what `changed` holds, if the mirror is still at
    /// the revision of `before`, which `changed` was made from; else [`StateError::Conflict`]. A running sync is not
    /// disturbed: it goes on with the configuration that it started with. `grant` is the role that a new robot gets;
    /// [`StateError::NotFound`] if there is no such robot.
    pub async fn change_mirror(
        &self,
        changed: &Mirror,
        before: &Mirror,
        grant: Option<Role>,
    ) -> Result<(), StateError> {
        let (update, values) = Changed {
            config: &changed.config,
            secrets: &changed.secrets,
            state: &changed.state,
            config_revision: before.config_revision,
            scheduled_revision: changed.scheduled_revision,
        }
        .update(&before.state)?;
        let repository = &changed.config.repository;
        let mut transaction = Transaction::new(self);
        let change = Change { update: &update, condition: "#config_revision = :seen" };
        transaction.update(Key::Mirror(repository), change, values)?;
        let is_new = changed.config.robot != before.config.robot && !changed.is_discovered;
        if is_new || grant.is_some() {
            let robot = self.robot(&changed.config.robot).await?.ok_or(StateError::NotFound)?;
            if is_new {
                use_robot(&mut transaction, &robot)?;
                release_robot(&mut transaction, &before.config.robot)?;
            }
            if let Some(role) = grant {
                if !is_new {
                    expect_robot(&mut transaction, &robot)?;
                }
                permission::grant(&mut transaction, repository, &robot, role)?;
            }
            within(&mut transaction, &repository.namespace(), robot.organization_id)?;
        }
        sources::enter(&mut transaction, repository, (Some(&before.sources()), Some(&changed.sources())))?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::Conflict),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Ends mirroring: deletes the mirror as it was read, and makes its repository an ordinary one. A running sync stops;
    /// until it has noticed, nobody else changes what the repository holds. [`StateError::Conflict`] if the mirror was
    /// changed, or its sync has gone on, [`StateError::Locked`] while somebody has the repository to themselves.
    pub async fn delete_mirror(&self, mirror: &Mirror) -> Result<(), StateError> {
        let repository = &mirror.config.repository;
        let mut transaction = Transaction::new(self);
        let mut values = at_present();
        values.insert(":state".to_owned(), serde_dynamo::to_attribute_value(RepositoryState::Normal)?);
        let left = remember_left(Some(&mirror.state), &mut values);
        let condition = format!("attribute_exists(#pk) AND {UNLOCKED}");
        // What its runs have left is what anybody's tags have left.
        let change = Change { update: &format!("SET #state = :state{left} REMOVE #pins"), condition: &condition };
        transaction.update(Key::Repository(repository), change, values)?;
        self.unlink_mirror(&mut transaction, mirror)?;
        if mirror.is_discovered {
            discovered::forget(&mut transaction, repository)?;
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(self.locked_or(repository, StateError::Conflict).await?),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// The deletion of a mirror, as a part of a transaction: as it was read, also in how long its sync may still write.
    #[expect(clippy::unused_self, reason = "a part of the table's interface")]
    pub(crate) fn unlink_mirror(&self, transaction: &mut Transaction<'_>, mirror: &Mirror) -> Result<(), StateError> {
        let mut seen = Item::from([
            (":seen".to_owned(), AttributeValue::N(mirror.config_revision.to_string())),
            (":id".to_owned(), AttributeValue::S(mirror.state.sync_transaction_id.to_string())),
        ]);
        let mut condition = "#config_revision = :seen AND #sync_transaction_id = :id".to_owned();
        if let Some(expiration) = mirror.state.sync_expiration_date {
            seen.insert(":expiration".to_owned(), moment(expiration));
            condition.push_str(" AND #sync_expiration_date = :expiration");
        }
        transaction.delete(Key::Mirror(&mirror.config.repository), Some((&condition, seen)))?;
        // Without it nothing is found by its ids.
        transaction.delete(Key::Webhook(&mirror.config.repository), None)?;
        sources::enter(transaction, &mirror.config.repository, (Some(&mirror.sources()), None))?;
        if mirror.is_discovered { Ok(()) } else { release_robot(transaction, &mirror.config.robot) }
    }

    /// The mirrors of many repositories, in no order; those that have none are left out.
    pub async fn mirrors_of_many(&self, repositories: &[RepositoryName]) -> Result<Vec<Mirror>, StateError> {
        let batches = repositories.chunks(BATCH).map(<[_]>::to_vec).collect::<Vec<_>>();
        let read = |batch: Vec<_>| async move { self.mirrors_of(&batch).await };
        let batches = stream::iter(batches).map(read).buffered(READS);
        Ok(batches.try_collect::<Vec<_>>().await?.into_iter().flatten().collect())
    }

    /// The mirrors of these repositories, in no order; those that have none are left out, and so are those that cannot be
    /// read, which only a log tells of: one must not keep anybody from looking after the others.
    pub async fn mirrors_of(&self, repositories: &[RepositoryName]) -> Result<Vec<Mirror>, StateError> {
        let keys = repositories.iter().map(|repository| Key::Mirror(repository).attributes()).collect();
        Ok(readable(self.get_items(keys).await?))
    }
}
