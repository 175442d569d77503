//! The schedule of an organization's mirror follows its configuration, as a mirror's does.

use moorage_domain::run::Trigger;
use moorage_schedule::SchedulePlan;
use moorage_state::{OrganizationMirror, Race};

use crate::{api::Api, clock::now, http::error::ApiError, mirror::schedule::FIRST_SYNC_DELAY};

/// Makes the schedule what the configuration says, and records that it is. A start that has come, or is new, is served by
/// a one-time schedule. If this fails, the schedule is wrong until the next change or reconciliation.
pub(crate) async fn follow(api: &Api, mirror: OrganizationMirror, started: bool) -> Result<(), ApiError> {
    let (mut current, mut race) = (Some(mirror), Race::begin());
    while let Some(mirror) = current {
        let (config, state, now) = (&mirror.config, &mirror.state, now());
        let plan = SchedulePlan::new(state.sync_start_date, config.sync_interval, config.is_enabled, now);
        api.scheduler.ensure_organization(&config.organization, &plan).await?;
        if (started || state.is_due(now)) && config.is_enabled && state.is_idle() {
            let start = state.sync_start_date.max(now.plus(FIRST_SYNC_DELAY));
            api.scheduler.discover_once(&config.organization, Trigger::Schedule, start).await?;
        }
        if api.table.set_organization_scheduled(&config.organization, mirror.config_revision).await? {
            return Ok(());
        }
        race.lost().await?;
        // Somebody changed it meanwhile; whoever comes last must not be the one who knows the older configuration.
        current = api.table.organization_mirror(&config.organization).await?;
    }
    Ok(())
}
