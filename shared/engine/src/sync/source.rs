//! The external registry, opened as the mirror's configuration says.

use std::time::Duration;

use moorage_domain::DigestListing;
use moorage_state::{Login, Mirror};
use moorage_upstream::{Limits, Meter, Registry, Settings};

use crate::{engine::Engine, error::WorkError};

/// Opens the registry of a mirror. Nothing is asked of it yet.
pub(crate) async fn open(engine: &Engine, mirror: &Mirror, login: &Login, meter: Meter) -> Result<Registry, WorkError> {
    let (config, settings) = (&mirror.config, &engine.settings);
    let registry = &config.external_registry_config;
    let access = login.decrypt(&engine.secrets, registry).await?;
    let patience = Duration::from_secs(config.skopeo_timeout_interval);
    let limits = Limits { patience, ..settings.limits.clone() };
    let spoken = Settings::new(registry, access, settings.guard.clone(), limits, meter);
    Ok(Registry::new(config.external_reference.clone(), spoken)?.with_digest_listing(listing(mirror)))
}

/// The listing that is believed. None is while somebody waits for a verification: each tag is asked for then. One that is
/// only due again does with a listing, as every sync, or it would cost a request for each of thousands of tags.
fn listing(mirror: &Mirror) -> DigestListing {
    if mirror.state.verify_requested { DigestListing::Off } else { mirror.config.policy.digest_listing }
}
