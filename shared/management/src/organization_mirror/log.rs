//! What the usage log says of an organization's mirror.

use moorage_domain::usage_log::LogKind;
use moorage_state::OrganizationMirror;

use crate::{api::Api, http::call::Call};

/// Adds an entry with where the mirror's repositories come from.
pub(crate) async fn log(api: &Api, mirror: &OrganizationMirror, call: &Call, kind: LogKind) {
    let metadata = [("external_reference", mirror.config.source().into())];
    api.log_namespace(call, &mirror.config.organization, kind, metadata).await;
}
