//! The external registry, opened as the mirror's configuration says.

use std::time::Duration;

use moorage_domain::{DigestListing, NoListing};
use moorage_state::{Login, Mirror, now};
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
    let registry = Registry::new(config.external_reference.clone(), spoken)?.with_digest_listing(listing(mirror));
    if known(mirror).is_some() {
        registry.expect_no_listing();
    }
    Ok(registry)
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

/// The same after a sync, which may have found it itself.
pub(crate) fn no_listing(mirror: &Mirror, registry: &Registry) -> Option<NoListing> {
    let found = || registry.has_no_listing().then(|| NoListing::found(mirror.config.external_reference.clone(), now()));
    known(mirror).cloned().or_else(found)
}
