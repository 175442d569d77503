//! What whoever runs the deployment is told: metrics, of which alarms are made.

use moorage_domain::health::{CollectionHealth, MirrorHealth};
use moorage_runtime::{Metric, Unit, emit};
use moorage_state::{StateError, now};

use crate::config::Services;

/// Tells how the mirrors are that a reconciliation has looked at, and how collections are. Of several invocations each tells
/// of its own mirrors: the highest number of an hour is what alarms are made of. `failed` is what it could not mend, or
/// remove.
pub(crate) async fn report(services: &Services, mirrors: &MirrorHealth, failed: u64) -> Result<(), StateError> {
    if services.watched_as.is_empty() {
        return Ok(());
    }
    let collections = services.engine.table.recent_collections().await?;
    let collections = CollectionHealth::of(&collections, mirrors.since, now());
    let metric = |name, unit, value| Metric { name, unit, value };
    #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
    let metrics = [
        metric("mirrors", Unit::Count, mirrors.mirrors as f64),
        metric("mirrors_late", Unit::Count, mirrors.late.count as f64),
        metric("mirrors_held", Unit::Count, mirrors.held.count as f64),
        metric("claim_expired_seconds", Unit::Seconds, mirrors.claim_expired_seconds as f64),
        metric("mending_failed", Unit::Count, failed as f64),
        metric("collection_held", Unit::Count, f64::from(u8::from(collections.is_held))),
        metric("collection_age_seconds", Unit::Seconds, collections.age_seconds as f64),
    ];
    emit(&[("stack", &services.watched_as)], 1, &metrics);
    let log = [("late", &mirrors.late), ("held", &mirrors.held), ("expired", &mirrors.expired)];
    for (what, group) in log.into_iter().filter(|(_, group)| group.count > 0) {
        tracing::warn!(what, count = group.count, examples = ?group.examples, "mirrors need somebody to look at them");
    }
    Ok(())
}

/// Tells for how long the oldest of the trusted roots has not been known to be current.
pub(crate) fn trust(services: &Services, age_seconds: u64) {
    if services.watched_as.is_empty() {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
    let age = Metric { name: "trust_root_age_seconds", unit: Unit::Seconds, value: age_seconds as f64 };
    emit(&[("stack", &services.watched_as)], 1, &[age]);
}
