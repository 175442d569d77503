//! The registry's catalog of a namespace, opened as the mirror's configuration says.

use std::time::Duration;

use moorage_clouds::CloudError;
use moorage_state::{Login, OrganizationMirror};
use moorage_upstream::{Catalog, Limits, Meter, Settings};

use crate::{error::RoundError, organizations::Organizations};

/// Opens the namespace of an organization's mirror. Nothing is asked of the registry yet.
pub(crate) async fn open(
    organizations: &Organizations,
    mirror: &OrganizationMirror,
    login: &Login,
    meter: Meter,
) -> Result<Catalog, RoundError> {
    let (config, settings) = (&mirror.config, &organizations.settings);
    let registry = &config.external_registry_config;
    let mut access = login.decrypt(&organizations.secrets, registry).await?;
    if let Some(cloud) = login.cloud().map_err(CloudError::from)? {
        let url = &config.external_registry_url;
        let scheme = url.as_str().split_once("://").map(|(scheme, _)| scheme);
        organizations.clouds.admit(cloud, (scheme, url.authority()), registry, &mut access).await?;
    }
    let limits = Limits { patience: Duration::from_secs(config.skopeo_timeout), ..settings.limits.clone() };
    let spoken = Settings::new(registry, access, settings.guard.clone(), limits, meter);
    let (kind, url) = (config.external_registry_type, &config.external_registry_url);
    Ok(Catalog::new(kind, url, &config.external_namespace, spoken)?)
}
