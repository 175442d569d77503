//! Which fields are other than they are to be.

use moorage_domain::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    key::Kind,
    secret::SecretSource,
    step::{Change, To},
};

/// Objects whose fields are settings of their own: what is not declared of them is left as it is.
const NESTED: [&str; 3] = ["external_registry_config", "external_registry_config.proxy", "external_registry"];

/// A field, with what it is to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Its path, as `external_registry_config.proxy.http_proxy`.
    pub(crate) path: String,
    pub(crate) to: To,
}

/// Where an element of a kind may have secrets.
pub(crate) const fn secret_paths(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Mirror | Kind::OrganizationMirror => &[
            "external_registry_password",
            "external_registry_config.proxy.http_proxy",
            "external_registry_config.proxy.https_proxy",
            "external_registry_config.tls.ca_bundle",
            "external_registry_config.tls.client_certificate",
            "external_registry_config.tls.client_key",
        ],
        Kind::Robot => &[
            "external_registry.password",
            "external_registry.tls.ca_bundle",
            "external_registry.tls.client_certificate",
            "external_registry.tls.client_key",
            "token",
        ],
        Kind::Notification => &["config.url", "config.secret"],
        Kind::Organization | Kind::Team | Kind::Repository | Kind::Permission => &[],
    }
}

/// The fields that are declared, one by one, in the order of their names.
pub(crate) fn fields(kind: Kind, declared: &Map<String, Value>) -> Vec<Field> {
    let mut found = Vec::new();
    collect(kind, "", declared, &mut found);
    found.sort_by(|one: &Field, other| one.path.cmp(&other.path));
    found
}

fn collect(kind: Kind, prefix: &str, declared: &Map<String, Value>, found: &mut Vec<Field>) {
    for (name, value) in declared {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let has_secrets = || secret_paths(kind).iter().any(|secret| secret.starts_with(&format!("{path}.")));
        match value {
            Value::Object(inner) if NESTED.contains(&path.as_str()) || has_secrets() => {
                collect(kind, &path, inner, found);
            }
            _ => {
                let source = secret_paths(kind).contains(&path.as_str()).then(|| source(value)).flatten();
                let to = source.map_or_else(|| To::Value(value.clone()), To::Secret);
                found.push(Field { path, to });
            }
        }
    }
}

fn source(value: &Value) -> Option<SecretSource> {
    if value.is_object() { serde_json::from_value(value.clone()).ok() } else { None }
}

/// What a view shows at a path.
pub(crate) fn shown<'a>(view: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = view.get(first)?;
    match rest {
        Some(rest) => shown(value.as_object()?, rest),
        None => Some(value),
    }
}

/// Whether a view tells that there is what it does not show; nothing for any other field. The certificates of TLS are told
/// of by whom they are of.
pub(crate) fn is_told_of(view: &Map<String, Value>, path: &str) -> Option<bool> {
    let (tls, name) = path.rsplit_once('.').filter(|(object, _)| object.rsplit('.').next() == Some("tls"))?;
    let told = if name == "ca_bundle" { "ca_subjects" } else { "client_subject" };
    Some(shown(view, &format!("{tls}.{told}")).is_some())
}

/// The fields whose values are other than declared; secrets are not compared.
pub(crate) fn differences(fields: &[Field], view: &Map<String, Value>) -> Vec<Change> {
    let interval = fields.iter().find(|field| field.path == "sync_interval").and_then(|field| match &field.to {
        To::Value(value) => value.as_i64(),
        To::Secret(_) => None,
    });
    let interval = interval.or_else(|| view.get("sync_interval").and_then(Value::as_i64));
    let mut changes = Vec::new();
    for field in fields {
        let To::Value(to) = &field.to else { continue };
        let from = shown(view, &field.path);
        let is_same = match field.path.as_str() {
            "sync_start_date" => is_on_grid(to, from, interval),
            "members" => sorted(to) == from.map(sorted).unwrap_or_default(),
            path => normal(path, Some(to)) == normal(path, from),
        };
        if !is_same {
            changes.push(Change { field: field.path.clone(), from: from.cloned(), to: field.to.clone() });
        }
    }
    changes
}

/// A value, or what it means that there is none.
fn normal(path: &str, value: Option<&Value>) -> Value {
    let value = value.filter(|value| !value.is_null());
    let default = match path {
        "is_enabled" | "external_registry_config.verify_tls" => json!(true),
        "external_registry_config.unsigned_images"
        | "external_registry.allow_insecure"
        | "external_registry.allow_proxy" => {
            json!(false)
        }
        "architecture_filter" | "repository_filters" | "external_registry_config.token_realms" => json!([]),
        "digest_listing" => json!("auto"),
        "description" | "email" | "external_registry_username" => json!(""),
        "eventConfig" | "unstructured_metadata" => json!({}),
        path if path.starts_with("external_registry_config.proxy.") => json!(""),
        _ => Value::Null,
    };
    value.cloned().unwrap_or(default)
}

/// Members are in no order.
fn sorted(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names
}

/// Whether both are moments of the same grid: the API shows the next start. That moves on with each sync, and a sync that
/// somebody asks for before the first start makes it an earlier one.
fn is_on_grid(to: &Value, from: Option<&Value>, interval: Option<i64>) -> bool {
    let moment = |value: Option<&Value>| value.and_then(Value::as_str).and_then(Timestamp::parse_iso);
    let (Some(to), Some(from)) = (moment(Some(to)), moment(from)) else { return false };
    let apart = from.unix() - to.unix();
    apart == 0 || interval.is_some_and(|interval| interval > 0 && apart % interval == 0)
}
