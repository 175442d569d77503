//! How a run is pinned: everything of it is written first, and one transaction makes it a pin.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    RepositoryName, Timestamp,
    pin::{MAX_PINS, Pin, PinnedTag},
    run::RunId,
};

use crate::{
    StateError, Table,
    clock::now,
    expression::Change,
    key::{Key, prefix, repository_pk},
    pins::{LoosePin, kept::keep},
    repositories::lock_condition::{UNLOCKED, at_present},
    table::Item,
    transaction::{Committed, Transaction},
};

/// How old a snapshot is that somebody has left halfway: whoever makes one has ended long before.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// What came of pinning a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// It is pinned.
    Now,
    /// It was pinned before.
    Before,
    /// As many as may be are pinned.
    TooMany,
}

impl Table {
    /// Writes what a run has left, which is no pin yet. Returns the pin that it would be.
    pub async fn stage_pin(
        &self,
        repository: &RepositoryName,
        pin: Pin,
        tags: &[PinnedTag],
    ) -> Result<Pin, StateError> {
        let Pin { run_id, snapshot, since, .. } = pin;
        // It tells of the others, and comes before them.
        self.create(Key::LoosePin(repository, snapshot), &LoosePin { run_id, snapshot, since }).await?;
        let parts = self.put_snapshot(repository, snapshot, tags).await?;
        self.keep_outcomes(repository, run_id, snapshot).await?;
        Ok(Pin { parts, ..pin })
    }

    /// Makes a pin of what was staged for it. [`StateError::Locked`] while somebody has the repository to themselves, who may be
    /// taking out what the pin is to keep; [`StateError::NotFound`] if there is no such repository, mirror, or run that has
    /// ended, or what was staged was taken for abandoned.
    pub async fn commit_pin(&self, repository: &RepositoryName, pin: &Pin) -> Result<Pinned, StateError> {
        let mut transaction = Transaction::new(self);
        let mut values = at_present();
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        values.insert(":run".to_owned(), AttributeValue::S(pin.run_id.to_string()));
        values.insert(":runs".to_owned(), AttributeValue::Ss(vec![pin.run_id.to_string()]));
        values.insert(":most".to_owned(), AttributeValue::N(MAX_PINS.to_string()));
        let condition = format!(
            "attribute_exists(#pk) AND NOT #is_deleted = :true AND {UNLOCKED} AND \
             (attribute_not_exists(#pins) OR (NOT contains(#pins, :run) AND size(#pins) < :most))"
        );
        let change = Change { update: "ADD #pins :runs", condition: &condition };
        transaction.update(Key::Repository(repository), change, values)?;
        transaction.expect(Key::Mirror(repository))?;
        transaction.put(Key::Pin(repository, pin.run_id), pin)?;
        let (update, mut values) = keep(pin.snapshot);
        values.insert(":syncing".to_owned(), AttributeValue::S("SYNCING".to_owned()));
        let change = Change { update, condition: "attribute_exists(#pk) AND NOT #status = :syncing" };
        transaction.update(Key::Run(repository, pin.run_id), change, values)?;
        let staged = ("attribute_exists(#pk)", Item::new());
        transaction.delete(Key::LoosePin(repository, pin.snapshot), Some(staged))?;
        match transaction.commit().await? {
            Committed::Yes => Ok(Pinned::Now),
            Committed::Refused(0) => self.why_not_pinned(repository, pin.run_id).await,
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    async fn why_not_pinned(&self, repository: &RepositoryName, run: RunId) -> Result<Pinned, StateError> {
        let found = self.repository(repository).await?.ok_or(StateError::NotFound)?;
        match found.pins.len() {
            _ if found.pins.contains(&run) => Ok(Pinned::Before),
            count if count >= MAX_PINS => Ok(Pinned::TooMany),
            // Or it is free again by now.
            _ => Err(StateError::Locked),
        }
    }

    /// Takes away what others have left halfway: snapshots that are no pins, and pins of a mirror that is gone.
    pub async fn settle_pins(&self, repository: &RepositoryName) -> Result<(), StateError> {
        let pins: Vec<Pin> = self.all(repository_pk(repository), prefix::PIN).await?;
        // Read after them: one that was made since is among these.
        let Some(found) = self.repository(repository).await? else { return Ok(()) };
        for pin in pins.iter().filter(|pin| !found.pins.contains(&pin.run_id)) {
            self.loosen(repository, pin).await?;
        }
        let loose: Vec<LoosePin> = self.all(repository_pk(repository), prefix::LOOSE_PIN).await?;
        for loose in loose.iter().filter(|loose| is_abandoned(loose, now())) {
            self.forget_snapshot(repository, loose).await?;
        }
        Ok(())
    }
}

fn is_abandoned(loose: &LoosePin, now: Timestamp) -> bool {
    loose.since.plus(ABANDONED) <= now
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_may_still_be_made_a_pin_is_left() {
        let since = Timestamp::from_unix(1_000);
        let loose = LoosePin { run_id: RunId(Uuid::nil()), snapshot: Uuid::nil(), since };
        assert!(!is_abandoned(&loose, Timestamp::from_unix(4_599)));
        assert!(is_abandoned(&loose, Timestamp::from_unix(4_600)));
    }
}
