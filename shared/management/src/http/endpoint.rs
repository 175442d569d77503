//! What an endpoint is: one row of the table that the router and the API's description share.

use futures_util::future::BoxFuture;
use moorage_domain::{Namespace, RepositoryName, RobotName};
use moorage_state::ADMIN;

use crate::{
    access::caller::Access,
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
};

/// One method of one path.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    /// Below `/api/v1/`. `{repository}` stands for a namespace and a name, which may have slashes of its own; any other
    /// `{name}` for one segment.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    /// Quay's name of the operation, where it has one.
    pub(crate) operation: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [Parameter],
    /// The schema of the body, if it has one.
    pub(crate) body: Option<Body>,
    /// The answers of calls that succeed.
    pub(crate) answers: &'static [Reply],
    pub(crate) run: Handler,
}

/// All endpoints, by what they are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoints(pub(crate) &'static [&'static [Endpoint]]);

impl Endpoints {
    /// One after the other.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'static Endpoint> {
        self.0.iter().copied().flatten()
    }
}

/// A parameter of the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// A type of JSON schema.
    pub(crate) kind: &'static str,
    pub(crate) about: &'static str,
}

/// A body, by the name of its schema.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    Required(&'static str),
    Optional(&'static str),
}

/// An answer: a status, and the name of its body's schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply(pub(crate) u16, pub(crate) Option<&'static str>);

/// What an endpoint does.
pub(crate) type Handler = for<'a> fn(&'a Arguments<'a>) -> BoxFuture<'a, Result<Answer, ApiError>>;

/// What an endpoint is run with.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    pub(crate) api: &'a Api,
    pub(crate) call: &'a Call,
    pub(crate) parameters: &'a Parameters,
    /// What the API's description is made of.
    pub(crate) endpoints: Endpoints,
}

/// What a path holds in place of its template's parameters. Names are still unchecked, but for those of repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) repository: Option<RepositoryName>,
    pub(crate) others: Vec<(&'static str, String)>,
}

impl Parameters {
    /// A parameter of one segment; empty if the template has none of the name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.others.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The repository.
    pub(crate) fn repository(&self) -> Result<&RepositoryName, ApiError> {
        self.repository.as_ref().ok_or(ApiError::NotFound)
    }

    /// The namespace that the path is about: its organization, or the admin's own.
    pub(crate) fn namespace(&self) -> Result<Namespace, ApiError> {
        let name = self.others.iter().find(|(known, _)| *known == "orgname").map_or(ADMIN, |(_, name)| name);
        name.parse().map_err(|_| ApiError::NotFound)
    }

    /// The robot that the path is about.
    pub(crate) fn robot(&self) -> Result<RobotName, ApiError> {
        let unknown = |_| ApiError::BrokenRule("Could not find robot with specified username".into());
        RobotName::new(&self.namespace()?, self.get("robot_shortname")).map_err(unknown)
    }
}
