//! How many repositories an organization's mirror may create.

use moorage_domain::{discovery::DiscoveredRepository, share::OverQuota};

use crate::{error::RoundError, log, round::Round};

impl Round<'_> {
    /// Those of the repositories to create that the organization may still have, the first by name; the others are told
    /// of, and found again by the next round.
    pub(crate) async fn within_quota(
        &self,
        mut new: Vec<DiscoveredRepository>,
    ) -> Result<Vec<DiscoveredRepository>, RoundError> {
        let most = self.organizations.settings.repositories;
        if most == 0 || new.is_empty() {
            return Ok(new);
        }
        let there = self.organizations.table.count_repositories(&self.mirror.config.organization).await?;
        let left = usize::try_from(most.saturating_sub(there)).unwrap_or(usize::MAX);
        if new.len() > left {
            new.sort_unstable_by(|one, other| one.repository.cmp(&other.repository));
            let names: Vec<_> = new.split_off(left).iter().map(|it| it.repository.name().to_owned()).collect();
            let reason = OverQuota::Repositories(most).to_string();
            self.tell(&[log::not_created(self.mirror, &names, &reason)]).await?;
        }
        Ok(new)
    }
}
