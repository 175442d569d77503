//! What users may do with repositories by a role of their own. It counts only for the very user and the very repository that it
//! was given for.

use moorage_domain::{Generation, RepositoryName, UserName};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    access::permission::Role,
    key::{Key, prefix, repository_pk, user_roles_pk},
    organizations::generation::within,
    people::user::{User, UserRef, expect_user},
    repositories::repository::{self, Repository},
    table::{Item, Query},
    transaction::{Committed, Transaction},
};

/// The most repositories of one namespace on which a user has a role of their own: all of a user's are read for each list that
/// they ask for, and no namespace's admins make that long for others'. Teams go further.
pub const MAX_USER_ROLES: usize = 1_000;

/// Why a user does not get a role.
#[derive(Debug, thiserror::Error)]
pub enum GrantUserError {
    /// They have [`MAX_USER_ROLES`] in the namespace.
    #[error("the user has roles on {MAX_USER_ROLES} repositories of the namespace")]
    TooMany,
    /// The table failed, or either is gone.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A user's role on a repository, as the repository has it: what counts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UserPermission {
    user: UserName,
    user_id: Generation,
    repository_id: Generation,
    role: Role,
}

impl UserPermission {
    /// The role, if it is this user's on this repository.
    pub(crate) fn of(self, on: &Repository, user: (&UserName, Generation)) -> Option<Role> {
        let is_theirs = (&self.user, self.user_id) == user && self.repository_id == on.id;
        is_theirs.then_some(self.role)
    }
}

/// The same as it is found from its user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UserGrant {
    pub(crate) repository: RepositoryName,
    pub(crate) repository_id: Generation,
    pub(crate) role: Role,
    pub(crate) user_id: Generation,
}

impl Table {
    /// Gives a user a role on a repository; [`StateError::NotFound`] if either is gone by now. Where several are
    /// given at once they may come to a few more than [`MAX_USER_ROLES`].
    pub async fn grant_user(&self, on: &Repository, user: &User, role: Role) -> Result<(), GrantUserError> {
        let (repository, repository_id) = (&on.repository, on.id);
        if !self.has_room_for_role(repository, &user.name).await? {
            return Err(GrantUserError::TooMany);
        }
        let mut transaction = Transaction::new(self);
        expect_user(&mut transaction, &UserRef::from(user))?;
        repository::expect_this(&mut transaction, on)?;
        let permission = UserPermission { user: user.name.clone(), user_id: user.id, repository_id, role };
        transaction.put(Key::UserPermission(repository, &user.name), &permission)?;
        let grant = UserGrant { repository: repository.clone(), repository_id, role, user_id: user.id };
        transaction.put(Key::UserGrant(&user.name, repository), &grant)?;
        within(&mut transaction, &repository.namespace(), on.organization_id)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound.into()),
        }
    }

    /// Whether a user may have a role on a repository, beside those that they have in its namespace.
    pub async fn has_room_for_role(&self, on: &RepositoryName, user: &UserName) -> Result<bool, StateError> {
        let prefix = format!("{}{}/", prefix::GRANT, on.namespace());
        let limit = i32::try_from(MAX_USER_ROLES).ok();
        let query = Query { pk: user_roles_pk(user), prefix: &prefix, newest_first: false, limit, after: None };
        let grants = self.page::<UserGrant>(query).await?.items;
        if grants.len() < MAX_USER_ROLES {
            return Ok(true);
        }
        // To change one is not to have another.
        Ok(self.get::<UserGrant>(Key::UserGrant(user, on)).await?.is_some())
    }

    /// Takes a user's role on a repository away; [`StateError::NotFound`] if they have none.
    pub async fn revoke_user(&self, repository: &RepositoryName, user: &UserName) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        let there = Some(("attribute_exists(#pk)", Item::new()));
        transaction.delete(Key::UserPermission(repository, user), there)?;
        transaction.delete(Key::UserGrant(user, repository), None)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// The role that a user has of their own on a repository.
    pub async fn user_role(&self, on: &Repository, user: &User) -> Result<Option<Role>, StateError> {
        let found: Option<UserPermission> = self.get(Key::UserPermission(&on.repository, &user.name)).await?;
        Ok(found.and_then(|found| found.of(on, (&user.name, user.id))))
    }

    /// The users that have a role on a repository, by name.
    pub async fn user_roles(&self, on: &Repository) -> Result<Vec<(UserName, Role)>, StateError> {
        let found = self.user_permissions(&on.repository).await?;
        let present = self.user_generations(found.iter().map(|it| &it.user)).await?;
        let role = |found: UserPermission| {
            let name = found.user.clone();
            let role = found.of(on, (&name, *present.get(&name)?))?;
            Some((name, role))
        };
        Ok(found.into_iter().filter_map(role).collect())
    }

    /// The users that have or had a role on a repository, also those that are gone.
    pub(crate) async fn users_with_roles(&self, repository: &RepositoryName) -> Result<Vec<UserName>, StateError> {
        Ok(self.user_permissions(repository).await?.into_iter().map(|it| it.user).collect())
    }

    async fn user_permissions(&self, repository: &RepositoryName) -> Result<Vec<UserPermission>, StateError> {
        self.all(repository_pk(repository), prefix::USER_PERMISSION).await
    }

    /// The roles of all users that have borne a name.
    pub(crate) async fn all_user_grants(&self, user: &UserName) -> Result<Vec<UserGrant>, StateError> {
        self.all(user_roles_pk(user), prefix::GRANT).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use moorage_domain::{Timestamp, mirror::RepositoryState};
    use uuid::Uuid;

    use super::*;
    use crate::{people::user::tests::user, repositories::repository::NewRepository};

    /// A repository, whose organization is the `organization`th of its name.
    pub(crate) fn repository(name: &str, organization: u128) -> Repository {
        Repository::from(NewRepository {
            repository: name.parse().unwrap(),
            organization_id: Generation::new(Uuid::from_u128(organization)),
            state: RepositoryState::Normal,
            is_public: false,
            description: String::new(),
            created: Timestamp::from_unix(0),
        })
    }

    pub(crate) fn permission(on: &Repository, user: &User, role: Role) -> UserPermission {
        UserPermission { user: user.name.clone(), user_id: user.id, repository_id: on.id, role }
    }

    #[test]
    fn a_role_is_for_the_very_user_and_the_very_repository() {
        let (first, second, ann) = (repository("acme/app", 1), repository("acme/app", 1), user("ann", 1));
        let role = |on: &Repository, user: &User| permission(&first, &ann, Role::Write).of(on, (&user.name, user.id));
        assert_eq!(role(&first, &ann), Some(Role::Write));
        assert_eq!(role(&second, &ann), None, "another repository of the name");
        assert_eq!(role(&first, &user("ann", 2)), None, "another user of the name");
    }
}
