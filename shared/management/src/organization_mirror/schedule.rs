//! The schedule of an organization's mirror follows its configuration, as a mirror's does.

use moorage_state::{OrganizationMirror, now};

use crate::{api::Api, http::error::ApiError};

/// Makes the schedule what the configuration says, and records that it is. `started` says that its start is new. If this
/// fails, the schedule is wrong until the next change or reconciliation.
pub(crate) async fn follow(api: &Api, mirror: OrganizationMirror, started: bool) -> Result<(), ApiError> {
    let make = |timetable| api.scheduler.follow(timetable, started, now());
    api.table.follow_organization_mirror(&mirror, make).await
}
