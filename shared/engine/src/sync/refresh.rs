//! When it is asked again what refers to images that have not changed.

use moorage_state::{ReferrersChecked, now};

use crate::{error::WorkError, sync::invocation::Invocation};

impl Invocation<'_> {
    /// When it was last asked what refers to images.
    pub(crate) async fn referrers_checked(&self) -> Result<Option<ReferrersChecked>, WorkError> {
        Ok(self.engine.table.referrers_checked(&self.mirror.config.repository).await?)
    }

    /// Whether it is time to ask that of all images.
    pub(crate) fn is_due(&self, checked: Option<&ReferrersChecked>) -> bool {
        let refresh = self.engine.settings.referrers_refresh;
        self.verifies || checked.is_none_or(|checked| checked.at.plus(refresh) <= now())
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
