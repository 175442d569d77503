//! A mirror's schedule follows its configuration.

use moorage_state::{Mirror, now};

use crate::{api::Api, http::error::ApiError};

/// Makes the mirror's schedule what its configuration says, and records that it is. `started` says that its start is new.
///
/// If this fails the mirror has a wrong schedule or none, until the next change or reconciliation.
pub(crate) async fn follow(api: &Api, mirror: Mirror, started: bool) -> Result<(), ApiError> {
    api.table.follow_mirror(&mirror, |timetable| api.scheduler.follow(timetable, started, now())).await
}
