//! Who may pull what. Everybody from public repositories; robots and people also from those on which they or one of their teams
//! have a role; superusers from all; holders of the API's tokens from those of the namespace that a token is limited to; the holder of the
//! stack's first one from all.
//!
//! Every request is judged by the callers and permissions of at most [`KEPT`] seconds ago, and by roles that may have been found by
//! teams of [`KEPT`] seconds before that, whatever its token was given for: a token narrows what a caller may, and never widens it.

pub(crate) mod caller;
pub(crate) mod credentials;
mod look_ahead;
pub(crate) mod nodes;
pub(crate) mod originals;
pub(crate) mod people;
pub(crate) mod scope;
pub(crate) mod token;

use std::sync::Arc;

use http::HeaderMap;
use moorage_domain::{
    Generation, Owner, RepositoryName, RobotLogin, SecretString, Timestamp,
    mirror::RepositoryState,
    signed_token::{sign, verify},
};
use moorage_runtime::StackSecret;
use moorage_state::{NewRepository, PersonIdentity, Repository, RobotIdentity, Role, Table};

use self::{
    caller::{Caller, Callers, Shown},
    credentials::Credentials,
    originals::{NodeNamespaces, Originals},
    people::Provider,
    scope::Scope,
    token::Claims,
};
use crate::{
    cache::{Cache, KEPT},
    error::PullError,
};

/// How many roles and visibilities are kept.
const CAPACITY: usize = 1_000;

/// A caller, and what the request may use of their rights.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    /// The scopes of the token that was shown; `None` if it was none.
    scopes: Option<Vec<Scope>>,
    credential: String,
}

impl Session {
    fn anonymous() -> Self {
        Self { caller: Caller::Anonymous, scopes: None, credential: String::new() }
    }

    /// Whether nothing at all was shown.
    pub(crate) fn is_bare(&self) -> bool {
        self.caller == Caller::Anonymous && self.scopes.is_none()
    }

    fn covers(&self, scope: &Scope) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }
}

/// What a caller may with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permit {
    /// Pull, as everybody.
    Public(Generation),
    /// Pull.
    Granted(Generation),
    /// Nothing.
    Refused,
    /// There is no such repository.
    Missing,
}

/// Callers, and what the table says of their rights.
pub struct Access {
    pub(crate) table: Table,
    key: StackSecret,
    pub(crate) callers: Callers,
    /// Which repositories there are not is kept, too: see [`Callers`].
    repositories: Cache<RepositoryName, Option<Repository>>,
    /// By the repository and the robot or person behind their names: who bears a name next gets nothing that was kept of them.
    roles: Cache<(Generation, Generation, RepositoryName), Role>,
    originals: Originals,
}

impl Access {
    /// `key` signs tokens, `admin` is the stack's first one, the mirrors of `nodes` answer for what they mirror, and people are
    /// those of `provider`.
    pub fn new(
        table: Table,
        (key, admin): (StackSecret, StackSecret),
        nodes: NodeNamespaces,
        provider: Option<Provider>,
    ) -> Self {
        let callers = Callers::new(table.clone(), admin, provider);
        let originals = Originals::new(table.clone(), nodes);
        let (repositories, roles) = (Cache::new(CAPACITY, KEPT), Cache::new(CAPACITY, KEPT));
        Self { table, key, callers, repositories, roles, originals }
    }

    /// Who calls, by what they show; [`PullError::LoginFailed`] if that does not hold. What will be asked of
    /// `wanted`, the repository that it is about, is read at the same time.
    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        wanted: Option<&RepositoryName>,
        now: Timestamp,
    ) -> Result<Session, PullError> {
        match Credentials::of(headers).map_err(|_| PullError::LoginFailed)? {
            Credentials::Anonymous => Ok(Session::anonymous()),
            Credentials::Basic(user, password) => {
                let shown = Callers::shown(&user, &password);
                self.look_ahead(shown.as_ref(), wanted, now).await?;
                let login = if Callers::is_federated(&user, &password) {
                    self.federated(&user, &password, now).await?
                } else {
                    self.callers.login(&user, password, now).await?
                };
                let (caller, credential) = login.ok_or(PullError::LoginFailed)?;
                Ok(Session { caller, scopes: None, credential })
            }
            Credentials::Bearer(token) => {
                let invalid = || PullError::Unauthorized { scope: None, problem: Some("invalid_token") };
                let claims: Claims = verify(&self.key.get(now).await?, &token, now).map_err(|_| invalid())?;
                let caller = Caller::parse(&claims.caller, &claims.credential).ok_or_else(invalid)?;
                let shown = Shown::Caller(caller.clone());
                self.look_ahead(Some(&shown), wanted, now).await?;
                // A robot that is gone, or got a new token, takes the old one's tokens with it; so does a federation that ended,
                // a person who is gone or disabled, and an app token.
                if !self.callers.holds(&caller, &claims.credential, now).await? {
                    return Err(invalid());
                }
                Ok(Session { caller, scopes: Some(claims.access), credential: claims.credential })
            }
        }
    }

    /// Whose user name and password these are, if the password is one that a robot was given for a workload's token.
    async fn federated(
        &self,
        user: &str,
        password: &SecretString,
        now: Timestamp,
    ) -> Result<Option<(Caller, String)>, PullError> {
        let Ok(login) = RobotLogin::verify(&self.key.get(now).await?, password, now) else { return Ok(None) };
        if login.robot.to_string() != user {
            return Ok(None);
        }
        self.callers.federated(login, now).await
    }

    /// A token for what the session's caller may of `scopes`. Asking for more is no error: clients look at what they
    /// get.
    pub(crate) async fn token(
        &self,
        session: &Session,
        scopes: Vec<Scope>,
        now: Timestamp,
    ) -> Result<SecretString, PullError> {
        // Else a token could be renewed for ever by itself.
        if session.scopes.is_some() {
            return Err(PullError::LoginFailed);
        }
        let mut access = Vec::new();
        for scope in scopes {
            let granted = match &scope {
                Scope::Pull(repository) => {
                    matches!(
                        self.permit(&session.caller, repository, now).await?,
                        Permit::Public(_) | Permit::Granted(_)
                    )
                }
                Scope::Mirror(origin) => !self.readable(session, origin, now).await?.owners.is_empty(),
                Scope::Catalog => session.caller != Caller::Anonymous,
            };
            access.extend(granted.then_some(scope));
        }
        let claims = Claims {
            caller: session.caller.name(),
            credential: session.credential.clone(),
            issued: now,
            expires: Timestamp::from_unix(now.unix() + token::LIFETIME),
            access,
        };
        sign(&self.key.get(now).await?, &claims).map_err(|_| PullError::Unavailable("a token cannot be signed".into()))
    }

    /// Lets those pass who may pull from the repository, and tells which of its name it is. To everybody else it is the
    /// same whether there is one.
    pub(crate) async fn pull(
        &self,
        session: &Session,
        repository: &RepositoryName,
        now: Timestamp,
    ) -> Result<Arc<Owner>, PullError> {
        let scope = Scope::Pull(repository.clone());
        let permit = self.permit(&session.caller, repository, now).await?;
        match (permit, session.covers(&scope)) {
            (Permit::Public(generation), _) | (Permit::Granted(generation), true) => {
                Ok(Arc::new(Owner { repository: repository.clone(), generation }))
            }
            (_, false) => Err(PullError::Unauthorized { scope: Some(scope), problem: Some("insufficient_scope") }),
            (Permit::Missing, true) if session.caller == Caller::Admin => {
                Err(PullError::NameUnknown(repository.to_string()))
            }
            (Permit::Missing | Permit::Refused, true) if session.caller == Caller::Anonymous => {
                Err(PullError::Unauthorized { scope: Some(scope), problem: None })
            }
            (Permit::Missing | Permit::Refused, true) => Err(PullError::Denied(repository.clone())),
        }
    }

    /// Fails if a repository is not the one any more that was let pass: by its name alone the next one who bears it would
    /// be read.
    pub(crate) async fn confirm(&self, owner: &Owner) -> Result<(), PullError> {
        let found = self.table.repository(&owner.repository).await?;
        let is_same = found.is_some_and(|found| found.id == owner.generation);
        if is_same { Ok(()) } else { Err(PullError::Denied(owner.repository.clone())) }
    }

    /// Lets those pass who may list repositories: everybody who is somebody.
    pub(crate) fn catalog(session: &Session) -> Result<(), PullError> {
        let problem = if session.caller == Caller::Anonymous { None } else { Some("insufficient_scope") };
        if session.caller != Caller::Anonymous && session.covers(&Scope::Catalog) {
            return Ok(());
        }
        Err(PullError::Unauthorized { scope: Some(Scope::Catalog), problem })
    }

    /// Whether the caller may pull from a repository.
    pub(crate) async fn sees(
        &self,
        caller: &Caller,
        repository: &Repository,
        now: Timestamp,
    ) -> Result<bool, PullError> {
        if repository.is_public {
            return Ok(true);
        }
        self.may(caller, repository, now).await
    }

    /// Whether the caller may pull from a repository even if not everybody may.
    async fn may(&self, caller: &Caller, repository: &Repository, now: Timestamp) -> Result<bool, PullError> {
        match caller {
            Caller::Anonymous => Ok(false),
            Caller::Admin => Ok(true),
            Caller::Token(id) => self.callers.reaches(*id, repository, now).await,
            Caller::Person(name, token) => match self.callers.people.identity(name, *token, now).await? {
                Some((person, _)) if person.is_superuser => Ok(true),
                Some((_, person)) => Ok(self.persons_role(repository, &person, now).await?.is_some()),
                None => Ok(false),
            },
            // Every role includes to pull.
            Caller::Robot(robot) => match self.callers.identity(robot, now).await? {
                Some(robot) => Ok(self.role(repository, &robot, now).await?.is_some()),
                None => Ok(false),
            },
        }
    }

    async fn permit(&self, caller: &Caller, repository: &RepositoryName, now: Timestamp) -> Result<Permit, PullError> {
        let found = self.repository(repository, now).await?;
        // The same reads whatever there is, so that time tells nothing.
        let is_there = found.is_some();
        let on = if let Some(found) = found {
            found
        } else {
            let organization = self.callers.organization(caller, &repository.namespace(), now).await?;
            nobodys(repository, organization, now)
        };
        let may = self.may(caller, &on, now).await?;
        Ok(match on.is_public {
            _ if !is_there => Permit::Missing,
            true => Permit::Public(on.id),
            false if may => Permit::Granted(on.id),
            false => Permit::Refused,
        })
    }

    async fn role(
        &self,
        repository: &Repository,
        robot: &RobotIdentity,
        now: Timestamp,
    ) -> Result<Option<Role>, PullError> {
        let key = (repository.id, robot.id, repository.repository.clone());
        if let Some(role) = self.roles.get(&key, now) {
            return Ok(Some(role));
        }
        let role = self.table.role_in_all(repository, robot).await?;
        Ok(self.roles.found(key, role, now))
    }

    async fn persons_role(
        &self,
        repository: &Repository,
        person: &PersonIdentity,
        now: Timestamp,
    ) -> Result<Option<Role>, PullError> {
        let key = (repository.id, person.id, repository.repository.clone());
        if let Some(role) = self.roles.get(&key, now) {
            return Ok(Some(role));
        }
        let role = self.table.person_role(repository, person).await?;
        Ok(self.roles.found(key, role, now))
    }

    /// The repository of a name, if there is one.
    async fn repository(&self, name: &RepositoryName, now: Timestamp) -> Result<Option<Repository>, PullError> {
        if let Some(repository) = self.repositories.get(name, now) {
            return Ok(repository);
        }
        let repository = self.table.repository(name).await?;
        self.repositories.insert(name.clone(), repository.clone(), now);
        Ok(repository)
    }
}

/// What stands for a repository that there is not: a private one on which nobody has a role.
fn nobodys(name: &RepositoryName, organization_id: Generation, now: Timestamp) -> Repository {
    Repository::from(NewRepository {
        repository: name.clone(),
        organization_id,
        state: RepositoryState::Normal,
        is_public: false,
        description: String::new(),
        created: now,
    })
}
