//! What a caller may do, and what endpoints ask for.

use moorage_domain::{Namespace, RepositoryName};
use moorage_state::{ADMIN, ApiToken, Role, Table};

use crate::http::error::ApiError;

/// Who calls. All tokens act for the deployment's one user, as OAuth tokens act for theirs in Quay, but only in their
/// namespace and with their role.
#[derive(Debug, Default)]
pub(crate) enum Caller {
    /// Anybody.
    #[default]
    Anonymous,
    /// The holder of the stack's first token.
    Admin,
    /// The holder of another one.
    Token(Box<ApiToken>),
}

/// What an endpoint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing; or the endpoint checks the caller itself.
    Anyone,
    /// Any token.
    Known,
    /// A role on the repository. Everybody may read public ones.
    Repository(Role),
    /// A role in the namespace: the organization of the path, or the admin's own.
    Namespace(Role),
    /// The whole deployment.
    Superuser,
}

impl Caller {
    /// The role in a namespace.
    pub(crate) fn role_in(&self, namespace: &Namespace) -> Option<Role> {
        match self {
            Self::Anonymous => None,
            Self::Admin => Some(Role::Admin),
            Self::Token(token) => match &token.namespace {
                Some(own) if own != namespace => None,
                _ => Some(token.role),
            },
        }
    }

    pub(crate) fn is_superuser(&self) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Admin => true,
            Self::Token(token) => token.namespace.is_none() && token.role == Role::Admin,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Self::Anonymous)
    }

    /// The namespace that the caller is limited to.
    pub(crate) fn namespace(&self) -> Option<&Namespace> {
        match self {
            Self::Token(token) => token.namespace.as_ref(),
            Self::Anonymous | Self::Admin => None,
        }
    }

    /// The token that the caller shows; none for the stack's own.
    pub(crate) fn token(&self) -> Option<&ApiToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::Anonymous | Self::Admin => None,
        }
    }

    /// A name for what the caller makes.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Token(token) => token.id.to_string(),
            Self::Anonymous | Self::Admin => ADMIN.to_owned(),
        }
    }

    /// The answer to what the caller may not do.
    pub(crate) fn refused(&self) -> ApiError {
        if self.is_known() { ApiError::Forbidden } else { ApiError::Unauthorized }
    }

    /// Fails unless the caller has this role in the namespace.
    pub(crate) fn require(&self, namespace: &Namespace, role: Role) -> Result<(), ApiError> {
        if self.role_in(namespace) >= Some(role) { Ok(()) } else { Err(self.refused()) }
    }

    /// Fails unless the caller may do everything.
    pub(crate) fn require_superuser(&self) -> Result<(), ApiError> {
        if self.is_superuser() { Ok(()) } else { Err(self.refused()) }
    }

    /// Fails unless the caller has this role on the repository. Whoever has it learns whether the repository exists,
    /// others do not.
    pub(crate) async fn require_on(&self, table: &Table, name: &RepositoryName, role: Role) -> Result<(), ApiError> {
        let Err(refused) = self.require(&name.namespace(), role) else { return Ok(()) };
        if role == Role::Read && table.repository(name).await?.is_some_and(|repository| repository.is_public) {
            return Ok(());
        }
        Err(refused)
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::Timestamp;
    use moorage_state::NewApiToken;

    use super::*;

    fn token(namespace: Option<&str>, role: Role) -> Caller {
        let new = NewApiToken {
            description: String::new(),
            namespace: namespace.map(|name| name.parse().unwrap()),
            role,
            created_by: ADMIN.into(),
            expires_at: None,
            organization_id: moorage_domain::Generation::default(),
            maker: None,
            user: None,
        };
        Caller::Token(Box::new(ApiToken::generate(new, Timestamp::from_unix(0)).0))
    }

    #[test]
    fn roles_in_namespaces() {
        let (own, other): (Namespace, Namespace) = ("own".parse().unwrap(), "other".parse().unwrap());
        for (caller, in_own, in_other, superuser) in [
            (Caller::Anonymous, None, None, false),
            (Caller::Admin, Some(Role::Admin), Some(Role::Admin), true),
            (token(None, Role::Admin), Some(Role::Admin), Some(Role::Admin), true),
            (token(None, Role::Write), Some(Role::Write), Some(Role::Write), false),
            (token(Some("own"), Role::Admin), Some(Role::Admin), None, false),
            (token(Some("own"), Role::Read), Some(Role::Read), None, false),
        ] {
            assert_eq!((caller.role_in(&own), caller.role_in(&other)), (in_own, in_other), "{caller:?}");
            assert_eq!(caller.is_superuser(), superuser, "{caller:?}");
            let status = |result: Result<(), ApiError>| result.map_or_else(|error| error.answer("").status(), |()| 200);
            let expected = |role: Option<Role>| match role {
                Some(Role::Admin) => 200,
                _ if matches!(caller, Caller::Anonymous) => 401,
                _ => 403,
            };
            assert_eq!(status(caller.require(&own, Role::Admin)), expected(in_own), "{caller:?}");
            assert_eq!(status(caller.require(&other, Role::Admin)), expected(in_other), "{caller:?}");
        }
    }
}
