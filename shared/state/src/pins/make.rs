//! How a run is pinned: everything of it is written first, and one transaction makes it a pin.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    RepositoryName, Timestamp,
    pin::{MAX_PINNED, MAX_PINS, Pin, PinnedTag},
    run::RunId,
    usage_log::LogEntry,
};

use crate::{
    StateError, Table,
    clock::now,
    expression::Change,
    key::{Key, prefix, repository_pk},
    pins::{LoosePin, kept::keep},
    repositories::{
        lock_condition::{UNLOCKED, at_present},
        repository,
    },
    table::Item,
    transaction::{Committed, Transaction},
    usage_log::Told,
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
    /// With this one, pins would keep more than they may.
    TooMuch,
}

impl Table {
    /// Writes what a run has left, which is no pin yet. Returns the pin that it would be. [`StateError::NotFound`] if there is
    /// no such repository: what is written of one that is being purged would stay.
    pub async fn stage_pin(
        &self,
        repository: &RepositoryName,
        pin: Pin,
        tags: &[PinnedTag],
    ) -> Result<Pin, StateError> {
        let Pin { run_id, snapshot, since, .. } = pin;
        // It tells of the others, and comes before them.
        let mut transaction = Transaction::new(self);
        repository::expect(&mut transaction, repository)?;
        transaction.create(Key::LoosePin(repository, snapshot), &LoosePin { run_id, snapshot, since })?;
        match transaction.commit().await? {
            Committed::Yes => {}
            Committed::Refused(0) => return Err(StateError::NotFound),
            Committed::Refused(_) => return Err(StateError::Conflict),
        }
        let parts = self.put_snapshot(repository, snapshot, tags).await?;
        Ok(Pin { parts, ..pin })
    }

    /// Makes a pin of what was staged for it, with what the usage logs tell of it. [`StateError::Locked`] while somebody has the
    /// repository to themselves, who may be taking out what the pin is to keep, or if others have pinned or unpinned just now;
    /// [`StateError::Conflict`] while something is left of an earlier pin of the run; [`StateError::NotFound`] if there is no
    /// such repository, mirror, or run that has ended, or what was staged was taken for abandoned. After any other error it may
    /// be a pin all the same.
    pub async fn commit_pin(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        log: Option<LogEntry>,
    ) -> Result<Pinned, StateError> {
        let found = self.repository(repository).await?.ok_or(StateError::NotFound)?;
        if found.pins.contains(&pin.run_id) {
            // Perhaps it is this one, and the answer was lost.
            let is_ours = self.is_pinned_so(repository, pin).await?;
            return Ok(if is_ours { Pinned::Now } else { Pinned::Before });
        }
        if found.pins.len() >= MAX_PINS {
            return Ok(Pinned::TooMany);
        }
        let others = self.pins(repository, &found.pins).await?;
        let weights = others.iter().map(|other| other.weight).chain([pin.weight]);
        if weights.fold(0, usize::saturating_add) > MAX_PINNED {
            return Ok(Pinned::TooMuch);
        }
        let mut transaction = Transaction::new(self);
        let mut values = at_present();
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        values.insert(":runs".to_owned(), AttributeValue::Ss(vec![pin.run_id.to_string()]));
        let as_seen = as_seen(&found.pins, &mut values);
        let condition = format!("attribute_exists(#pk) AND NOT #is_deleted = :true AND {UNLOCKED} AND {as_seen}");
        let change = Change { update: "ADD #pins :runs", condition: &condition };
        transaction.update(Key::Repository(repository), change, values)?;
        transaction.expect(Key::Mirror(repository))?;
        transaction.create(Key::Pin(repository, pin.run_id), pin)?;
        let (update, mut values) = keep(pin.snapshot);
        values.insert(":syncing".to_owned(), AttributeValue::S("SYNCING".to_owned()));
        let change = Change { update, condition: "attribute_exists(#pk) AND NOT #status = :syncing" };
        transaction.update(Key::Run(repository, pin.run_id), change, values)?;
        let staged = ("attribute_exists(#pk)", Item::new());
        transaction.delete(Key::LoosePin(repository, pin.snapshot), Some(staged))?;
        log.map(Told::new).iter().try_for_each(|told| told.add_to_both(&mut transaction, repository))?;
        match transaction.commit().await {
            Ok(Committed::Yes) => Ok(Pinned::Now),
            // The first of several tries may have been the one that did it.
            Ok(Committed::Refused(0)) => {
                let is_ours = self.is_pinned_so(repository, pin).await?;
                if is_ours { Ok(Pinned::Now) } else { Err(StateError::Locked) }
            }
            Ok(Committed::Refused(2)) => Err(StateError::Conflict),
            Ok(Committed::Refused(_)) => Err(StateError::NotFound),
            Err(error) => match self.is_pinned_so(repository, pin).await {
                Ok(true) => Ok(Pinned::Now),
                _ => Err(error),
            },
        }
    }

    /// Whether a run is pinned, and by this snapshot.
    async fn is_pinned_so(&self, repository: &RepositoryName, pin: &Pin) -> Result<bool, StateError> {
        let present = self.present_pin(repository, pin.run_id).await?;
        Ok(present.is_some_and(|present| present.snapshot == pin.snapshot))
    }

    /// Does what others have left halfway: takes away snapshots that are no pins, and pins of a mirror that is gone, and keeps
    /// what pinned runs tell. It can be interrupted at any time.
    pub async fn settle_pins(&self, repository: &RepositoryName) -> Result<(), StateError> {
        let pins: Vec<Pin> = self.all(repository_pk(repository), prefix::PIN).await?;
        // Read after them: one that was made since is among these.
        let Some(found) = self.repository(repository).await? else { return Ok(()) };
        for pin in &pins {
            if !found.pins.contains(&pin.run_id) {
                self.loosen(repository, pin).await?;
            } else if pin.remembered && !pin.kept {
                self.keep_outcomes(repository, pin).await?;
            }
        }
        let loose: Vec<LoosePin> = self.all(repository_pk(repository), prefix::LOOSE_PIN).await?;
        for loose in loose.iter().filter(|loose| is_abandoned(loose, now())) {
            self.forget_snapshot(repository, loose).await?;
        }
        Ok(())
    }
}

/// Of a repository's item: its pins are the ones that were seen. Adds their values.
fn as_seen(pins: &BTreeSet<RunId>, values: &mut Item) -> String {
    if pins.is_empty() {
        return "attribute_not_exists(#pins)".to_owned();
    }
    values.insert(":count".to_owned(), AttributeValue::N(pins.len().to_string()));
    let mut condition = "size(#pins) = :count".to_owned();
    for (number, pin) in pins.iter().enumerate() {
        let _ = write!(condition, " AND contains(#pins, :pin{number})");
        values.insert(format!(":pin{number}"), AttributeValue::S(pin.to_string()));
    }
    condition
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
