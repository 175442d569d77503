//! The lock of a repository.
//!
//! It is three attributes of the repository's item. A sync has no lock but a claim, on its mirror's item; each looks for
//! the other in the transaction that takes it. What the table does not know of, but the bucket has content of, is locked
//! by an item of its own, which keeps the name from being taken.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    RepositoryName, Timestamp,
    lock::{Lock, LockKind},
    mirror::RepositoryState,
    status::SyncStatus,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::{moment, now},
    error::or_gone,
    expression::Change,
    key::Key,
    repositories::{
        lock_condition::{QUIET, UNLOCKED, at_present},
        repository::Repository,
    },
    table::{Item, conditional},
    transaction::{Committed, Transaction},
};

/// Of a mirror's item, if there is one: no sync runs, and none from which the claim was taken away may still write. It
/// needs `:syncing` and `:now`.
const IDLE: &str = "attribute_not_exists(#pk) OR \
                    (NOT (#sync_status = :syncing AND #sync_expiration_date > :now) AND NOT #sync_left_until > :now)";

/// A lock of what the table has no repository of.
#[derive(Serialize, Deserialize)]
pub(crate) struct StrayLock {
    lock_by: Uuid,
    lock_until: Timestamp,
    /// For the table's own cleaning up.
    expires_at: Timestamp,
}

impl Table {
    /// Locks a repository for a while. [`StateError::NotFound`] if there is none that can be locked so: what is deleted can
    /// only be purged, and tags are changed by hand only of ordinary repositories. [`StateError::Locked`] if somebody else
    /// has it, or a sync runs.
    pub async fn lock_repository(
        &self,
        name: &RepositoryName,
        kind: LockKind,
        duration: Duration,
    ) -> Result<Lock, StateError> {
        let lock = Lock { by: Uuid::new_v4(), kind, until: now().plus(duration) };
        let mut values: Item = at_present();
        let attributes: Item = serde_dynamo::to_item(lock)?;
        values.extend(attributes.into_iter().map(|(name, value)| (format!(":{name}"), value)));
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        let which = match kind {
            LockKind::Purge => "#is_deleted = :true",
            LockKind::Prune => "NOT #is_deleted = :true",
            LockKind::Tag => {
                values.insert(":normal".to_owned(), serde_dynamo::to_attribute_value(RepositoryState::Normal)?);
                "NOT #is_deleted = :true AND #state = :normal"
            }
        };
        let condition = format!("attribute_exists(#pk) AND {which} AND {UNLOCKED} AND {QUIET}");
        let update = "SET #lock_by = :lock_by, #lock_kind = :lock_kind, #lock_until = :lock_until";
        let mut transaction = Transaction::new(self);
        transaction.update(Key::Repository(name), Change { update, condition: &condition }, values)?;
        let mut idle = at_present();
        idle.insert(":syncing".to_owned(), serde_dynamo::to_attribute_value(SyncStatus::Syncing)?);
        transaction.check(Key::Mirror(name), IDLE, idle)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(lock),
            Committed::Refused(_) => Err(self.why_locked(name, kind).await?),
        }
    }

    async fn why_locked(&self, name: &RepositoryName, kind: LockKind) -> Result<StateError, StateError> {
        let found: Option<Repository> = self.get(Key::Repository(name)).await?;
        let can_be = found.is_some_and(|it| match kind {
            LockKind::Purge => it.is_deleted,
            LockKind::Prune => !it.is_deleted,
            LockKind::Tag => !it.is_deleted && it.state == RepositoryState::Normal,
        });
        Ok(if can_be { StateError::Locked } else { StateError::NotFound })
    }

    /// Prolongs a lock that has not ended; [`StateError::Conflict`] if it has, whoever has it now.
    pub async fn extend_lock(&self, name: &RepositoryName, lock: &Lock, until: Timestamp) -> Result<(), StateError> {
        let update = self.update(Key::Repository(name)).update_expression("SET #until = :until");
        let update = update.condition_expression("#by = :by AND #until > :now");
        let update = update.expression_attribute_names("#by", "lock_by");
        let update = update.expression_attribute_names("#until", "lock_until");
        let update = update.expression_attribute_values(":by", AttributeValue::S(lock.by.to_string()));
        let update = update.expression_attribute_values(":until", moment(until));
        conditional(update.expression_attribute_values(":now", moment(now()))).await
    }

    /// Gives a lock up. If it is somebody else's by now, or went with its repository, nothing happens.
    pub async fn unlock_repository(&self, name: &RepositoryName, lock: &Lock) -> Result<(), StateError> {
        let update = self.update(Key::Repository(name)).update_expression("REMOVE #by, #kind, #until");
        let update = update.condition_expression("#by = :by").expression_attribute_names("#by", "lock_by");
        let update = update.expression_attribute_names("#kind", "lock_kind");
        let update = update.expression_attribute_names("#until", "lock_until");
        let update = update.expression_attribute_values(":by", AttributeValue::S(lock.by.to_string()));
        match conditional(update).await {
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }

    /// Locks a name that the table has no repository of, for as long as what the bucket has of it is looked at: nobody takes
    /// it meanwhile. [`StateError::Locked`] if somebody has done so, or there is such a repository.
    pub async fn lock_stray(&self, name: &RepositoryName, duration: Duration) -> Result<Lock, StateError> {
        let lock = Lock { by: Uuid::new_v4(), kind: LockKind::Prune, until: now().plus(duration) };
        let item = StrayLock { lock_by: lock.by, lock_until: lock.until, expires_at: lock.until };
        let mut transaction = Transaction::new(self);
        transaction.put_if(Key::StrayLock(name), &item, UNLOCKED, at_present())?;
        transaction.check(Key::Repository(name), "attribute_not_exists(#pk)", Item::new())?;
        match transaction.commit().await? {
            Committed::Yes => Ok(lock),
            Committed::Refused(_) => Err(StateError::Locked),
        }
    }

    /// Gives the lock of a name up.
    pub async fn unlock_stray(&self, name: &RepositoryName, lock: &Lock) -> Result<(), StateError> {
        let by = (":by", AttributeValue::S(lock.by.to_string()));
        match or_gone(self.delete_if(Key::StrayLock(name), "lock_by = :by", by).await) {
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }
}
