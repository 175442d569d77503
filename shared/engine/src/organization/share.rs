//! How many repositories an organization's mirror may create.

use moorage_domain::{discovery::DiscoveredRepository, share::OverQuota};

use super::{log, round::Round};
use crate::error::WorkError;

impl Round<'_> {
    /// Those of the repositories to create that the organization has room for, the first by name; the others are told
    /// of, and found again by the next round.
    pub(super) async fn within_share(
        &self,
        mut new: Vec<DiscoveredRepository>,
    ) -> Result<Vec<DiscoveredRepository>, WorkError> {
        let most = self.engine.settings.shares.repositories;
        if most == 0 || new.is_empty() {
            return Ok(new);
        }
        let there = self.engine.table.count_repositories(&self.mirror.config.organization).await?;
        let room = usize::try_from(most.saturating_sub(there)).unwrap_or(usize::MAX);
        if new.len() > room {
            new.sort_unstable_by(|one, other| one.repository.cmp(&other.repository));
            let names: Vec<_> = new.split_off(room).iter().map(|it| it.repository.name().to_owned()).collect();
            let reason = OverQuota::Repositories(most).to_string();
            self.tell(&[log::not_created(self.mirror, &names, &reason)]).await?;
        }
        Ok(new)
    }
}
