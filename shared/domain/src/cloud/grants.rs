//! Which namespace may be whom at a cloud: what the operator says, pair by pair. Whoever may make mirrors could else have the
//! function read whatever anybody has let it read.

use uuid::Uuid;

use super::{RoleArn, ServiceAccount};
use crate::Namespace;

/// What stands for every namespace.
const EVERY: &str = "*";
/// The function's own role, at ECR.
const OWN_ROLE: &str = "ecr";

/// Pairs of namespaces and identities; none are allowed without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudGrants(Vec<Grant>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    /// `None` for every one.
    namespace: Option<Namespace>,
    identity: String,
}

/// An entry that is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no NAMESPACE=IDENTITY, where the namespace may be *, and the identity is ecr, a role's ARN, a service account, \
     or TENANT/CLIENT"
)]
pub struct CloudGrantError(String);

impl CloudGrants {
    /// Reads `NAMESPACE=IDENTITY …`, separated by spaces or commas.
    pub fn parse(text: &str) -> Result<Self, CloudGrantError> {
        let entries = text.split([' ', ',', '\n', '\t']).filter(|entry| !entry.is_empty());
        let grant = |entry: &str| grant(entry).ok_or_else(|| CloudGrantError(entry.to_owned()));
        entries.map(grant).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a namespace may be this one.
    pub fn allow(&self, namespace: &Namespace, identity: &str) -> bool {
        self.0.iter().any(|grant| {
            grant.identity == identity && grant.namespace.as_ref().is_none_or(|granted| granted == namespace)
        })
    }
}

fn grant(entry: &str) -> Option<Grant> {
    let (namespace, identity) = entry.split_once('=')?;
    let namespace = if namespace == EVERY { None } else { Some(namespace.parse().ok()?) };
    Some(Grant { namespace, identity: read(identity)? })
}

/// An identity as logins name themselves.
fn read(identity: &str) -> Option<String> {
    if identity == OWN_ROLE {
        return Some(identity.to_owned());
    }
    if let Some((tenant, client)) = identity.split_once('/')
        && let (Ok(tenant), Ok(client)) = (tenant.parse::<Uuid>(), client.parse::<Uuid>())
    {
        return Some(format!("{tenant}/{client}"));
    }
    let role = RoleArn::try_from(identity.to_owned()).map(String::from);
    role.or_else(|_| ServiceAccount::try_from(identity.to_owned()).map(String::from)).ok()
}
