//! What registries let be fetched.

use moorage_client::{Client, ClientError};
use moorage_domain::Timestamp;
use serde_json::Value;

use crate::{
    clock::now,
    commands::doctor::check::Check,
    output::{age, duration},
    target::Target,
};

/// What was looked at.
const WHAT: &str = "rate limit";
/// The most registries that are told of.
const SHOWN: usize = 5;
/// What was told so many seconds ago says nothing: no registry counts by more than days.
const LONGEST: i64 = 86_400;
const ADVICE: &str =
    "Give the mirrors credentials that have a larger limit, sync less often, or lower rate_limit_floor.";

/// Of all registries, as the deployment's health has them: those of which least is left.
pub(super) fn of_deployment(facts: &Value) -> Vec<Check> {
    // A release before does not say.
    let Some(limits) = facts["rate_limits"].as_array() else { return Vec::new() };
    if limits.is_empty() {
        return vec![Check::fine(WHAT, "no registry says that there is one at present")];
    }
    let check = |limit: &Value| {
        let text = |name: &str| limit[name].as_str().unwrap_or("-");
        let whose = format!("{} for {}: {}", text("registry"), text("namespace"), words(limit, text("seen_at")));
        match limit["used_up_until"].as_str() {
            Some(until) => Check::warning(WHAT, format!("{whose}; nothing is fetched until {until}"), ADVICE),
            None => Check::fine(WHAT, whose),
        }
    };
    limits.iter().take(SHOWN).map(check).collect()
}

/// Of one mirror's registry, as its last run was told.
pub(super) async fn of_mirror(client: &Client, target: &Target, mirror: &Value) -> Option<Check> {
    let Target::Repository(_) = target else { return None };
    let runs = match client.get(&format!("{}/runs?limit=1", target.mirror())).await {
        Ok(runs) => runs,
        Err(ClientError::NotFound { .. }) => return None,
        Err(error) => return Some(Check::failed(WHAT, error.to_string(), None)),
    };
    of_run(&runs["runs"][0]["rate_limit"], mirror["rate_limit_floor"].as_u64().unwrap_or_default(), now())
}

fn of_run(limit: &Value, floor: u64, now: Timestamp) -> Option<Check> {
    let at = limit["at"].as_str()?;
    let told = Timestamp::parse_iso(at).filter(|told| now.unix() - told.unix() < LONGEST)?;
    let left = limit["remaining"].as_u64()?;
    let message = words(limit, at);
    // A window that has ended since gives all of it back.
    let window = limit["window_seconds"].as_u64().and_then(|window| i64::try_from(window).ok());
    let is_over = window.is_some_and(|window| now.unix() - told.unix() >= window);
    if left > floor || is_over {
        return Some(Check::fine(WHAT, message));
    }
    let floor = if floor > 0 { format!("; rate_limit_floor leaves {floor} to others") } else { String::new() };
    Some(Check::warning(WHAT, format!("{message}{floor}"), ADVICE))
}

/// `76 of 100 manifests in 6h00m are left, told 2m05s ago`.
fn words(limit: &Value, at: &str) -> String {
    let number = |name: &str| limit[name].as_u64();
    let left = number("remaining").map_or_else(|| "an unknown number".to_owned(), |left| left.to_string());
    let all = number("limit").map(|all| format!(" of {all}")).unwrap_or_default();
    let window = number("window_seconds").map(|window| format!(" in {}", duration(window))).unwrap_or_default();
    format!("{left}{all} manifests{window} are left, told {}", age(Some(at)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::doctor::check::Finding;

    #[test]
    fn a_registry_that_is_used_up_is_a_warning() {
        let at = |seconds: i64| Timestamp::from_unix(1_790_000_000 + seconds);
        let limit = |left: u64| json!({"remaining": left, "limit": 100, "window_seconds": 21_600, "at": at(0).iso()});
        for (left, floor, later, finding) in [
            (76, 10, 60, Some(Finding::Fine)),
            (10, 10, 60, Some(Finding::Warning)),
            (0, 0, 60, Some(Finding::Warning)),
            (0, 0, 21_600, Some(Finding::Fine)),
            (0, 0, 90_000, None),
        ] {
            let found = of_run(&limit(left), floor, at(later));
            assert_eq!(found.map(|check| check.finding), finding, "{left} {floor} {later}");
        }
        let warned = of_run(&limit(10), 12, at(1)).unwrap().message;
        assert!(
            warned.starts_with("10 of 100 manifests in 6h00m are left, told ")
                && warned.ends_with("leaves 12 to others")
        );
        assert_eq!(of_run(&Value::Null, 0, at(0)), None);
    }

    #[test]
    fn the_deployments_registries_are_told_of_as_far_as_there_are_not_too_many() {
        let limit = |until: Value| {
            json!({
                "namespace": "acme", "registry": "docker.io", "remaining": 3, "limit": null, "window_seconds": null, "floor": 0,
                "seen_at": now().iso(), "used_up_until": until,
            })
        };
        let facts = json!({"rate_limits": vec![limit(json!("2026-12-01T00:00:00Z")); 7]});
        let checks = of_deployment(&facts);
        assert_eq!((checks.len(), checks[0].finding), (SHOWN, Finding::Warning));
        assert!(
            checks[0].message.starts_with("docker.io for acme: 3 manifests are left, told 0s ago; nothing is fetched")
        );
        assert_eq!(of_deployment(&json!({"rate_limits": [limit(Value::Null)]}))[0].finding, Finding::Fine);
        assert_eq!(of_deployment(&json!({"rate_limits": []})).len(), 1);
        assert_eq!(of_deployment(&json!({})), []);
    }
}
