//! What a caller sees in lists, counts and searches.

use moorage_domain::{Namespace, RepositoryName};
use moorage_state::{Reach, Repository, Role, TeamRole};

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

    /// Whether a repository is seen, whatever else its namespace has. A role that outlived the repository that it was for
    /// shows nobody the next one of the name.
    pub(crate) fn has(&self, on: &Repository) -> bool {
        self.has_all_of(&on.repository.namespace())
            || matches!(self, Self::Person(reach) if reach.role_on(on).is_some())
    }

    /// The names of the repositories that are seen of a namespace of which not all is, in order. Those that are gone may be among
    /// them.
    pub(crate) fn names_in(&self, namespace: &Namespace) -> Vec<RepositoryName> {
        let Self::Person(reach) = self else { return Vec::new() };
        reach.repositories().filter(|name| name.namespace() == *namespace).cloned().collect()
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
