//! One thing that is declared.

use moorage_domain::{Namespace, RepositoryName, RobotName, TeamName, UserName, notification::Owner};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    key::{Grantee, Key},
    mirror::Mirror,
    notification::Notification,
    organization::Organization,
    organization_mirror::OrganizationMirror,
    repository::{Repository, Role},
    robot::Robot,
    team::Team,
};

/// One thing that is declared: what it is known by, and what it is to be.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there are some thousands of them, and notifications among them")]
pub enum Element {
    /// An organization.
    Organization(Namespace, Organization),
    /// A robot.
    Robot(RobotName, Robot),
    /// A team of an organization.
    Team(Namespace, TeamName, Team),
    /// A repository.
    Repository(RepositoryName, Repository),
    /// Somebody's role on a repository.
    Permission(RepositoryName, Grantee, Role),
    /// A repository's mirror.
    Mirror(RepositoryName, Box<Mirror>),
    /// An organization's mirror.
    OrganizationMirror(Namespace, Box<OrganizationMirror>),
    /// A notification.
    Notification(Owner, Notification),
}

impl Element {
    /// What it is known by.
    pub fn key(&self) -> Key {
        match self {
            Self::Organization(name, _) => Key::Organization(name.clone()),
            Self::Robot(name, _) => Key::Robot(name.clone()),
            Self::Team(organization, name, _) => Key::Team(organization.clone(), name.clone()),
            Self::Repository(name, _) => Key::Repository(name.clone()),
            Self::Permission(repository, grantee, _) => Key::Permission(repository.clone(), grantee.clone()),
            Self::Mirror(repository, _) => Key::Mirror(repository.clone()),
            Self::OrganizationMirror(organization, _) => Key::OrganizationMirror(organization.clone()),
            Self::Notification(owner, notification) => Key::Notification(owner.clone(), notification.title.clone()),
        }
    }

    /// What has to be there before it: what it belongs to, and whom it names.
    pub fn needs(&self) -> Vec<Key> {
        let mut needs = self.key().belongs_to();
        match self {
            Self::Mirror(_, mirror) => needs.push(Key::Robot(mirror.robot_username.clone())),
            Self::OrganizationMirror(_, mirror) => needs.push(Key::Robot(mirror.robot_username.clone())),
            Self::Team(_, _, team) => needs.extend(team.robots().cloned().map(Key::Robot)),
            _ => {}
        }
        needs
    }

    /// The people whom it names, who have to have signed in before.
    pub fn people(&self) -> Vec<&UserName> {
        match self {
            Self::Team(_, _, team) => team.people().collect(),
            Self::Permission(_, Grantee::User(user), _) => vec![user],
            _ => Vec::new(),
        }
    }

    /// Its fields, by the API's names; secrets as what names them.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        match self {
            Self::Organization(_, settings) => fields(settings),
            Self::Robot(_, settings) => fields(settings),
            Self::Team(_, _, settings) => fields(settings),
            Self::Repository(_, settings) => fields(settings),
            Self::Permission(_, _, role) => Map::from_iter([("role".to_owned(), value(role))]),
            Self::Mirror(_, settings) => fields(settings),
            Self::OrganizationMirror(_, settings) => fields(settings),
            Self::Notification(_, settings) => fields(settings),
        }
    }
}

/// Our own types have texts as keys, so that all of them can be JSON.
fn value(given: &impl Serialize) -> Value {
    serde_json::to_value(given).unwrap_or_default()
}

fn fields(settings: &impl Serialize) -> Map<String, Value> {
    match value(settings) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
