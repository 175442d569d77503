//! The end of repositories: they are marked first, then emptied, then deleted.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{RepositoryName, lock::Lock};

use crate::{
    StateError, Table,
    clock::now,
    error::or_gone,
    expression::Change,
    key::{Key, repository_pk},
    mirrors::{active, left::remember_left, mirror::Mirror},
    repositories::{
        lock_condition::{UNLOCKED, at_present},
        public_entry,
        repository::Repository,
    },
    table::Item,
    transaction::{Committed, Transaction},
};

impl Table {
    /// Marks a repository as deleted, and deletes its mirror with it, which ends a running sync: until that has noticed, it
    /// is remembered here. The rest is left to [`Table::purge_repository`]. `mirror` is the mirror as it was read;
    /// [`StateError::Conflict`] if there is another one or none by now, or its sync has gone on,
    /// [`StateError::NotFound`] if there is no repository or it was marked before, [`StateError::Locked`] while somebody has
    /// it to themselves.
    pub async fn mark_repository_deleted(
        &self,
        name: &RepositoryName,
        mirror: Option<&Mirror>,
    ) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        let mut values = at_present();
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        let left = remember_left(mirror.map(|mirror| &mirror.state), &mut values);
        let condition = format!("attribute_exists(#pk) AND NOT #is_deleted = :true AND {UNLOCKED}");
        // The index has it until nothing is left, so that a purge is found that nobody goes on with.
        values.insert(":purges".to_owned(), AttributeValue::S(active::PURGES.to_owned()));
        let update = format!("SET #is_deleted = :true, #{} = :purges{left}", active::ATTRIBUTE);
        let change = Change { update: &update, condition: &condition };
        transaction.update(Key::Repository(name), change, values)?;
        match mirror {
            Some(mirror) => self.unlink_mirror(&mut transaction, mirror)?,
            None => transaction.delete(Key::Mirror(name), Some(("attribute_not_exists(#pk)", Item::new())))?,
        }
        public_entry::list(&mut transaction, name, false)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(self.locked_or(name, StateError::NotFound).await?),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }

    /// A repository that was deleted, or left behind by an organization that is gone, if something of it is left.
    pub async fn deleted_repository(&self, name: &RepositoryName) -> Result<Option<Repository>, StateError> {
        let (found, present) = self.get_within::<Repository>(Key::Repository(name), &name.namespace()).await?;
        let present = present.map(|present| present.id);
        Ok(found.filter(|found| found.is_deleted || Some(found.organization_id) != present))
    }

    /// Whether nobody purges a repository that was deleted, nor has to be waited for: then somebody has to begin.
    pub async fn is_purge_lost(&self, name: &RepositoryName) -> Result<bool, StateError> {
        let found = self.deleted_repository(name).await?;
        Ok(found.is_some_and(|found| {
            let until = found.left_until.max(found.lock.map(|lock| lock.until));
            until.is_none_or(|until| until <= now())
        }))
    }

    /// Whether a repository was deleted, and something of it is left.
    pub async fn is_repository_deleted(&self, name: &RepositoryName) -> Result<bool, StateError> {
        Ok(self.deleted_repository(name).await?.is_some())
    }

    /// Deletes every item of a deleted repository, and last the one that keeps its name taken. `lock` is for purging it;
    /// [`StateError::Conflict`] if that has ended.
    pub async fn purge_repository(&self, name: &RepositoryName, lock: &Lock) -> Result<(), StateError> {
        for robot in self.robots_with_roles(name).await? {
            or_gone(self.revoke(name, &robot).await)?;
        }
        for user in self.users_with_roles(name).await? {
            or_gone(self.revoke_user(name, &user).await)?;
        }
        for (team, _) in self.team_roles(name).await? {
            or_gone(self.revoke_team(name, &team).await)?;
        }
        self.delete_all(&repository_pk(name), "").await?;
        let mut transaction = Transaction::new(self);
        let mut values = at_present();
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        values.insert(":by".to_owned(), AttributeValue::S(lock.by.to_string()));
        let ours = "#is_deleted = :true AND #lock_by = :by AND #lock_until > :now";
        transaction.delete(Key::Repository(name), Some((ours, values)))?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::Conflict),
        }
    }
}
