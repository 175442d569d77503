//! Organizations.

use serde::{Deserialize, Serialize};

/// What an organization is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// The address of somebody who cares for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}
