//! What people write: organizations and repositories, each with what belongs to it.

use std::collections::BTreeMap;

use moorage_domain::{Namespace, RepositoryName, RobotName, TeamName, UserName, notification::Owner};
use serde::{Deserialize, Serialize};

use crate::{
    declaration::{Declaration, DeclarationError},
    element::Element,
    key::Grantee,
    mirror::Mirror,
    notification::Notification,
    organization::Organization,
    organization_mirror::OrganizationMirror,
    repository::{Repository, Role, Visibility},
    robot::Robot,
    team::Team,
};

/// A document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Organizations, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub organizations: BTreeMap<Namespace, Option<OrganizationDocument>>,
    /// Repositories, by their full names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repositories: BTreeMap<RepositoryName, Option<RepositoryDocument>>,
}

/// An organization, with what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationDocument {
    /// See [`Organization`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Robots, by their names without the organization's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub robots: BTreeMap<String, Option<Robot>>,
    /// Teams, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<TeamName, Option<Team>>,
    /// The mirror of a whole namespace of a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Box<OrganizationMirror>>,
    /// Who is told of what happens to the mirrors of all of its repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<Notification>,
}

/// A repository, with what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryDocument {
    /// See [`Repository`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`Repository`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// What it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Box<Mirror>>,
    /// Who has a role on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionsDocument>,
    /// Who is told of what happens to its mirror.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<Notification>,
}

/// Who has a role on a repository.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionsDocument {
    /// Robots, by their full names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub robots: BTreeMap<RobotName, Role>,
    /// Teams of the repository's organization.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<TeamName, Role>,
    /// People, by the names that the provider gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<UserName, Role>,
}

impl Document {
    /// What it declares.
    pub fn declaration(self) -> Result<Declaration, DeclarationError> {
        Declaration::new(self.elements()?)
    }

    /// Its elements, in no order.
    pub fn elements(self) -> Result<Vec<Element>, DeclarationError> {
        let mut elements = Vec::new();
        for (name, organization) in self.organizations {
            organization.unwrap_or_default().elements(name, &mut elements)?;
        }
        for (name, repository) in self.repositories {
            repository.unwrap_or_default().elements(&name, &mut elements);
        }
        Ok(elements)
    }
}

impl OrganizationDocument {
    fn elements(self, name: Namespace, elements: &mut Vec<Element>) -> Result<(), DeclarationError> {
        for (short, robot) in self.robots {
            let wrong = |_| DeclarationError::RobotName { of: name.clone(), name: short.chars().take(100).collect() };
            let full = RobotName::new(&name, &short).map_err(wrong)?;
            elements.push(Element::Robot(full, robot.unwrap_or_default()));
        }
        let teams = self.teams.into_iter();
        elements.extend(teams.map(|(team, it)| Element::Team(name.clone(), team, it.unwrap_or_default())));
        elements.extend(self.mirror.map(|mirror| Element::OrganizationMirror(name.clone(), mirror)));
        let owner = Owner::Organization(name.clone());
        elements.extend(self.notifications.into_iter().map(|it| Element::Notification(owner.clone(), it)));
        elements.push(Element::Organization(name, Organization { email: self.email }));
        Ok(())
    }
}

impl RepositoryDocument {
    fn elements(self, name: &RepositoryName, elements: &mut Vec<Element>) {
        let settings = Repository { description: self.description, visibility: self.visibility };
        elements.push(Element::Repository(name.clone(), settings));
        elements.extend(self.mirror.map(|mirror| Element::Mirror(name.clone(), mirror)));
        let PermissionsDocument { robots, teams, users } = self.permissions.unwrap_or_default();
        let robots = robots.into_iter().map(|(robot, role)| (Grantee::Robot(robot), role));
        let teams = teams.into_iter().map(|(team, role)| (Grantee::Team(team), role));
        let users = users.into_iter().map(|(user, role)| (Grantee::User(user), role));
        elements
            .extend(robots.chain(teams).chain(users).map(|(who, role)| Element::Permission(name.clone(), who, role)));
        let owner = Owner::Repository(name.clone());
        elements.extend(self.notifications.into_iter().map(|it| Element::Notification(owner.clone(), it)));
    }
}
