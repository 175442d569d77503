//! What a caller sees in lists, counts and searches.

use moorage_domain::{Namespace, RepositoryName};
use moorage_state::{Reach, Role, TeamRole};

/// What a caller sees in lists, counts and searches, beside what is public.
#[derive(Debug)]
pub(crate) enum Sight {
    /// Nothing.
    Nothing,
    /// Everything that there is.
    Everything,
    /// All of a namespace.
    Namespace(Namespace),
    /// What a person's teams and roles come to.
    Person(Reach),
}

impl Sight {
    /// Whether all that a namespace has is seen.
    pub(crate) fn has_all_of(&self, namespace: &Namespace) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Namespace(own) => own == namespace,
            Self::Person(reach) => reach.role_in(namespace) == Some(TeamRole::Admin),
        }
    }

    /// Whether a repository is seen, whatever else its namespace has.
    pub(crate) fn has(&self, repository: &RepositoryName) -> bool {
        self.has_all_of(&repository.namespace())
            || matches!(self, Self::Person(reach) if reach.repositories().any(|own| own == repository))
    }

    /// Whether anything of a namespace is seen.
    pub(crate) fn has_some_of(&self, namespace: &Namespace) -> bool {
        self.has_all_of(namespace) || matches!(self, Self::Person(reach) if reach.namespaces().contains(namespace))
    }
}

/// The role that all of a namespace's repositories are seen by, where a person's place in it gives one.
pub(crate) fn of_team(role: TeamRole) -> Option<Role> {
    (role == TeamRole::Admin).then_some(Role::Admin)
}
