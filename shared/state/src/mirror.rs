//! Mirrors: their configuration, and the transitions of their state.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    RepositoryName, RobotName, Timestamp,
    mirror::{MirrorConfig, RepositoryState},
    status::SyncState,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    MirrorSecrets, Role, StateError, Table,
    configuration::Changed,
    discovered,
    key::Key,
    permission,
    table::{Item, conditional},
    transaction::{Change, Committed, Transaction},
};

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
}

/// A mirror to be created.
#[derive(Debug)]
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

impl Table {
    /// Creates a mirror: the mirror itself, the repository's state, its robot's role and the robot's count of mirrors, all
    /// or nothing. Its schedule is still to be made.
    pub async fn create_mirror(&self, mirror: NewMirror, now: Timestamp) -> Result<Mirror, CreateMirrorError> {
        let grant = mirror.grant;
        let mirror = Mirror {
            state: SyncState::new(mirror.sync_start_date, Uuid::new_v4()),
            config: mirror.config,
            secrets: mirror.secrets,
            created: now,
            config_revision: 1,
            scheduled_revision: 0,
            is_discovered: false,
        };
        let (repository, robot) = (&mirror.config.repository, &mirror.config.robot);
        let mut transaction = Transaction::new(self);
        transaction.create(Key::Mirror(repository), &mirror)?;
        let change =
            Change { update: "SET #state = :state", condition: "attribute_exists(#state) AND NOT #is_deleted = :true" };
        let state = serde_dynamo::to_attribute_value(RepositoryState::Mirror).map_err(StateError::from)?;
        let values = [(":state".to_owned(), state), (":true".to_owned(), AttributeValue::Bool(true))];
        transaction.update(Key::Repository(repository), change, Item::from(values))?;
        count_mirrors(&mut transaction, robot, 1)?;
        if let Some(role) = grant {
            permission::grant(&mut transaction, repository, robot, role)?;
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(mirror),
            Committed::Refused(0) => Err(CreateMirrorError::Exists),
            Committed::Refused(1) => Err(CreateMirrorError::NoRepository),
            Committed::Refused(_) => Err(CreateMirrorError::NoRobot),
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
        let (repository, robot) = (&changed.config.repository, &changed.config.robot);
        let mut transaction = Transaction::new(self);
        let change = Change { update: &update, condition: "#config_revision = :seen" };
        transaction.update(Key::Mirror(repository), change, values)?;
        if *robot != before.config.robot && !changed.is_discovered {
            count_mirrors(&mut transaction, robot, 1)?;
            count_mirrors(&mut transaction, &before.config.robot, -1)?;
        }
        if let Some(role) = grant {
            permission::grant(&mut transaction, repository, robot, role)?;
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::Conflict),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Ends mirroring: deletes the mirror as it was read, and makes its repository an ordinary one. A running sync
    /// stops. [`StateError::Conflict`] if the mirror was changed.
    pub async fn delete_mirror(&self, mirror: &Mirror) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        self.unlink_mirror(&mut transaction, mirror)?;
        if mirror.is_discovered {
            discovered::forget(&mut transaction, &mirror.config.repository)?;
        }
        let change = Change { update: "SET #state = :state", condition: "attribute_exists(#state)" };
        let state = serde_dynamo::to_attribute_value(RepositoryState::Normal)?;
        transaction.update(
            Key::Repository(&mirror.config.repository),
            change,
            Item::from([(":state".to_owned(), state)]),
        )?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// The deletion of a mirror, as a part of a transaction.
    #[expect(clippy::unused_self, reason = "a part of the table's interface")]
    pub(crate) fn unlink_mirror(&self, transaction: &mut Transaction<'_>, mirror: &Mirror) -> Result<(), StateError> {
        let seen = Item::from([(":seen".to_owned(), AttributeValue::N(mirror.config_revision.to_string()))]);
        transaction.delete(Key::Mirror(&mirror.config.repository), Some(("#config_revision = :seen", seen)))?;
        if mirror.is_discovered { Ok(()) } else { count_mirrors(transaction, &mirror.config.robot, -1) }
    }

    /// Records that a mirror's schedule was made from `revision` of its configuration. If there is a later one by now, or
    /// no mirror, nothing is recorded, and the answer is no: the schedule is to be made again.
    pub async fn set_scheduled(&self, repository: &RepositoryName, revision: u64) -> Result<bool, StateError> {
        self.scheduled(Key::Mirror(repository), revision).await
    }

    pub(crate) async fn scheduled(&self, key: Key<'_>, revision: u64) -> Result<bool, StateError> {
        let revision = AttributeValue::N(revision.to_string());
        let update = self.set(key, HashMap::from([("scheduled_revision".into(), revision)]));
        let update = update.condition_expression("#config_revision = :scheduled_revision");
        match conditional(update.expression_attribute_names("#config_revision", "config_revision")).await {
            Ok(()) => Ok(true),
            Err(StateError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The mirrors of these repositories, in no order; those that have none are left out.
    pub async fn mirrors_of(&self, repositories: &[RepositoryName]) -> Result<Vec<Mirror>, StateError> {
        let keys = repositories.iter().map(|repository| Key::Mirror(repository).attributes()).collect();
        self.get_all(keys).await
    }
}

/// Counts a mirror of a robot, up or down. The robot must exist where it gets one more.
pub(crate) fn count_mirrors(transaction: &mut Transaction<'_>, robot: &RobotName, by: i8) -> Result<(), StateError> {
    let change = Change { update: "ADD #mirrors :by", condition: "attribute_exists(#pk)" };
    let values = Item::from([(":by".to_owned(), AttributeValue::N(by.to_string()))]);
    transaction.update(Key::Robot(robot), change, values)
}
