//! Teams.

use std::collections::BTreeSet;

use moorage_domain::RobotName;
use serde::{Deserialize, Serialize};

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
    /// All of its members, robots of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<BTreeSet<RobotName>>,
}

/// What a team's members may in the organization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
