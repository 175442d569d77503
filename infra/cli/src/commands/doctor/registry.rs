//! The registry of a mirror: whether it can be asked, as the mirror would ask it.

use moorage_client::{Client, ClientError, Method, Request};
use serde_json::{Value, json};

use crate::{
    commands::doctor::{check::Check, limits},
    output::count,
    target::Target,
};

/// What was looked at.
const WHAT: &str = "registry";

pub(super) async fn of(client: &Client, target: &Target) -> Vec<Check> {
    let mirror = match client.get(&target.mirror()).await {
        Ok(mirror) => mirror,
        Err(error) => return vec![failed(&error, &format!("Look whether {target} has a mirror."))],
    };
    let mut checks = states(&mirror);
    checks.extend(limits::of_mirror(client, target, &mirror).await);
    checks.push(match target {
        Target::Repository(_) => repository(client, target).await,
        Target::Organization(_) => organization(client, target).await,
    });
    checks
}

/// What the mirror itself says.
fn states(mirror: &Value) -> Vec<Check> {
    let mut checks = Vec::new();
    if mirror["is_enabled"] == false {
        checks.push(Check::warning("mirror", "its schedule is off", "Set is_enabled to have it synced on schedule."));
    }
    if mirror["paused"].is_object() {
        checks.push(Check::warning(
            "mirror",
            "it is paused, since its tags were turned back",
            "`moorage resume` ends that.",
        ));
    }
    if let Some(until) = mirror["sync_waiting_until"].as_str() {
        let message = format!("its registry's limit is used up, and a sync waits until {until}");
        let advice = "Give it credentials that have a larger limit, or wait.";
        checks.push(Check::warning("rate limit", message, advice));
    }
    if let Some(message) = mirror["sync_warning"]["message"].as_str() {
        checks.push(Check::warning("mirror", message, "`moorage runs NAME last` has more of it."));
    }
    checks
}

/// A preview asks the registry for its list and for each tag.
async fn repository(client: &Client, target: &Target) -> Check {
    let path = format!("{}/preview", target.mirror());
    match client.call(&Request::new(Method::Post, path).body(json!({})).repeatable()).await {
        Ok(answer) => {
            let preview = answer.body;
            if let Some(message) = preview["failure"]["message"].as_str() {
                return Check::failed(WHAT, message, preview["failure"]["advice"].as_str());
            }
            let of = |name: &str| preview["counts"][name].as_u64().unwrap_or_default();
            let message = format!("it lists {}; the mirror selects {}", count(of("listed"), "tag"), of("selected"));
            match (of("fail") + of("unknown"), of("listed")) {
                (0, 0) => Check::warning(WHAT, message, "Look whether external_reference is right."),
                (0, _) => Check::fine(WHAT, message),
                (bad, _) => {
                    let message = format!("{message}; {bad} could not be asked for");
                    Check::warning(WHAT, message, "`moorage preview` says why.")
                }
            }
        }
        Err(error) => failed(&error, "The log of the sync function says more."),
    }
}

async fn organization(client: &Client, target: &Target) -> Check {
    let path = format!("{}/verify", target.mirror());
    match client.call(&Request::new(Method::Post, path).body(json!({})).repeatable()).await {
        Ok(answer) => {
            let message = answer.body["message"].as_str().unwrap_or_default().to_owned();
            if answer.body["success"] == true {
                Check::fine(WHAT, message)
            } else {
                Check::failed(
                    WHAT,
                    message,
                    Some("Look at the address, the namespace and the credentials of the mirror."),
                )
            }
        }
        Err(error) => failed(&error, "The log of the sync function says more."),
    }
}

fn failed(error: &ClientError, advice: &str) -> Check {
    Check::failed(WHAT, error.to_string(), Some(advice))
}
