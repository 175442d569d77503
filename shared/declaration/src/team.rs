//! Teams.

use std::{collections::BTreeSet, fmt, str::FromStr};

use moorage_domain::{GroupName, NameError, RobotName, UserName};
use serde::{Deserialize, Serialize};

use crate::settings::nullable;

/// What a team is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// What its members may in the organization; they are members without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<TeamRole>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The provider's group whose people are its members; null for none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub group: Option<Option<GroupName>>,
    /// All of its members: robots of the organization, and people if no group says who these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<BTreeSet<Member>>,
}

impl Team {
    /// The people who are named.
    pub(crate) fn people(&self) -> impl Iterator<Item = &UserName> {
        self.members.iter().flatten().filter_map(|member| match member {
            Member::User(user) => Some(user),
            Member::Robot(_) => None,
        })
    }

    /// The robots that are named.
    pub(crate) fn robots(&self) -> impl Iterator<Item = &RobotName> {
        self.members.iter().flatten().filter_map(|member| match member {
            Member::Robot(robot) => Some(robot),
            Member::User(_) => None,
        })
    }

    /// Whether a group says who its people are.
    pub(crate) fn is_synced(&self) -> bool {
        matches!(self.group, Some(Some(_)))
    }
}

/// A member of a team. A `+` makes the difference: no person's name has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Member {
    /// A robot, by its full name.
    Robot(RobotName),
    /// Somebody, by the name that the provider gives.
    User(UserName),
}

impl FromStr for Member {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains('+') { text.parse().map(Self::Robot) } else { text.parse().map(Self::User) }
    }
}

impl TryFrom<String> for Member {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Member> for String {
    fn from(member: Member) -> Self {
        member.to_string()
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Robot(robot) => robot.fmt(f),
            Self::User(user) => user.fmt(f),
        }
    }
}

/// What a team's members may in the organization: the least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// What they may on single repositories.
    #[default]
    Member,
    /// And make repositories.
    Creator,
    /// And everything on each.
    Admin,
}
