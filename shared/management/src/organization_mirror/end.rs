//! The end of an organization's mirror.

use moorage_domain::{task::Task, usage_log::LogKind};
use moorage_state::OrganizationMirror;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    organization_mirror::{find::find_organization_mirror, log::log},
};

/// `DELETE organization/{orgname}/mirror`: its repositories become ordinary ones, and keep their images.
pub(crate) async fn delete(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let mirror = find_organization_mirror(api, name).await?;
    end(api, &mirror).await?;
    log(api, &mirror, call, LogKind::OrgMirrorDisabled).await;
    Ok(Answer::NoContent)
}

/// Ends an organization's mirror. What takes longer than a call may is gone on with by the sync function.
pub(crate) async fn end(api: &Api, mirror: &OrganizationMirror) -> Result<(), ApiError> {
    let organization = mirror.config.organization.clone();
    api.table.mark_organization_mirror_deleted(&organization).await?;
    if let Err(error) = api.invoker.ask(&Task::ReleaseDiscovered { organization: organization.clone() }).await {
        // The next reconciliation goes on.
        tracing::warn!(%organization, %error, "the repositories of a deleted mirror are not released yet");
    }
    Ok(())
}
