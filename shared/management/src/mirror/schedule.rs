//! A mirror's schedule follows its configuration.

use std::time::Duration;

use moorage_domain::run::{SyncRequest, Trigger};
use moorage_schedule::SchedulePlan;
use moorage_state::{Mirror, Race};

use crate::{api::Api, clock::now, http::error::ApiError};

/// The delay of a first sync whose start has come: long enough for a Sync Now right behind to go first.
pub(crate) const FIRST_SYNC_DELAY: Duration = Duration::from_secs(5);

/// Makes the mirror's schedule what its configuration says, and records that it is. A new start is served by a one-time
/// schedule, so that one that has come already does not wait a whole interval, and one that is due now is not lost with
/// the schedule that would have served it; where both deliver, the claim lets one pass.
///
/// If this fails the mirror has a wrong schedule or none, until the next change or reconciliation.
pub(crate) async fn follow(api: &Api, mirror: Mirror, started: bool) -> Result<(), ApiError> {
    let (mut current, mut race) = (Some(mirror), Race::begin());
    while let Some(mirror) = current {
        let (config, state, now) = (&mirror.config, &mirror.state, now());
        let plan = SchedulePlan::new(state.sync_start_date, config.sync_interval, config.is_enabled, now);
        api.scheduler.ensure(&config.repository, &plan).await?;
        if (started || state.is_due(now)) && config.is_enabled && state.is_idle() {
            let request = SyncRequest { repository: config.repository.clone(), trigger: Trigger::Schedule };
            api.scheduler.once(request, state.sync_start_date.max(now.plus(FIRST_SYNC_DELAY))).await?;
        }
        if api.table.set_scheduled(&config.repository, mirror.config_revision).await? {
            return Ok(());
        }
        race.lost().await?;
        // Somebody changed it meanwhile; whoever comes last must not be the one who knows the older configuration.
        current = api.table.mirror(&config.repository).await?;
    }
    Ok(())
}
