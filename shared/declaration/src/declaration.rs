//! All that is declared.

use std::collections::{BTreeMap, btree_map::Entry};

use moorage_domain::{Namespace, RobotName, UserName};

use crate::{
    element::Element,
    key::{ADMIN, Key},
    robot::Robot,
};

/// All that is declared, each element once, in the order in which they have to be made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declaration {
    elements: BTreeMap<Key, Element>,
}

/// Why elements cannot be declared together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclarationError {
    /// Twice, and not the same.
    #[error("{0} is declared twice, and not the same both times")]
    Twice(Key),
    /// A robot of another organization.
    #[error("{of} names the robot {robot}, which is none of {namespace}")]
    Robot {
        /// Which element names it.
        of: Key,
        /// The robot.
        robot: RobotName,
        /// Whose robot it has to be.
        namespace: Namespace,
    },
    /// What its namespace cannot have.
    #[error("{0}: the namespace {ADMIN} is no organization")]
    Admin(Key),
    /// What is no name.
    #[error("{name} is no name of a robot: {of} has it")]
    RobotName {
        /// Whose robot it would be.
        of: Namespace,
        /// What is written, shortened.
        name: String,
    },
    /// Somebody whom a group would have to name.
    #[error("{of} has a group, which says who its people are: {user} cannot be named besides")]
    Synced {
        /// The team.
        of: Key,
        /// Who is named.
        user: UserName,
    },
    /// A login that is none, or two.
    #[error("{0} needs a user name and a password for its external registry, or a cloud's credentials; not both")]
    Login(Key),
    /// A notification without a title.
    #[error("a notification of {0} has no title, which is what it is known by")]
    NoTitle(moorage_domain::notification::Owner),
}

impl Declaration {
    /// These elements. One that is there twice is fine as long as both say the same.
    pub fn new(elements: impl IntoIterator<Item = Element>) -> Result<Self, DeclarationError> {
        let mut known = BTreeMap::new();
        for element in elements {
            check(&element)?;
            match known.entry(element.key()) {
                Entry::Vacant(free) => drop(free.insert(element)),
                Entry::Occupied(taken) if *taken.get() != element => {
                    return Err(DeclarationError::Twice(taken.key().clone()));
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(Self { elements: known })
    }

    /// The elements, in the order in which they have to be made.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.elements.values()
    }

    /// What they are known by, in the same order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.elements.keys()
    }

    /// Whether something is declared.
    pub fn has(&self, key: &Key) -> bool {
        self.elements.contains_key(key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
}

fn check(element: &Element) -> Result<(), DeclarationError> {
    let key = || element.key();
    let is_of = |robot: &RobotName, namespace: Namespace| {
        if robot.namespace() == namespace {
            return Ok(());
        }
        Err(DeclarationError::Robot { of: key(), robot: robot.clone(), namespace })
    };
    match element {
        Element::Organization(name, _) | Element::Team(name, ..) | Element::OrganizationMirror(name, _)
            if name.as_str() == ADMIN =>
        {
            Err(DeclarationError::Admin(key()))
        }
        Element::Mirror(repository, mirror) => is_of(&mirror.robot_username, repository.namespace()),
        Element::OrganizationMirror(organization, mirror) => is_of(&mirror.robot_username, organization.clone()),
        Element::Team(organization, _, team) => {
            team.robots().try_for_each(|robot| is_of(robot, organization.clone()))?;
            match team.people().next().filter(|_| team.is_synced()) {
                Some(user) => Err(DeclarationError::Synced { of: key(), user: user.clone() }),
                None => Ok(()),
            }
        }
        Element::Robot(_, Robot { external_registry: Some(Some(registry)), .. }) if !registry.has_one_login() => {
            Err(DeclarationError::Login(key()))
        }
        Element::Notification(owner, notification) if notification.title.is_empty() => {
            Err(DeclarationError::NoTitle(owner.clone()))
        }
        _ => Ok(()),
    }
}
