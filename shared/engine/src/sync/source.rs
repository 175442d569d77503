//! The external registry, opened as the mirror's configuration says.

use std::time::Duration;

use moorage_clouds::CloudError;
use moorage_domain::{DigestListing, ExternalReference, NoListing, mirror::RegistryConfig, preview::PreviewSource};
use moorage_state::{Login, Mirror, now};
use moorage_upstream::{Limits, Meter, Registry, Settings};

use crate::{engine::Engine, error::WorkError};

/// Opens the registry of a mirror. Nothing is asked of it yet.
pub(crate) async fn open(engine: &Engine, mirror: &Mirror, login: &Login, meter: Meter) -> Result<Registry, WorkError> {
    let config = &mirror.config;
    let way = (&config.external_reference, &config.external_registry_config, config.skopeo_timeout_interval);
    let registry = open_by(engine, way, login, meter).await?.with_digest_listing(listing(mirror));
    if known(mirror).is_some() {
        registry.expect_no_listing();
    }
    Ok(registry)
}

/// Opens the registry of a mirror that is not there yet, or would copy from somewhere else.
pub(crate) async fn open_candidate(
    engine: &Engine,
    source: &PreviewSource,
    login: &Login,
    meter: Meter,
) -> Result<Registry, WorkError> {
    let way = (&source.external_reference, &source.external_registry_config, source.skopeo_timeout_interval);
    open_by(engine, way, login, meter).await
}

/// Opens a registry: which, by which way, and with how many seconds of patience.
async fn open_by(
    engine: &Engine,
    (reference, config, patience): (&ExternalReference, &RegistryConfig, u64),
    login: &Login,
    meter: Meter,
) -> Result<Registry, WorkError> {
    let settings = &engine.settings;
    let mut access = login.decrypt(&engine.secrets, config).await?;
    if let Some(cloud) = login.cloud().map_err(CloudError::from)? {
        engine.clouds.admit(cloud, (None, reference.authority()), config, &mut access).await?;
    }
    let limits = Limits { patience: Duration::from_secs(patience), ..settings.limits.clone() };
    let spoken = Settings::new(config, access, settings.guard.clone(), limits, meter);
    Ok(Registry::new(reference.clone(), spoken)?)
}

/// The listing that is believed. None is while somebody waits for a verification: each tag is asked for then. One that is
/// only due again does with a listing, as every sync, or it would cost a request for each of thousands of tags.
fn listing(mirror: &Mirror) -> DigestListing {
    if mirror.state.verify_requested { DigestListing::Off } else { mirror.config.policy.digest_listing }
}

/// That the registry has no listing which says digests, if an earlier sync found so not long ago.
fn known(mirror: &Mirror) -> Option<&NoListing> {
    let reference = &mirror.config.external_reference;
    mirror.state.no_listing.as_ref().filter(|found| found.holds(reference, now()))
}

/// Whether the registry is known to tell by HEAD what tags point to, without a login, and to have no listing that says so.
pub(crate) fn heads(mirror: &Mirror) -> bool {
    known(mirror).is_some_and(NoListing::heads)
}

/// What is known of that after a sync, which may have found it itself.
pub(crate) async fn no_listing(mirror: &Mirror, registry: &Registry) -> Option<NoListing> {
    let found = || registry.has_no_listing().then(|| NoListing::found(mirror.config.external_reference.clone(), now()));
    let found = known(mirror).cloned().or_else(found)?;
    Some(found.with_heads(registry.heads_for_all().await))
}
