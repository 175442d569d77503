//! How many repositories an organization's mirror may create.

use moorage_domain::{discovery::DiscoveredRepository, share::OverQuota, usage_log::LogEntry};
use moorage_state::OrganizationMirror;

use crate::{error::RoundError, log, organizations::Organizations};

/// Those of the repositories to create that the organization may still have, the first by name; and what is told of the
/// others, which the next round finds again.
pub(crate) async fn within_quota(
    organizations: &Organizations,
    mirror: &OrganizationMirror,
    mut new: Vec<DiscoveredRepository>,
) -> Result<(Vec<DiscoveredRepository>, Option<LogEntry>), RoundError> {
    let most = organizations.settings.repositories;
    if most == 0 || new.is_empty() {
        return Ok((new, None));
    }
    let there = organizations.table.count_repositories(&mirror.config.organization).await?;
    let left = usize::try_from(most.saturating_sub(there)).unwrap_or(usize::MAX);
    if new.len() <= left {
        return Ok((new, None));
    }
    new.sort_unstable_by(|one, other| one.repository.cmp(&other.repository));
    let names: Vec<_> = new.split_off(left).iter().map(|it| it.repository.name().to_owned()).collect();
    let reason = OverQuota::Repositories(most).to_string();
    Ok((new, Some(log::not_created(mirror, &names, &reason))))
}
