//! Why tags do not stay.

use serde::{Deserialize, Serialize};

/// Why a held tag is not to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The rule selects it, and the registry does not list it; or it was attached to an image that stays or vanished.
    Vanished,
    /// The rule does not select it, whether the registry lists it or not, nor was it attached to an image that stays or
    /// vanished.
    Deselected,
}
