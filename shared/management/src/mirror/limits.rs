//! What registries have left the namespaces, as their syncs were last told.

use std::{cmp::Reverse, collections::HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RateLimit, Timestamp, rate_limit::Allowance};
use moorage_state::{Mirror, StateError, now};
use serde_json::{Value, json};

use crate::{api::Api, http::error::ApiError};

/// Namespaces that are read at once.
const READS: usize = 16;
/// The most limits that are shown: those of which least is left.
const SHOWN: usize = 20;

/// The limit of one namespace at one registry.
struct Seen {
    namespace: Namespace,
    registry: String,
    limit: RateLimit,
    /// How much its mirrors are to leave.
    floor: u64,
}

/// The limits that still hold, those first that are used up.
pub(crate) async fn view(api: &Api, namespaces: &[Namespace], mirrors: &[Mirror]) -> Result<Value, ApiError> {
    let read = |namespace: Namespace| async move {
        let limits = api.table.rate_limits(&namespace).await?;
        Ok::<_, StateError>(
            limits.into_iter().map(|(registry, limit)| (namespace.clone(), registry, limit)).collect::<Vec<_>>(),
        )
    };
    let limits: Vec<_> = stream::iter(namespaces.to_vec()).map(read).buffer_unordered(READS).try_concat().await?;
    let floors = floors(mirrors);
    let seen = limits.into_iter().map(|(namespace, registry, limit)| {
        let floor = floors.get(&(namespace.clone(), registry.clone())).copied().unwrap_or_default();
        Seen { namespace, registry, limit, floor }
    });
    Ok(shown(seen.collect(), now()))
}

/// The most that a mirror of a namespace leaves at a registry.
fn floors(mirrors: &[Mirror]) -> HashMap<(Namespace, String), u64> {
    let mut floors = HashMap::new();
    for config in mirrors.iter().map(|mirror| &mirror.config) {
        let registry = config.external_reference.registry().to_ascii_lowercase();
        let floor: &mut u64 = floors.entry((config.repository.namespace(), registry)).or_default();
        *floor = (*floor).max(config.policy.rate_limit_floor.unwrap_or_default());
    }
    floors
}

fn shown(mut seen: Vec<Seen>, now: Timestamp) -> Value {
    seen.retain(|it| it.limit.is_current(now));
    let order = |it: &Seen| (Reverse(until(it, now)), it.limit.remaining, it.namespace.clone(), it.registry.clone());
    seen.sort_by_cached_key(order);
    seen.truncate(SHOWN);
    let view = |it: &Seen| {
        json!({
            "namespace": it.namespace, "registry": it.registry, "remaining": it.limit.remaining,
            "limit": it.limit.limit, "window_seconds": it.limit.window_seconds, "floor": it.floor,
            "seen_at": it.limit.seen_at.iso(), "used_up_until": until(it, now).map(Timestamp::iso),
        })
    };
    seen.iter().map(view).collect()
}

/// Until when nothing more is fetched, if nothing is.
fn until(seen: &Seen, now: Timestamp) -> Option<Timestamp> {
    match seen.limit.allowance(0, seen.floor, now) {
        Allowance::Until(until) => Some(until),
        Allowance::Open | Allowance::Wait => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_comes_first_and_what_is_over_does_not_come() {
        let at = Timestamp::from_unix;
        let seen = |registry: &str, remaining, resets, floor| Seen {
            namespace: "acme".parse().unwrap(),
            registry: registry.to_owned(),
            limit: RateLimit {
                seen_at: at(100),
                remaining: Some(remaining),
                resets_at: Some(at(resets)),
                limit: Some(100),
                window_seconds: Some(21_600),
                ..RateLimit::default()
            },
            floor,
        };
        let all = vec![seen("a", 50, 900, 0), seen("b", 12, 900, 12), seen("c", 40, 900, 0), seen("d", 0, 200, 0)];
        let view = shown(all, at(300));
        let names: Vec<_> = view.as_array().unwrap().iter().map(|it| it["registry"].as_str().unwrap()).collect();
        assert_eq!(names, ["b", "c", "a"]);
        let used_up = json!({
            "namespace": "acme", "registry": "b", "remaining": 12, "limit": 100, "window_seconds": 21_600, "floor": 12,
            "seen_at": "1970-01-01T00:01:40Z", "used_up_until": "1970-01-01T00:15:00Z",
        });
        assert_eq!((&view[0], &view[1]["used_up_until"]), (&used_up, &Value::Null));
        let many: Vec<_> = (0..30).map(|left| seen("a", left + 1, 900, 0)).collect();
        assert_eq!(shown(many, at(300)).as_array().unwrap().len(), SHOWN);
    }
}
