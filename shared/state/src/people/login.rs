//! What decides a pull of somebody who names themselves: their app token, themselves, and the repository, in one request.

use moorage_domain::{RepositoryName, Timestamp, UserName};
use uuid::Uuid;

use crate::{
    StateError, Table,
    access::{
        permission::Role,
        standing::{generation, parsed},
    },
    key::Key,
    organizations::generation::ADMIN,
    people::{
        app_token::AppToken,
        permission::UserPermission,
        user::{User, keys_of, users_in},
    },
    repositories::repository::Repository,
    table::Item,
};

/// What there is of a user's app token and a repository at one moment.
#[derive(Debug, Clone)]
pub struct PersonStanding {
    /// The token and its user, as [`Table::app_token`] reads them; nothing if it is not of a user of that name.
    pub login: Option<(AppToken, User)>,
    /// The repository, as [`Table::repository`] reads it.
    pub repository: Option<Repository>,
    /// The user's own role there: all that they have, unless they are in teams of its organization.
    pub own: Option<Role>,
}

impl Table {
    /// Reads a token that is good, with its user, as [`Self::app_token`] does; nothing if they are not called `name`. One
    /// request, as that is known.
    pub async fn app_token_of(
        &self,
        id: Uuid,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Option<(AppToken, User)>, StateError> {
        let keys = [Key::AppToken(id)].into_iter().chain(keys_of(name)).map(|key| key.attributes());
        good(&self.get_items(keys.collect()).await?, id, name, now)
    }

    /// Reads an app token with its user, and a repository with the user's own role there. One request, whatever there is:
    /// nobody has shown yet that the user calls, and time must not tell who only guesses what it is and has.
    pub async fn person_standing(
        &self,
        id: Uuid,
        name: &UserName,
        repository: &RepositoryName,
        now: Timestamp,
    ) -> Result<PersonStanding, StateError> {
        let namespace = repository.namespace();
        let organization = (namespace.as_str() != ADMIN).then_some(Key::Organization(&namespace));
        let keys = [Key::AppToken(id), Key::Repository(repository), Key::UserPermission(repository, name)];
        let keys = keys.into_iter().chain(keys_of(name)).chain(organization).map(|key| key.attributes());
        let items = self.get_items(keys.collect()).await?;
        let login = good(&items, id, name, now)?;
        let present = generation(&items, &namespace)?;
        let on: Option<Repository> = parsed(&items, Key::Repository(repository))?;
        let on = on.filter(|on| !on.is_deleted && Some(on.organization_id) == present);
        let own: Option<UserPermission> = parsed(&items, Key::UserPermission(repository, name))?;
        let own = login.as_ref().zip(on.as_ref()).zip(own);
        let own = own.and_then(|(((_, user), on), own)| own.of(on, (&user.name, user.id)));
        Ok(PersonStanding { login, repository: on, own })
    }
}

/// The token among some items with its user, if it is good.
fn good(items: &[Item], id: Uuid, name: &UserName, now: Timestamp) -> Result<Option<(AppToken, User)>, StateError> {
    let token: Option<AppToken> = parsed(items, Key::AppToken(id))?;
    let user = users_in(items.to_vec())?.pop();
    let is_good = |(token, user): &(AppToken, User)| token.is_good_for(user, now);
    Ok(token.zip(user.filter(|user| user.name == *name)).filter(is_good))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{people::user::tests::user, table::item};

    #[test]
    fn a_token_is_good_with_its_very_user() {
        let at = Timestamp::from_unix;
        let ann = user("ann", 1);
        let (token, _) = AppToken::generate("laptop".into(), &ann, Some(at(10)), at(0));
        let found = |user: &User, name: &str, now: i64| {
            let items = [item(Key::AppToken(token.id), &token), item(Key::User(&user.name), user)];
            let items: Vec<_> = items.into_iter().collect::<Result<_, _>>().unwrap();
            good(&items, token.id, &name.parse().unwrap(), at(now)).unwrap().is_some()
        };
        assert!(found(&ann, "ann", 9));
        assert!(!found(&ann, "ann", 10), "it has ended");
        assert!(!found(&ann, "bob", 0), "they are not called so");
        assert!(!found(&user("bob", 1), "bob", 0), "of somebody else");
        assert!(!found(&user("ann", 2), "ann", 0), "of another user of the name");
        assert!(!found(&User { enabled: false, ..ann }, "ann", 0));
    }
}
