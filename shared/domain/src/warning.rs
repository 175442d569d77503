//! What a run left undone on purpose, and somebody should look at. It is no failure, and does not make the run one.

use serde::{Deserialize, Serialize};

/// A warning; it stands until a later run comes to its end without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Warning {
    /// More tags would have been deleted than one run may delete, so none was.
    DeletionsHeld {
        /// How many tags are held back.
        tags: u64,
        /// How many one run may delete.
        limit: u64,
    },
    /// The registry did not list tags that it still has, so these were not deleted.
    ListIncomplete {
        /// How many tags were kept.
        tags: u64,
    },
}

impl Warning {
    /// The name on the wire.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::DeletionsHeld { .. } => "deletions_held",
            Self::ListIncomplete { .. } => "list_incomplete",
        }
    }

    /// How many tags it is about.
    pub const fn tags(self) -> u64 {
        match self {
            Self::DeletionsHeld { tags, .. } | Self::ListIncomplete { tags } => tags,
        }
    }

    /// What happened, and what to do about it.
    pub fn message(self) -> String {
        match self {
            Self::DeletionsHeld { tags, limit } => format!(
                "{tags} tags are no longer selected, more than the {limit} that one sync may delete, so none was \
                 deleted: look whether the registry and root_rule are as they should be; if they are, set the mirror's \
                 deletion_limit to {tags} or more (0 for no limit) and sync again"
            ),
            Self::ListIncomplete { tags } => format!(
                "the registry's list lacks {tags} tags that the mirror holds and that the registry still has, or did \
                 not say that it has not: they were not deleted; if this stays so, look at the registry"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_has_the_reason() {
        let warning = Warning::DeletionsHeld { tags: 30, limit: 10 };
        let wire = serde_json::to_value(warning).unwrap();
        assert_eq!(wire, serde_json::json!({"reason": warning.reason(), "tags": 30, "limit": 10}));
        assert_eq!(serde_json::from_value::<Warning>(wire).unwrap(), warning);
    }
}
