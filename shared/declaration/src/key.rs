//! What an element is known by.

use std::fmt;

use moorage_domain::{Namespace, RepositoryName, RobotName, TeamName, UserName, notification::Owner};

/// Whose namespace it is that is no organization.
pub(crate) const ADMIN: &str = "admin";

/// What an element is known by. In the order in which they have to be there: each needs only what comes before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An organization.
    Organization(Namespace),
    /// A robot.
    Robot(RobotName),
    /// A team of an organization.
    Team(Namespace, TeamName),
    /// A repository.
    Repository(RepositoryName),
    /// Somebody's role on a repository.
    Permission(RepositoryName, Grantee),
    /// The mirror that a repository is.
    Mirror(RepositoryName),
    /// The mirror of an organization.
    OrganizationMirror(Namespace),
    /// A notification, by its title.
    Notification(Owner, String),
}

/// Who has a role on a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// A robot.
    Robot(RobotName),
    /// A team of the repository's organization.
    Team(TeamName),
    /// Somebody.
    User(UserName),
}

/// The kinds of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An organization.
    Organization,
    /// A robot.
    Robot,
    /// A team.
    Team,
    /// A repository.
    Repository,
    /// A role on a repository.
    Permission,
    /// A mirror.
    Mirror,
    /// An organization's mirror.
    OrganizationMirror,
    /// A notification.
    Notification,
}

impl Kind {
    /// All of them, in the order in which they have to be there.
    pub const ALL: [Self; 8] = [
        Self::Organization,
        Self::Robot,
        Self::Team,
        Self::Repository,
        Self::Permission,
        Self::Mirror,
        Self::OrganizationMirror,
        Self::Notification,
    ];

    /// Its name, as reports have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Robot => "robot",
            Self::Team => "team",
            Self::Repository => "repository",
            Self::Permission => "permission",
            Self::Mirror => "mirror",
            Self::OrganizationMirror => "organization mirror",
            Self::Notification => "notification",
        }
    }
}

impl Key {
    /// Which kind it is of.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Organization(_) => Kind::Organization,
            Self::Robot(_) => Kind::Robot,
            Self::Team(..) => Kind::Team,
            Self::Repository(_) => Kind::Repository,
            Self::Permission(..) => Kind::Permission,
            Self::Mirror(_) => Kind::Mirror,
            Self::OrganizationMirror(_) => Kind::OrganizationMirror,
            Self::Notification(..) => Kind::Notification,
        }
    }

    /// Its name, without its kind.
    pub fn name(&self) -> String {
        match self {
            Self::Organization(name) | Self::OrganizationMirror(name) => name.to_string(),
            Self::Robot(name) => name.to_string(),
            Self::Team(organization, team) => format!("{organization}/{team}"),
            Self::Repository(name) | Self::Mirror(name) => name.to_string(),
            Self::Permission(repository, Grantee::Robot(robot)) => format!("{repository} {robot}"),
            Self::Permission(repository, Grantee::Team(team)) => format!("{repository} team {team}"),
            Self::Permission(repository, Grantee::User(user)) => format!("{repository} {user}"),
            Self::Notification(owner, title) => format!("{owner} {title}"),
        }
    }

    /// Where it is, below the API's path: what is read, changed or deleted. A notification has an id instead, and where
    /// they are listed is told.
    pub fn path(&self) -> String {
        match self {
            Self::Organization(name) => format!("organization/{name}"),
            Self::Robot(robot) => robot_path(robot),
            Self::Team(organization, team) => format!("organization/{organization}/team/{team}"),
            Self::Repository(name) => format!("repository/{name}"),
            Self::Permission(repository, Grantee::Robot(robot)) => {
                format!("repository/{repository}/permissions/user/{robot}")
            }
            Self::Permission(repository, Grantee::User(user)) => {
                format!("repository/{repository}/permissions/user/{user}")
            }
            Self::Permission(repository, Grantee::Team(team)) => {
                format!("repository/{repository}/permissions/team/{team}")
            }
            Self::Mirror(name) => format!("repository/{name}/mirror"),
            Self::OrganizationMirror(name) => format!("organization/{name}/mirror"),
            Self::Notification(Owner::Repository(name), _) => format!("repository/{name}/notification"),
            Self::Notification(Owner::Organization(name), _) => format!("organization/{name}/notifications"),
        }
    }

    /// What it belongs to, which has to be there before.
    pub(crate) fn belongs_to(&self) -> Vec<Self> {
        let of_repository = |name: &RepositoryName| vec![Self::Repository(name.clone())];
        let of_organization = |name: &Namespace| vec![Self::Organization(name.clone())];
        match self {
            Self::Organization(_) => Vec::new(),
            Self::Robot(robot) => of_organization(&robot.namespace()),
            Self::Team(organization, _) | Self::OrganizationMirror(organization) => of_organization(organization),
            Self::Repository(name) => of_organization(&name.namespace()),
            Self::Permission(repository, grantee) => {
                let mut needs = of_repository(repository);
                needs.extend(match grantee {
                    Grantee::Robot(robot) => Some(Self::Robot(robot.clone())),
                    Grantee::Team(team) => Some(Self::Team(repository.namespace(), team.clone())),
                    // Nobody is made by being declared.
                    Grantee::User(_) => None,
                });
                needs
            }
            Self::Mirror(repository) => of_repository(repository),
            Self::Notification(Owner::Repository(name), _) => of_repository(name),
            Self::Notification(Owner::Organization(name), _) => of_organization(name),
        }
    }
}

/// The path of the robots of a namespace.
pub(crate) fn robots_path(namespace: &Namespace) -> String {
    match namespace.as_str() {
        ADMIN => "user/robots".to_owned(),
        organization => format!("organization/{organization}/robots"),
    }
}

fn robot_path(robot: &RobotName) -> String {
    format!("{}/{}", robots_path(&robot.namespace()), robot.short())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind().as_str(), self.name())
    }
}
