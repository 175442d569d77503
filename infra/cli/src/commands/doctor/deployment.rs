//! The deployment: the token's role, its mirrors, its collections.

use moorage_client::{Client, ClientError, Method, Request};
use serde_json::Value;

use crate::{
    commands::{
        doctor::{check::Check, limits, rights},
        may::roles,
    },
    context::Caller,
    error::CliError,
    output::{count, duration},
};

/// After so many seconds without a garbage collection somebody should look: they are made each day.
const COLLECTION: u64 = 3 * 86_400;

/// Whether the token is known, and how far it goes; with what the API says of its holder.
pub(super) async fn token(client: &Client, caller: &Caller) -> (Check, Option<Value>) {
    const WHAT: &str = "token";
    let error = match client.get("user/").await {
        Ok(user) => return (Check::fine(WHAT, role(&user)), Some(user)),
        Err(error) => error,
    };
    let check = match (error, caller) {
        (ClientError::Unauthorized { .. }, Caller::Token(_)) => {
            let message = "the token is not known, or has expired";
            let advice = "Look at MOORAGE_TOKEN, or make another one. The first token is in Secrets Manager: its ARN is \
                          the deployment's output AdminTokenSecretArn.";
            Check::failed(WHAT, message, Some(advice))
        }
        (error, Caller::Token(_)) => Check::failed(WHAT, error.to_string(), None),
        (error, Caller::SignIn(_)) => {
            let error = CliError::from(error).of_sign_in();
            Check::failed(WHAT, error.to_string(), error.advice())
        }
    };
    (check, None)
}

fn role(user: &Value) -> String {
    if user["super_user"] == true {
        return "it may do everything".to_owned();
    }
    roles(user).map_or_else(
        || "it is known, and has no role in any organization".to_owned(),
        |roles| format!("its role is {roles}"),
    )
}

/// How the mirrors and the collections do. Only superusers are told.
pub(super) async fn health(client: &Client, user: &Value) -> Vec<Check> {
    const WHAT: &str = "mirrors";
    if user["super_user"] != true {
        return vec![Check::fine(WHAT, "not asked: only a token for everything is told")];
    }
    // 503 says that too many of them fail, and has the same body.
    let answer = client.ask(&Request::new(Method::Get, "superuser/mirror/health?rights=true").once()).await;
    let health = match answer {
        Ok(answer) if answer.body["facts"].is_object() => answer.body,
        Ok(answer) => {
            let message = format!("the API does not say ({})", answer.status);
            return vec![Check::failed(WHAT, message, Some("Look at the log of the API's function."))];
        }
        Err(error) => return vec![Check::failed(WHAT, error.to_string(), None)],
    };
    let facts = &health["facts"];
    let mut checks = vec![mirrors(&health)];
    checks.extend(named(
        facts,
        "mirrors_held",
        "held",
        "have deletions held back",
        "Look at `moorage runs NAME last`; they are made once deletion_limit allows them.",
    ));
    checks.extend(named(
        facts,
        "claims_expired",
        "expired",
        "were left by a killed sync",
        "They are started again within minutes; if not, the schedule of the sync function's watch is off.",
    ));
    checks.push(collection(facts));
    checks.extend(limits::of_deployment(facts));
    checks.extend(rights::of(facts));
    checks.extend(rights::alarms(facts));
    checks
}

fn mirrors(health: &Value) -> Check {
    const WHAT: &str = "mirrors";
    let of = |name: &str| health["repositories"][name].as_u64().unwrap_or_default();
    let late = health["facts"]["mirrors_late"].as_u64().unwrap_or_default();
    let message = format!(
        "{}, {} failed, {late} late{}",
        count(of("total"), "mirror"),
        of("failed"),
        examples(&health["facts"]["late"])
    );
    if health["healthy"] == false {
        return Check::failed(WHAT, message, Some("More than a fifth has failed: `moorage runs` says why."));
    }
    if of("failed") + late > 0 {
        return Check::warning(WHAT, message, "`moorage runs` says which, and why.");
    }
    Check::fine(WHAT, message)
}

/// A warning of mirrors in some state, if there are any.
fn named(facts: &Value, number: &str, names: &str, state: &str, advice: &str) -> Option<Check> {
    let number = facts[number].as_u64().filter(|number| *number > 0)?;
    let message = format!("{} {state}{}", count(number, "mirror"), examples(&facts[names]));
    Some(Check::warning("mirrors", message, advice))
}

fn examples(names: &Value) -> String {
    let names: Vec<_> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

fn collection(facts: &Value) -> Check {
    const WHAT: &str = "garbage";
    if facts["collection_held"] == true {
        let message = "the last collection has held its deletions back";
        return Check::warning(WHAT, message, "The runbook says why that is, and how to let it go on (gc_held).");
    }
    match facts["collection_age_seconds"].as_u64() {
        None => Check::fine(WHAT, "there was no collection yet"),
        Some(age) if age > COLLECTION => {
            let message = format!("the last collection ended {} ago", duration(age));
            Check::warning(
                WHAT,
                message,
                "Look at the log of the collector's function, and whether its schedule is on.",
            )
        }
        Some(age) => Check::fine(WHAT, format!("the last collection ended {} ago", duration(age))),
    }
}
