//! That a repository is public: the entry in the list of all of them.

use moorage_domain::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{StateError, key::Key, transaction::Transaction};

/// That a repository is public.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) repository: RepositoryName,
}

/// Lists a repository if it is public, and else does not, as a part of a transaction that this never refuses.
pub(crate) fn list(
    transaction: &mut Transaction<'_>,
    name: &RepositoryName,
    is_public: bool,
) -> Result<(), StateError> {
    if is_public {
        transaction.put(Key::Public(name), &Entry { repository: name.clone() })
    } else {
        transaction.delete(Key::Public(name), None)
    }
}
