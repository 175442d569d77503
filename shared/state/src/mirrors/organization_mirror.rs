//! Mirrors of whole organizations: their configuration and state. What they have found is in `discovered`.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    MirrorOf, MirrorSecrets, Namespace, Timestamp, Timetable, organization::OrganizationMirrorConfig, status::SyncState,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    access::robot_use::{release_robot, use_robot},
    expression::Change,
    key::Key,
    mirrors::{configuration::Changed, mirror::LISTED},
    organizations::generation::within,
    table::{Item, conditional, readable},
    transaction::{Committed, Transaction},
};

/// An organization's mirror as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrganizationMirror {
    /// What is mirrored from where, and when.
    #[serde(flatten)]
    pub config: OrganizationMirrorConfig,
    /// The passwords at the external registry and at the proxies.
    #[serde(flatten)]
    pub secrets: MirrorSecrets,
    /// Where its discovery stands. The repositories' mirrors have states of their own.
    #[serde(flatten)]
    pub state: SyncState,
    /// When it was created.
    pub created: Timestamp,
    /// Counts changes of the configuration, so that two at once cannot undo each other.
    pub config_revision: u64,
    /// The revision that the schedule was made from. If it is another one, the schedule is to be made again.
    #[serde(default)]
    pub scheduled_revision: u64,
    /// Whether it was deleted. It is there until its repositories are ordinary ones.
    #[serde(default)]
    pub is_deleted: bool,
    /// Where the index of all mirrors has it, until it is deleted; those that earlier releases made are put there by the
    /// reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
}

/// Why an organization's mirror was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateOrganizationMirrorError {
    /// The organization has one.
    #[error("the organization has a mirror")]
    Exists,
    /// There is no such organization.
    #[error("there is no such organization")]
    NoOrganization,
    /// There is no such robot.
    #[error("there is no such robot")]
    NoRobot,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl OrganizationMirror {
    /// What its schedule is made from.
    pub fn timetable(&self) -> Timetable {
        let config = &self.config;
        Timetable {
            of: MirrorOf::Organization(config.organization.clone()),
            state: self.state.clone(),
            sync_interval: config.sync_interval,
            is_enabled: config.is_enabled,
        }
    }
}

impl Table {
    /// Creates an organization's mirror, and counts it with its robot. Its schedule is still to be made.
    pub async fn create_organization_mirror(
        &self,
        config: OrganizationMirrorConfig,
        secrets: MirrorSecrets,
        start: Timestamp,
        now: Timestamp,
    ) -> Result<OrganizationMirror, CreateOrganizationMirrorError> {
        let robot = self.robot(&config.robot).await?.ok_or(CreateOrganizationMirrorError::NoRobot)?;
        let mirror = OrganizationMirror {
            state: SyncState::new(start, Uuid::new_v4()),
            config,
            secrets,
            created: now,
            config_revision: 1,
            scheduled_revision: 0,
            is_deleted: false,
            listed: Some(LISTED.to_owned()),
        };
        let organization = &mirror.config.organization;
        let mut transaction = Transaction::new(self);
        transaction.create(Key::OrganizationMirror(organization), &mirror)?;
        use_robot(&mut transaction, &robot)?;
        within(&mut transaction, organization, robot.organization_id)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(mirror),
            Committed::Refused(0) => Err(CreateOrganizationMirrorError::Exists),
            Committed::Refused(1) => Err(CreateOrganizationMirrorError::NoRobot),
            Committed::Refused(_) => Err(CreateOrganizationMirrorError::NoOrganization),
        }
    }

    /// Reads an organization's mirror; nothing if there is none, or it was deleted.
    pub async fn organization_mirror(
        &self,
        organization: &Namespace,
    ) -> Result<Option<OrganizationMirror>, StateError> {
        Ok(self.any_organization_mirror(organization).await?.filter(|mirror| !mirror.is_deleted))
    }

    /// As [`Self::organization_mirror`], but with one that was deleted and has repositories left.
    pub async fn any_organization_mirror(
        &self,
        organization: &Namespace,
    ) -> Result<Option<OrganizationMirror>, StateError> {
        self.get(Key::OrganizationMirror(organization)).await
    }

    /// The mirrors of these organizations, in no order; those that have none, or one that was deleted or cannot be read, are
    /// left out.
    pub async fn organization_mirrors(
        &self,
        organizations: &[Namespace],
    ) -> Result<Vec<OrganizationMirror>, StateError> {
        let keys = organizations.iter().map(|name| Key::OrganizationMirror(name).attributes()).collect();
        let mirrors = readable::<OrganizationMirror>(self.get_items(keys).await?);
        Ok(mirrors.into_iter().filter(|mirror| !mirror.is_deleted).collect())
    }

    /// Changes configuration, passwords and next start to what `changed` holds, if the mirror is still at the revision of
    /// `before`, which `changed` was made from; else [`StateError::Conflict`]. [`StateError::NotFound`] if there is no
    /// such robot.
    pub async fn change_organization_mirror(
        &self,
        changed: &OrganizationMirror,
        before: &OrganizationMirror,
    ) -> Result<(), StateError> {
        let (update, mut values) = Changed {
            config: &changed.config,
            secrets: &changed.secrets,
            state: &changed.state,
            config_revision: before.config_revision,
            scheduled_revision: changed.scheduled_revision,
        }
        .update(&before.state)?;
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        let mut transaction = Transaction::new(self);
        let condition = "#config_revision = :seen AND NOT #is_deleted = :true";
        let change = Change { update: &update, condition };
        transaction.update(Key::OrganizationMirror(&changed.config.organization), change, values)?;
        if changed.config.robot != before.config.robot {
            let robot = self.robot(&changed.config.robot).await?.ok_or(StateError::NotFound)?;
            use_robot(&mut transaction, &robot)?;
            release_robot(&mut transaction, &before.config.robot)?;
            within(&mut transaction, &changed.config.organization, robot.organization_id)?;
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::Conflict),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Marks an organization's mirror as deleted, which ends a running discovery. Its repositories are still to be
    /// released. [`StateError::NotFound`] if there is none, or it was marked before: of several callers one has deleted it.
    pub async fn mark_organization_mirror_deleted(&self, organization: &Namespace) -> Result<(), StateError> {
        let id = AttributeValue::S(Uuid::new_v4().to_string());
        let values = [(":true".to_owned(), AttributeValue::Bool(true)), (":id".to_owned(), id)];
        let change = Change {
            update: "SET #is_deleted = :true, #sync_transaction_id = :id REMOVE #listed",
            condition: "attribute_exists(#pk) AND NOT #is_deleted = :true",
        };
        let update = self.change(Key::OrganizationMirror(organization), change, Item::from(values));
        match conditional(update).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

    /// Deletes an organization's mirror that was marked as deleted. Its robot may go from now on.
    pub async fn delete_organization_mirror(&self, mirror: &OrganizationMirror) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        let deleted = Item::from([(":true".to_owned(), AttributeValue::Bool(true))]);
        let key = Key::OrganizationMirror(&mirror.config.organization);
        transaction.delete(key, Some(("#is_deleted = :true", deleted)))?;
        release_robot(&mut transaction, &mirror.config.robot)?;
        // Whoever was faster has done the same.
        transaction.commit().await.map(drop)
    }
}
