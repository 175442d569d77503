//! What has to be read to know what there is.

use std::collections::BTreeSet;

use moorage_domain::{Namespace, RepositoryName, UserName, notification::Owner};

use crate::{
    declaration::Declaration,
    element::Element,
    key::{Grantee, Key, robots_path},
};

/// A path to be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reading {
    /// Below the API's path, with its query.
    pub path: String,
    /// What its entries are called, if it is a list that comes in pages: all of them are to be read.
    pub list: Option<&'static str>,
}

impl Reading {
    fn one(path: String) -> Self {
        Self { path, list: None }
    }
}

/// What says whether there is an element, and what it is.
pub fn of(key: &Key) -> Vec<Reading> {
    let paths = match key {
        Key::Organization(_) | Key::Robot(_) | Key::Mirror(_) | Key::OrganizationMirror(_) => vec![key.path()],
        Key::Team(organization, _) => vec![format!("organization/{organization}"), format!("{}/members", key.path())],
        Key::Repository(_) => vec![format!("{}?includeTags=false", key.path())],
        Key::Permission(repository, grantee) => vec![permissions(repository, grantee)],
        Key::Notification(owner, _) => vec![notifications(owner)],
    };
    paths.into_iter().map(Reading::one).collect()
}

/// What says it of all that is declared: each path once.
pub fn of_declared(declaration: &Declaration) -> BTreeSet<Reading> {
    let people = declaration.elements().flat_map(Element::people).map(|name| Reading::one(user(name)));
    declaration.keys().flat_map(of).chain(people).collect()
}

/// What says besides what is there that is not declared, as [`crate::undeclared`] looks for it.
pub fn of_undeclared(declaration: &Declaration) -> BTreeSet<Reading> {
    let mut readings = BTreeSet::new();
    for key in declaration.keys() {
        match key {
            Key::Organization(name) => {
                readings.insert(Reading::one(robots(name)));
                readings.insert(Reading { path: repositories(name), list: Some("repositories") });
                readings.insert(Reading::one(Key::OrganizationMirror(name.clone()).path()));
                readings.insert(Reading::one(notifications(&Owner::Organization(name.clone()))));
            }
            Key::Repository(name) => {
                readings.insert(Reading::one(Key::Mirror(name.clone()).path()));
                readings.insert(Reading::one(format!("repository/{name}/permissions/user/")));
                readings.insert(Reading::one(format!("repository/{name}/permissions/team/")));
                readings.insert(Reading::one(notifications(&Owner::Repository(name.clone()))));
            }
            _ => {}
        }
    }
    readings
}

pub(crate) fn permissions(repository: &RepositoryName, grantee: &Grantee) -> String {
    match grantee {
        Grantee::Robot(_) | Grantee::User(_) => format!("repository/{repository}/permissions/user/"),
        Grantee::Team(_) => format!("repository/{repository}/permissions/team/"),
    }
}

/// Whether there is somebody of a name, who has signed in.
pub(crate) fn user(name: &UserName) -> String {
    format!("users/{name}")
}

pub(crate) fn notifications(owner: &Owner) -> String {
    match owner {
        Owner::Repository(name) => format!("repository/{name}/notification/"),
        Owner::Organization(name) => format!("organization/{name}/notifications"),
    }
}

/// The robots of an organization, without their tokens.
pub(crate) fn robots(organization: &Namespace) -> String {
    format!("{}?token=false", robots_path(organization))
}

pub(crate) fn repositories(organization: &Namespace) -> String {
    format!("repository?namespace={organization}")
}
