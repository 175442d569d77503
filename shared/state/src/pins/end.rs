//! How a pin ends: one transaction makes it none, and what is left of it goes after that.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{RepositoryName, pin::Pin, usage_log::LogEntry};

use crate::{
    StateError, Table,
    clock::now,
    expression::Change,
    key::Key,
    pins::{LoosePin, of_snapshot},
    table::Item,
    transaction::{Committed, Transaction},
    usage_log::Told,
};

/// Of a pin's item: it is still this one. It needs `:snapshot`.
const OURS: &str = "#snapshot = :snapshot";

impl Table {
    /// Unpins a run, with what the usage logs tell of it: what it has left is kept no longer than anything else. Returns whether
    /// it was this pin until now.
    pub async fn unpin(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        log: Option<LogEntry>,
    ) -> Result<bool, StateError> {
        self.unpin_if(repository, pin, OURS, log).await
    }

    /// As [`Self::unpin`], but only if nobody may have been told that it is kept: `false` also where somebody may have been.
    pub async fn take_back_pin(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        log: Option<LogEntry>,
    ) -> Result<bool, StateError> {
        // Nobody keeps outcomes of such a one.
        let pin = Pin { kept: true, ..pin.clone() };
        self.unpin_if(repository, &pin, "#snapshot = :snapshot AND attribute_not_exists(#remembered)", log).await
    }

    async fn unpin_if(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        condition: &str,
        log: Option<LogEntry>,
    ) -> Result<bool, StateError> {
        let mut transaction = Transaction::new(self);
        let runs = AttributeValue::Ss(vec![pin.run_id.to_string()]);
        let run = AttributeValue::S(pin.run_id.to_string());
        let values = Item::from([(":runs".to_owned(), runs), (":run".to_owned(), run)]);
        let change = Change { update: "DELETE #pins :runs", condition: "contains(#pins, :run)" };
        transaction.update(Key::Repository(repository), change, values)?;
        let loose = loosened(&mut transaction, repository, pin, condition)?;
        log.map(Told::new).iter().try_for_each(|told| told.add_to_both(&mut transaction, repository))?;
        let is_unpinned = transaction.commit().await? == Committed::Yes;
        // What is left is settled by whoever comes next.
        if is_unpinned && let Err(error) = self.forget_loosened(repository, pin, &loose).await {
            tracing::warn!(%repository, %error, "what was pinned was not forgotten yet");
        }
        Ok(is_unpinned)
    }

    /// Takes away what is left of a pin that is none since its mirror is gone.
    pub(crate) async fn loosen(&self, repository: &RepositoryName, pin: &Pin) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        let run = AttributeValue::S(pin.run_id.to_string());
        let values = Item::from([(":run".to_owned(), run)]);
        transaction.check(Key::Repository(repository), "NOT contains(#pins, :run)", values)?;
        let loose = loosened(&mut transaction, repository, pin, OURS)?;
        match transaction.commit().await? {
            Committed::Yes => self.forget_loosened(repository, pin, &loose).await,
            // Somebody was faster, or has pinned the run again.
            Committed::Refused(_) => Ok(()),
        }
    }

    /// Somebody may be keeping outcomes for a pin of which not all are kept: then what tells of it stays, so that they are
    /// released once more after that.
    async fn forget_loosened(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        loose: &LoosePin,
    ) -> Result<(), StateError> {
        if pin.kept {
            return self.forget_snapshot(repository, loose).await;
        }
        self.release_outcomes(repository, loose.run_id, loose.snapshot).await?;
        self.delete_snapshot(repository, loose.snapshot).await
    }

    /// Takes away what there is of a snapshot that does not count, and last what tells of it.
    pub(crate) async fn forget_snapshot(
        &self,
        repository: &RepositoryName,
        loose: &LoosePin,
    ) -> Result<(), StateError> {
        self.release_outcomes(repository, loose.run_id, loose.snapshot).await?;
        self.delete_snapshot(repository, loose.snapshot).await?;
        crate::error::or_gone(self.delete(Key::LoosePin(repository, loose.snapshot)).await)
    }

    /// Gives up what was staged for a pin that was not made.
    pub async fn unstage_pin(&self, repository: &RepositoryName, pin: &Pin) -> Result<(), StateError> {
        let loose = LoosePin { run_id: pin.run_id, snapshot: pin.snapshot, since: pin.since };
        self.forget_snapshot(repository, &loose).await
    }
}

/// Makes a loose one of a pin, as a part of a transaction.
fn loosened(
    transaction: &mut Transaction<'_>,
    repository: &RepositoryName,
    pin: &Pin,
    condition: &str,
) -> Result<LoosePin, StateError> {
    let loose = LoosePin { run_id: pin.run_id, snapshot: pin.snapshot, since: now() };
    transaction.delete(Key::Pin(repository, pin.run_id), Some((condition, of_snapshot(pin.snapshot))))?;
    transaction.put(Key::LoosePin(repository, pin.snapshot), &loose)?;
    Ok(loose)
}
