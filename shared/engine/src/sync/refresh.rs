//! When it is asked again what refers to images that have not changed.

use std::sync::PoisonError;

use moorage_state::{ReferrersChecked, now};

use crate::{error::WorkError, sync::invocation::Invocation};

impl Invocation<'_> {
    /// Whether it is time to ask what refers to all images.
    pub(crate) fn is_due(&self) -> bool {
        let refresh = self.engine.settings.referrers_refresh;
        self.verifies || self.checked.as_ref().is_none_or(|checked| checked.at.plus(refresh) <= now())
    }

    /// Notes that what is attached to the images is kept that were let in.
    pub(crate) fn attached(&self) {
        self.unattached.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Has the next sync ask what refers to images that were let in, if this one has ended before it was kept: they are served
    /// already.
    pub(crate) async fn ask_next(&self) -> Result<(), WorkError> {
        let unattached = std::mem::take(&mut *self.unattached.lock().unwrap_or_else(PoisonError::into_inner));
        if unattached.is_empty() {
            return Ok(());
        }
        let (repository, claim) = (&self.mirror.config.repository, self.claim.transaction());
        let mut checked = self.checked.clone().unwrap_or_default();
        checked.again.extend(unattached);
        Ok(self.engine.table.put_referrers_checked(repository, checked, claim).await?)
    }

    /// Has the next sync ask what refers to images of which this one has not learnt it, beside those that were to be asked for
    /// before.
    pub(crate) async fn ask_again(&self) -> Result<(), WorkError> {
        let again = self.progress.losses.again();
        let mut checked = self.checked.clone().unwrap_or_default();
        if again.is_subset(&checked.again) {
            return Ok(());
        }
        checked.again.extend(again);
        let (repository, claim) = (&self.mirror.config.repository, self.claim.transaction());
        Ok(self.engine.table.put_referrers_checked(repository, checked, claim).await?)
    }

    /// Records that it was asked, of all images or of some, and of which the next sync asks again.
    pub(crate) async fn asked_referrers(&self, all: bool, before: ReferrersChecked) -> Result<(), WorkError> {
        let again = self.progress.losses.again();
        if all || again != before.again {
            let at = if all { self.started_at } else { before.at };
            let (repository, claim) = (&self.mirror.config.repository, self.claim.transaction());
            self.engine.table.put_referrers_checked(repository, ReferrersChecked { at, again }, claim).await?;
        }
        Ok(())
    }
}
