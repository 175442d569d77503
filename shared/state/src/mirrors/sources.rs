//! Where a mirror copies from, and how it is found by it: by what EventBridge says of ECR ([`ecr`]), and by what clients call
//! the original ([`origins`]).

use moorage_domain::{ExternalReference, Origin, RepositoryName, webhook::EcrRepository};

use crate::{
    StateError,
    key::Key,
    mirrors::{ecr, origins},
    table::Item,
    transaction::Transaction,
};

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
    let ecr = |sources: Option<&Sources>| sources.and_then(|sources| sources.ecr.clone());
    ecr::enter(transaction, repository, (ecr(before).as_ref(), ecr(after).as_ref()))?;
    origins::enter(transaction, repository, (before.map(|it| &it.origin), after.map(|it| &it.origin)))
}
