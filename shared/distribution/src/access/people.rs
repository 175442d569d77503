//! People who pull: by app tokens, as the password of `$app` or of their own name. Who they are, with the groups that they had
//! when they last signed in, is as old as all that is kept of callers.

use std::sync::Arc;

use futures_util::future::try_join;
use moorage_domain::{GroupName, Timestamp, UserName};
use moorage_state::{AppToken, BoundTeam, PersonIdentity, Table, User};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::{
    cache::{Cache, KEPT},
    error::PullError,
};

/// The user name that goes with any app token, as in Quay.
pub(crate) const APP_USER: &str = "$app";
/// What a registry's token names the app token by that it was given for. No hash begins so.
const CREDENTIAL: &str = "app:";
/// How long the groups count that somebody had when they last signed in, in seconds: 90 days. Nobody asks the provider about who
/// does not sign in, so that who has left a group would have what it gave for as long as an app token works; whoever works here
/// signs in once in a quarter of a year.
const GROUPS_COUNT: i64 = 90 * 24 * 3_600;
/// How many people's tokens are kept.
const CAPACITY: usize = 1_000;
/// What an unknown token's secret is compared with.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The provider by which people sign in.
#[derive(Debug, Clone)]
pub struct Provider {
    issuer: String,
    superusers: Option<GroupName>,
}

impl Provider {
    /// People of this issuer are known, and whoever is in `superusers` may pull everything; nobody is without an issuer.
    pub fn new(issuer: &str, superusers: Option<GroupName>) -> Option<Self> {
        (!issuer.is_empty()).then(|| Self { issuer: issuer.to_owned(), superusers })
    }

    /// What is kept of a token, if its user is known by this provider.
    fn known(&self, token: &AppToken, mut user: User, now: Timestamp) -> Option<KnownPerson> {
        // Then they have what was given to them by name, until they sign in again.
        if now.unix().saturating_sub(user.signed_in.unix()) >= GROUPS_COUNT {
            user.groups.clear();
        }
        (user.issuer == self.issuer).then(|| KnownPerson {
            hash: token.secret_hash().to_owned(),
            is_superuser: self.superusers.as_ref().is_some_and(|group| user.groups.contains(group)),
            user: Arc::new(user),
        })
    }
}

/// What is kept of an app token: whose it is.
#[derive(Clone)]
pub(crate) struct KnownPerson {
    hash: String,
    pub(crate) user: Arc<User>,
    /// Whether they may pull everything.
    pub(crate) is_superuser: bool,
}

/// By what an app token is asked for: its id, and if that was said, whose it is.
type Asked = (Uuid, Option<UserName>);

/// All people, as the table knows them. Who is not there is kept, too.
pub(crate) struct People {
    table: Table,
    provider: Option<Provider>,
    known: Cache<Asked, Option<KnownPerson>>,
    bound: Cache<(), Arc<[BoundTeam]>>,
}

impl People {
    pub(crate) fn new(table: Table, provider: Option<Provider>) -> Self {
        Self { table, provider, known: Cache::new(CAPACITY, KEPT), bound: Cache::new(1, KEPT) }
    }

    /// Whether there are any.
    pub(crate) const fn is_on(&self) -> bool {
        self.provider.is_some()
    }

    /// The token and the name that somebody shows, if they could be a person's.
    pub(crate) fn shown(user: &str, id: Option<Uuid>) -> Option<Asked> {
        let name = if user == APP_USER { None } else { Some(user.parse().ok()?) };
        Some((id?, name))
    }

    /// Whose an app token is.
    pub(crate) async fn login(
        &self,
        user: &str,
        (id, secret_hash): (Option<Uuid>, &str),
        now: Timestamp,
    ) -> Result<Option<(UserName, Uuid)>, PullError> {
        let Some(asked) = Self::shown(user, id) else { return Ok(None) };
        let id = asked.0;
        let known = self.known(asked, now).await?;
        let hash = known.as_ref().map_or(NO_HASH, |known| &known.hash);
        let is_equal = bool::from(secret_hash.as_bytes().ct_eq(hash.as_bytes()));
        Ok(known.filter(|_| is_equal).map(|known| (known.user.name.clone(), id)))
    }

    /// By what a registry's token names an app token.
    pub(crate) fn credential(id: Uuid) -> String {
        format!("{CREDENTIAL}{id}")
    }

    /// The app token that a registry's token names.
    pub(crate) fn token_of(credential: &str) -> Option<Uuid> {
        credential.strip_prefix(CREDENTIAL)?.parse().ok()
    }

    /// The user of an app token, if both are there and may pull.
    pub(crate) async fn person(
        &self,
        name: &UserName,
        by: Uuid,
        now: Timestamp,
    ) -> Result<Option<KnownPerson>, PullError> {
        self.known((by, Some(name.clone())), now).await
    }

    /// The same with what decides which roles are theirs. Who is read for the first time is read with the teams.
    pub(crate) async fn identity(
        &self,
        name: &UserName,
        by: Uuid,
        now: Timestamp,
    ) -> Result<Option<(KnownPerson, PersonIdentity)>, PullError> {
        let (person, bound) = try_join(self.person(name, by, now), self.bound(now)).await?;
        Ok(person.and_then(|person| Some((person.clone(), person.user.identity(&bound)?))))
    }

    pub(crate) async fn known(&self, asked: Asked, now: Timestamp) -> Result<Option<KnownPerson>, PullError> {
        if self.provider.is_none() {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&asked, now) {
            return Ok(known);
        }
        let found = match &asked {
            (id, Some(name)) => self.table.app_token_of(*id, name, now).await?,
            (id, None) => self.table.app_token(*id, now).await?,
        };
        Ok(self.keep(asked, found, now))
    }

    /// Keeps what was read of a token.
    pub(crate) fn keep(&self, asked: Asked, found: Option<(AppToken, User)>, now: Timestamp) -> Option<KnownPerson> {
        let known = found.and_then(|(token, user)| self.provider.as_ref()?.known(&token, user, now));
        if let (Some(known), (id, None)) = (&known, &asked) {
            // From now on it is asked for by its user's name, too.
            self.known.insert((*id, Some(known.user.name.clone())), Some(known.clone()), now);
        }
        self.known.insert(asked, known.clone(), now);
        known
    }

    /// The teams that are bound to groups.
    pub(crate) async fn bound(&self, now: Timestamp) -> Result<Arc<[BoundTeam]>, PullError> {
        // Nobody asks where there are no people.
        if self.provider.is_none() {
            return Ok(Arc::from([]));
        }
        if let Some(bound) = self.bound.get(&(), now) {
            return Ok(bound);
        }
        let bound: Arc<[_]> = self.table.bound_teams().await?.into();
        self.bound.insert((), Arc::clone(&bound), now);
        Ok(bound)
    }
}

#[cfg(test)]
mod tests;
