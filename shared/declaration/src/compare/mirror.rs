//! Mirrors, of repositories and of organizations.

use moorage_domain::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Deed, Wanted, changed};
use crate::{
    body,
    call::{Call, Verb},
    diff,
    key::{Key, Kind},
    present::Found,
    step::{Action, Change, To},
};

/// The field that the API never shows.
const PASSWORD: &str = "external_registry_password";
const AUTHORITIES: &str = "external_registry_config.tls.ca_bundle";
/// The field that has to go with it.
const USERNAME: &str = "external_registry_username";
/// The object that an organization's mirror replaces as a whole.
const CONFIG: &str = "external_registry_config";
/// Seconds between starts where it is not said: a day, as Quay's console has it.
const INTERVAL: u64 = 86_400;
/// Seconds that an answer may take where it is not said, as Quay's console has it.
const TIMEOUT: u64 = 300;
/// From when the starts count that are made of names: 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600;

pub(super) fn create(wanted: &Wanted<'_>) -> Vec<Call> {
    let (mut body, secrets) = wanted.whole();
    let mut default = |name: &str, value: Value| {
        body.entry(name).or_insert(value);
    };
    default("sync_interval", INTERVAL.into());
    if wanted.key.kind() == Kind::Mirror {
        default("root_rule", json!({"rule_kind": "tag_glob_csv", "rule_value": ["*"]}));
        default("skopeo_timeout_interval", TIMEOUT.into());
    } else {
        default("visibility", "private".into());
    }
    let interval = body.get("sync_interval").and_then(Value::as_u64).unwrap_or(INTERVAL);
    body.entry("sync_start_date").or_insert_with(|| start(wanted.key, interval).iso().into());
    vec![Call::new(Verb::Post, wanted.key.path()).body(body.into()).secrets(secrets)]
}

/// A moment of its interval that is made of its name: always the same one, and seldom another mirror's.
fn start(key: &Key, interval: u64) -> Timestamp {
    let hash = Sha256::digest(key.name());
    let number = hash.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let offset = i64::try_from(number % interval.max(1)).unwrap_or_default();
    Timestamp::from_unix(EPOCH + offset)
}

/// What a sync would do with these settings, whatever those of the mirror are.
pub(super) fn preview(wanted: &Wanted<'_>) -> Call {
    let (body, secrets) = wanted.whole();
    Call::new(Verb::Post, format!("{}/preview", wanted.key.path())).body(body.into()).secrets(secrets).repeatable()
}

pub(super) fn change(wanted: &Wanted<'_>, found: &Found) -> Deed {
    let mut changes = wanted.differences(found);
    if let Some(kind) = changes.iter().find(|change| change.field == "external_registry_type") {
        let why =
            "how the registry lists its repositories cannot be changed: delete the mirror, which keeps what it has \
                   mirrored, and create it in another organization"
                .to_owned();
        return (Action::Impossible { changes: vec![kind.clone()], why }, Vec::new());
    }
    let is_elsewhere = changes.iter().any(|change| is_identity(&change.field));
    let is_dropped =
        found.view.get("sync_warning").and_then(|it| it.get("reason")) == Some(&json!("credentials_dropped"));
    let all = wanted.options.rotate_secrets || is_elsewhere || is_dropped;
    // An authority that is sent drops the stored passwords.
    let is_trusting = wanted.fields.iter().any(|field| {
        matches!(field.to, To::Secret(_))
            && field.path == AUTHORITIES
            && (all || diff::is_told_of(&found.view, AUTHORITIES) == Some(false))
    });
    for field in wanted.fields {
        let is_sent = match (&field.to, field.path.as_str()) {
            (To::Secret(_), PASSWORD) => all || is_trusting || has_password(&found.view) == Some(false),
            (To::Secret(_), path) => {
                let is_there = || !is_trusting && has_text(&found.view, path);
                all || !diff::is_told_of(&found.view, path).unwrap_or_else(is_there)
            }
            // That there is none: where it is not shown whether there is, it goes with whatever else changes of it.
            (To::Value(Value::Null), PASSWORD) => all || has_password(&found.view) == Some(true),
            (To::Value(Value::Null), path) if diff::is_told_of(&found.view, path) == Some(true) => true,
            _ => false,
        };
        if is_sent {
            changes.retain(|change| change.field != field.path);
            changes.push(Change { field: field.path.clone(), from: None, to: field.to.clone() });
        }
    }
    changed(changes, |changes| {
        let (mut body, secrets) = body::of_changes(changes);
        body::keep(&mut body, CONFIG, &found.view);
        if body.contains_key(PASSWORD) {
            // The API takes no password without a user.
            body.entry(USERNAME).or_insert_with(|| found.view.get(USERNAME).cloned().unwrap_or_default());
        }
        let call = Call::new(Verb::Put, wanted.key.path()).body(body.into());
        vec![call.secrets(secrets).if_match(found.etag.clone())]
    })
}

/// Whether a change of a field drops the stored passwords, or means other ones.
fn is_identity(field: &str) -> bool {
    let whom = ["external_reference", "external_registry_url", "external_registry_username"];
    let way = ["external_registry_config.verify_tls", "external_registry_config.proxy."];
    whom.contains(&field) || way.iter().any(|prefix| field.starts_with(prefix))
}

/// Whether there is a password, where that is shown.
fn has_password(view: &Map<String, Value>) -> Option<bool> {
    view.get("has_external_registry_password").and_then(Value::as_bool)
}

fn has_text(view: &Map<String, Value>, path: &str) -> bool {
    diff::shown(view, path).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}
