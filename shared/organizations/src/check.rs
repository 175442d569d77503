//! Whether the registry of an organization's mirror can be asked.

use std::time::Instant;

use moorage_domain::{Namespace, RateLimit, task::TaskAnswer};
use moorage_state::{Login, OrganizationMirror};
use moorage_upstream::{Meter, UpstreamError};
use tokio::time::timeout_at;

use crate::{
    catalog,
    error::{OrganizationsError, RoundError},
    organizations::Organizations,
};

impl Organizations {
    /// Asks the registry for the namespace, until `end`. The messages are Quay's where it has one.
    pub async fn check(&self, organization: &Namespace, end: Instant) -> Result<TaskAnswer, OrganizationsError> {
        let Some(mirror) = self.table.organization_mirror(organization).await? else { return Ok(TaskAnswer::NotFound) };
        let checked = timeout_at(end.into(), self.check_registry(&mirror)).await;
        let (success, message) = checked.unwrap_or_else(|_| (false, "Connection timed out".to_owned()));
        Ok(TaskAnswer::Checked { success, message })
    }

    async fn check_registry(&self, mirror: &OrganizationMirror) -> (bool, String) {
        let (login, meter) = (Login::of_organization(mirror), Meter::new(RateLimit::default(), 0));
        let catalog = match catalog::open(self, mirror, &login, meter).await {
            Ok(catalog) => catalog,
            Err(RoundError::Failed(failure)) => {
                let organization = &mirror.config.organization;
                tracing::warn!(%organization, error = failure.logged(), "the registry could not be asked");
                return (false, failure.message);
            }
            Err(_) => return (false, "The registry cannot be asked now".to_owned()),
        };
        match catalog.check().await {
            Ok(()) => (true, "Connection successful".to_owned()),
            Err(error) => (false, explain(&error, &mirror.config.external_namespace)),
        }
    }
}

fn explain(error: &UpstreamError, namespace: &str) -> String {
    match error {
        UpstreamError::Auth(message) => format!("Authentication failed: {message}"),
        UpstreamError::NotFound(_) | UpstreamError::UnknownRepository(_) => {
            format!("Namespace '{namespace}' not found")
        }
        UpstreamError::Timeout(_) => "Connection timed out".to_owned(),
        UpstreamError::Tls { message, .. } => format!("SSL error: {message}"),
        UpstreamError::Connection { message, .. } => format!("Connection error: {message}"),
        UpstreamError::NotAllowed(_) => "The provided URL is not allowed".to_owned(),
        UpstreamError::Status { status, .. } => format!("Unexpected response: {status}"),
        other => other.to_string(),
    }
}
