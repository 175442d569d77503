//! Pins of runs: what they left, kept in parts beside what says that it is kept.
//!
//! Whether a run is pinned is said by its repository's item, which also has the lock: a collector reads both in the order that
//! matters. The pin, its parts and the run's own items follow from that. They are written before it, under a snapshot's id that
//! nobody else has, and taken away after it; a *loose* pin tells meanwhile what there is of a snapshot that does not count.

pub(crate) mod end;
pub(crate) mod kept;
pub(crate) mod make;
pub(crate) mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Digest, RepositoryName, Timestamp, pin::Pin, run::RunId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    expression::Change,
    key::{Key, prefix, repository_pk},
    table::{Item, conditional},
};

/// What there is of a snapshot that is no pin yet, or no longer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoosePin {
    pub(crate) run_id: RunId,
    pub(crate) snapshot: Uuid,
    /// Since when.
    pub(crate) since: Timestamp,
}

impl Table {
    /// The pin of a run, if it is one of the repository's `pins`.
    pub async fn pin(
        &self,
        repository: &RepositoryName,
        pins: &BTreeSet<RunId>,
        run: RunId,
    ) -> Result<Option<Pin>, StateError> {
        if !pins.contains(&run) {
            return Ok(None);
        }
        self.get(Key::Pin(repository, run)).await
    }

    /// The pin of a run, as it is now.
    pub async fn present_pin(&self, repository: &RepositoryName, run: RunId) -> Result<Option<Pin>, StateError> {
        let Some(found) = self.repository(repository).await? else { return Ok(None) };
        self.pin(repository, &found.pins, run).await
    }

    /// The pins of a repository whose `pins` are these.
    pub async fn pins(&self, repository: &RepositoryName, pins: &BTreeSet<RunId>) -> Result<Vec<Pin>, StateError> {
        if pins.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<Pin> = self.all(repository_pk(repository), prefix::PIN).await?;
        Ok(all.into_iter().filter(|pin| pins.contains(&pin.run_id)).collect())
    }

    /// Records how far somebody has looked at what a `pin` keeps who read it like this, and that its moment was still
    /// remembered. [`StateError::Conflict`] if it is gone, or somebody else has looked meanwhile: then it has to be read again.
    pub async fn pin_looked(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        (looked, unverified): (Option<&Digest>, u64),
    ) -> Result<(), StateError> {
        let mut values = of_snapshot(pin.snapshot);
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        values.insert(":unverified".to_owned(), AttributeValue::N(unverified.to_string()));
        let mut update = "SET #remembered = :true, #unverified = :unverified".to_owned();
        if let Some(looked) = looked {
            values.insert(":looked".to_owned(), AttributeValue::S(looked.to_string()));
            update.push_str(", #looked = :looked");
        }
        let condition = if let Some(was) = &pin.looked {
            values.insert(":was".to_owned(), AttributeValue::S(was.to_string()));
            "#snapshot = :snapshot AND #looked = :was"
        } else {
            "#snapshot = :snapshot AND attribute_not_exists(#looked)"
        };
        let change = Change { update: &update, condition };
        conditional(self.change(Key::Pin(repository, pin.run_id), change, values)).await
    }
}

/// `:snapshot`, as conditions on what is a snapshot's need it.
fn of_snapshot(snapshot: Uuid) -> Item {
    Item::from([(":snapshot".to_owned(), AttributeValue::S(snapshot.to_string()))])
}
