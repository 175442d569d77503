//! The schedule of an organization's mirror follows its configuration, as a mirror's does.

use moorage_schedule::SchedulePlan;
use moorage_state::{OrganizationMirror, now};

use crate::{api::Api, http::error::ApiError};

/// Makes the schedule what the configuration says, and records that it is. `started` says that its start is new. If this
/// fails, the schedule is wrong until the next change or reconciliation.
pub(crate) async fn follow(api: &Api, mirror: OrganizationMirror, started: bool) -> Result<(), ApiError> {
    let make = |OrganizationMirror { config, state, .. }: &OrganizationMirror| {
        let plan = SchedulePlan::following(state, config.sync_interval, config.is_enabled, started, now());
        let organization = config.organization.clone();
        async move { Ok(api.scheduler.ensure_organization(&organization, &plan).await?) }
    };
    api.table.follow_organization_mirror(&mirror, make).await
}
