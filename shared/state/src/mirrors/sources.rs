//! Where a mirror copies from, and how it is found by it: by what EventBridge says of ECR (`ecr`), and by what clients call
//! the original (`origins`).

use moorage_domain::{ExternalReference, Origin, RepositoryName, webhook::EcrRepository};

use crate::{StateError, key::Key, mirrors::found_by, table::Item, transaction::Transaction};

/// By what a mirror is found.
pub(crate) struct Sources {
    origin: Origin,
    /// If it is told of what is pushed there. Those of an organization's mirror have turns, and are not.
    ecr: Option<EcrRepository>,
}

impl Sources {
    pub(crate) fn of(reference: &ExternalReference, is_discovered: bool) -> Self {
        Self { origin: Origin::of(reference), ecr: EcrRepository::of(reference).filter(|_| !is_discovered) }
    }

    /// The keys of its entries.
    pub(crate) fn keys(&self, repository: &RepositoryName) -> Vec<Item> {
        let origin = Key::OriginMirror(&self.origin, repository).attributes();
        let ecr = self.ecr.as_ref().map(|ecr| Key::EcrMirror(ecr, repository).attributes());
        std::iter::once(origin).chain(ecr).collect()
    }
}

/// Enters where a mirror copies from in place of where it did `before`; as a part of a transaction that this never refuses.
pub(crate) fn enter(
    transaction: &mut Transaction<'_>,
    repository: &RepositoryName,
    (before, after): (Option<&Sources>, Option<&Sources>),
) -> Result<(), StateError> {
    let ecr = (before.and_then(|it| it.ecr.as_ref()), after.and_then(|it| it.ecr.as_ref()));
    found_by::enter(transaction, repository, ecr, |source, repository| Key::EcrMirror(source, repository))?;
    let origin = (before.map(|it| &it.origin), after.map(|it| &it.origin));
    found_by::enter(transaction, repository, origin, |origin, repository| Key::OriginMirror(origin, repository))
}
