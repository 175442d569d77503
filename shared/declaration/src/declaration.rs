//! All that is declared.

use std::collections::{BTreeMap, btree_map::Entry};

use moorage_domain::{Namespace, RobotName};

use crate::{
    element::Element,
    key::{ADMIN, Key},
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
            team.members.iter().flatten().try_for_each(|robot| is_of(robot, organization.clone()))
        }
        Element::Notification(owner, notification) if notification.title.is_empty() => {
            Err(DeclarationError::NoTitle(owner.clone()))
        }
        _ => Ok(()),
    }
}
