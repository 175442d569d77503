//! What a caller may do, and what endpoints ask for.

use moorage_domain::{Namespace, RepositoryName, TeamName};
use moorage_state::{ADMIN, ApiToken, Role, StateError, Table, TeamRole};

use crate::{
    access::{
        person::Person,
        refusal::Refusal,
        sight::{Sight, of_team},
    },
    http::error::ApiError,
};

/// Who calls. All tokens act for the deployment's one user, as OAuth tokens act for theirs in Quay, but only in their
/// namespace and with their role. People act for themselves.
///
/// A token's role holds in namespaces as a whole; a person may have roles on single repositories. There is no question here
/// that has "all namespaces" for its answer by leaving something out: whoever lists anything asks for [`Caller::sight`].
#[derive(Debug, Default)]
pub(crate) enum Caller {
    /// Anybody.
    #[default]
    Anonymous,
    /// Anybody, who shows a person's token that is not taken.
    Refused(Refusal),
    /// The holder of the stack's first token.
    Admin,
    /// The holder of another one.
    Token(Box<ApiToken>),
    /// Somebody who has signed in.
    Person(Box<Person>),
}

/// What an endpoint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing; or the endpoint checks the caller itself.
    Anyone,
    /// Any token, or anybody who has signed in.
    Known,
    /// A role on the repository. Everybody may read public ones.
    Repository(Role),
    /// A role in the namespace, on all that it has: the organization of the path, or the admin's own.
    Namespace(Role),
    /// A place in the organization of the path: any role of a token, or a person's in a team, which gives them at least this
    /// much. The endpoint shows no more than that.
    Organization(TeamRole),
    /// The whole deployment.
    Superuser,
}

impl Caller {
    /// The role on everything that a namespace has. Whoever has one on single repositories, or is in a team that has, has
    /// none here.
    pub(crate) fn role_in(&self, namespace: &Namespace) -> Option<Role> {
        match self {
            Self::Anonymous | Self::Refused(_) => None,
            Self::Admin => Some(Role::Admin),
            Self::Token(token) => match &token.namespace {
                Some(own) if own != namespace => None,
                _ => Some(token.role),
            },
            Self::Person(person) if person.is_superuser => Some(Role::Admin),
            Self::Person(person) => person.team_role(namespace).and_then(of_team),
        }
    }

    /// Whether the caller has a place in an organization: a role in it as a token, or as a person a team of this role or a
    /// greater one.
    pub(crate) fn has_place_in(&self, organization: &Namespace, least: TeamRole) -> bool {
        let by_team = matches!(self, Self::Person(person) if person.team_role(organization) >= Some(least));
        by_team || self.role_in(organization).is_some()
    }

    /// Whether the caller sees a team of an organization: people only those that they are in, unless they see all.
    pub(crate) fn sees_team(&self, organization: &Namespace, team: &TeamName) -> bool {
        let is_in =
            |person: &Person| person.teams.iter().any(|own| own.organization == *organization && own.team == *team);
        self.role_in(organization).is_some() || self.person().is_some_and(is_in)
    }

    /// Whether the caller may create repositories in a namespace.
    pub(crate) fn may_create_in(&self, namespace: &Namespace) -> bool {
        let by_team = matches!(self, Self::Person(person) if person.team_role(namespace) >= Some(TeamRole::Creator));
        by_team || self.role_in(namespace) == Some(Role::Admin)
    }

    pub(crate) fn is_superuser(&self) -> bool {
        match self {
            Self::Anonymous | Self::Refused(_) => false,
            Self::Admin => true,
            Self::Token(token) => token.namespace.is_none() && token.role == Role::Admin,
            Self::Person(person) => person.is_superuser,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        match self {
            Self::Anonymous | Self::Refused(_) => false,
            Self::Admin | Self::Token(_) | Self::Person(_) => true,
        }
    }

    /// What lists show, beside what is public; `only` of a namespace, if the list is of one. Of a person it is read.
    pub(crate) async fn sight(&self, table: &Table, only: Option<&Namespace>) -> Result<Sight, StateError> {
        Ok(match self {
            Self::Anonymous | Self::Refused(_) => Sight::Nothing,
            Self::Admin => Sight::Everything,
            Self::Token(token) => token.namespace.clone().map_or(Sight::Everything, Sight::Namespace),
            Self::Person(person) if person.is_superuser => Sight::Everything,
            Self::Person(person) => Sight::Person(table.person_reach(&person.identity, only).await?),
        })
    }

    /// The token of the API that the caller shows; none for the stack's own, and of people.
    pub(crate) fn token(&self) -> Option<&ApiToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::Anonymous | Self::Refused(_) | Self::Admin | Self::Person(_) => None,
        }
    }

    /// Who has signed in, if it is a person who calls and no token.
    pub(crate) fn person(&self) -> Option<&Person> {
        match self {
            Self::Person(person) => Some(person),
            Self::Anonymous | Self::Refused(_) | Self::Admin | Self::Token(_) => None,
        }
    }

    /// A name for what the caller makes.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Token(token) => token.id.to_string(),
            Self::Person(person) => person.user.name.to_string(),
            Self::Anonymous | Self::Refused(_) | Self::Admin => ADMIN.to_owned(),
        }
    }

    /// The user that the caller acts for: a person; also the one who made a token; else the deployment's own.
    pub(crate) fn user(&self) -> &str {
        match self {
            Self::Token(token) => token.user.as_ref().map_or(ADMIN, |user| user.name.as_str()),
            Self::Person(person) => person.user.name.as_str(),
            Self::Anonymous | Self::Refused(_) | Self::Admin => ADMIN,
        }
    }

    /// The answer to what the caller may not do.
    pub(crate) fn refused(&self) -> ApiError {
        match self {
            Self::Anonymous => ApiError::Unauthorized,
            Self::Refused(refusal) => ApiError::NotTaken(refusal.clone()),
            Self::Admin | Self::Token(_) | Self::Person(_) => ApiError::Forbidden,
        }
    }

    /// Fails unless the caller has this role in the namespace.
    pub(crate) fn require(&self, namespace: &Namespace, role: Role) -> Result<(), ApiError> {
        if self.role_in(namespace) >= Some(role) { Ok(()) } else { Err(self.refused()) }
    }

    /// Fails unless the caller has this place in the organization.
    pub(crate) fn require_place(&self, organization: &Namespace, least: TeamRole) -> Result<(), ApiError> {
        if self.has_place_in(organization, least) { Ok(()) } else { Err(self.refused()) }
    }

    /// Fails unless the caller may do everything.
    pub(crate) fn require_superuser(&self) -> Result<(), ApiError> {
        if self.is_superuser() { Ok(()) } else { Err(self.refused()) }
    }

    /// Fails unless the caller has this role on the repository; tells which one, none of whoever may read it only because it
    /// is public. Whoever has it learns whether the repository exists, others do not.
    pub(crate) async fn require_on(
        &self,
        table: &Table,
        name: &RepositoryName,
        role: Role,
    ) -> Result<Option<Role>, ApiError> {
        let whole = self.role_in(&name.namespace());
        if whole >= Some(role) {
            return Ok(whole);
        }
        if self.person().is_none() && role != Role::Read {
            return Err(self.refused());
        }
        let Some(on) = table.repository(name).await? else { return Err(self.refused()) };
        let own = match self.person() {
            Some(person) => table.person_role(&on, &person.identity).await?,
            None => whole,
        };
        if own >= Some(role) || role == Role::Read && on.is_public { Ok(own) } else { Err(self.refused()) }
    }
}

#[cfg(test)]
mod tests;
