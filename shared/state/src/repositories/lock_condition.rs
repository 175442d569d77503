//! The conditions by which everybody keeps the locks of repositories.

use moorage_domain::RepositoryName;

use crate::{
    StateError,
    clock::{moment, now},
    key::Key,
    table::Item,
    transaction::Transaction,
};

/// Of a repository's item: nobody has the lock. It needs `:now`.
pub(crate) const UNLOCKED: &str = "(attribute_not_exists(#lock_until) OR #lock_until <= :now)";
/// Of a repository's item: no run of a mirror that is gone may still write. It needs `:now`.
pub(crate) const QUIET: &str = "(attribute_not_exists(#left_until) OR #left_until <= :now)";

/// `:now`, as conditions on locks need it.
pub(crate) fn at_present() -> Item {
    Item::from([(":now".to_owned(), moment(now()))])
}

/// Expects nobody to look at what the bucket has under a name that is being taken.
pub(crate) fn expect_free(transaction: &mut Transaction<'_>, name: &RepositoryName) -> Result<(), StateError> {
    transaction.check(Key::StrayLock(name), UNLOCKED, at_present())
}
