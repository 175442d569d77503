//! Which of those that bore a name one after the other something belongs to.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The identity of an organization, team, repository, robot or user behind its name. Who takes a name that has become free gets a
/// new one, so that nothing which was left behind under the name is taken for theirs.
///
/// The default stands for what was made before generations were recorded: all of it bears the same one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(Uuid);

impl Generation {
    /// A generation that nobody has had before, if `id` is random.
    pub fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.simple().fmt(f)
    }
}
