//! Properties by their types. CloudFormation makes a text of each number and of `true` and `false`; the API's own description
//! says what they were.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// The API's description of what calls send. What it says of a field here is what the API itself says of it.
static SCHEMAS: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../shared/management/src/http/schemas.json");
    serde_json::from_str(text).unwrap_or_default()
});
/// What references begin with.
const COMPONENTS: &str = "#/components/schemas/";
/// How deep a property may be: deeper ones are nothing that the API knows.
const MAX_DEPTH: u32 = 16;

/// A property that is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {why}")]
pub(crate) struct PropertyError {
    /// Which one, with the names of those around it.
    pub(crate) name: String,
    /// What is wrong with it; never its value, which may be a secret in the wrong place.
    pub(crate) why: String,
}

impl PropertyError {
    pub(crate) fn new(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), why: why.into() }
    }
}

/// What the API's description says of the fields of a body.
pub(crate) fn fields(body: &str) -> Option<&'static Map<String, Value>> {
    SCHEMAS.get(body)?.get("properties")?.as_object()
}

/// Whether a field may be null, which takes it away.
pub(crate) fn is_nullable(field: &Value) -> bool {
    let is_null = |it: &Value| it.is_null() || it == "null" || it["type"] == "null";
    let any = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(is_null));
    any(&field["type"]) || any(&field["enum"]) || any(&field["anyOf"])
}

/// The value of the type that the description has.
pub(crate) fn typed(field: &Value, value: &Value, name: &str) -> Result<Value, PropertyError> {
    read(field, value, name, MAX_DEPTH)
}

fn read(field: &Value, value: &Value, name: &str, depth: u32) -> Result<Value, PropertyError> {
    let wrong = |why: &str| PropertyError::new(name, why);
    let depth = depth.checked_sub(1).ok_or_else(|| wrong("is too deep"))?;
    if let Some(referred) = field["$ref"].as_str() {
        let schema = SCHEMAS.get(referred.trim_start_matches(COMPONENTS)).unwrap_or(&Value::Null);
        return read(schema, value, name, depth);
    }
    if let Some(options) = field["anyOf"].as_array() {
        let mut error = None;
        for option in options.iter().filter(|option| option["type"] != "null") {
            match read(option, value, name, depth) {
                Ok(value) => return Ok(value),
                Err(why) => error = error.or(Some(why)),
            }
        }
        return Err(error.unwrap_or_else(|| wrong("has another form")));
    }
    match (kind(field), value) {
        (Some("string"), Value::String(_)) => Ok(value.clone()),
        (Some("string"), Value::Bool(_) | Value::Number(_)) => Ok(value.to_string().into()),
        (Some("string"), _) => Err(wrong("has to be a text")),
        (Some("integer"), _) => integer(value).ok_or_else(|| wrong("has to be a whole number")),
        (Some("boolean"), _) => boolean(value).map(Value::Bool).ok_or_else(|| wrong("has to be true or false")),
        (Some("array"), Value::Array(items)) => {
            let items = items.iter().enumerate();
            items.map(|(at, item)| read(&field["items"], item, &format!("{name}[{at}]"), depth)).collect()
        }
        (Some("array"), _) => Err(wrong("has to be a list")),
        (Some("object"), Value::Object(entries)) => object(field, entries, name, depth),
        (Some("object"), _) => Err(wrong("has to have properties of its own")),
        // What the description leaves open is the API's to judge.
        _ => Ok(value.clone()),
    }
}

fn object(field: &Value, entries: &Map<String, Value>, name: &str, depth: u32) -> Result<Value, PropertyError> {
    let mut typed = Map::new();
    for (key, value) in entries {
        let path = format!("{name}.{key}");
        let value = match field["properties"].get(key) {
            Some(known) => read(known, value, &path, depth)?,
            None if field["additionalProperties"] == false => return Err(PropertyError::new(path, "is not known")),
            None => value.clone(),
        };
        typed.insert(key.clone(), value);
    }
    Ok(Value::Object(typed))
}

/// The type that a field has besides null.
fn kind(field: &Value) -> Option<&str> {
    match &field["type"] {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if !number.is_f64() => Some(value.clone()),
        Value::String(text) => text.parse::<i64>().ok().map(Value::from),
        _ => None,
    }
}

/// `true` or `false`, however the template or CloudFormation writes it.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(it) => Some(*it),
        Value::String(text) => match text.as_str() {
            "true" | "True" => Some(true),
            "false" | "False" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_mirror(name: &str, value: &Value) -> Result<Value, String> {
        typed(&fields("NewMirror").unwrap()[name], value, name).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_become_what_the_api_takes() {
        for (name, sent, taken) in [
            ("sync_interval", json!("3600"), json!(3600)),
            ("sync_interval", json!(3600), json!(3600)),
            ("is_enabled", json!("false"), json!(false)),
            ("deletion_limit", json!("0"), json!(0)),
            ("external_reference", json!("h/x"), json!("h/x")),
            ("digest_listing", json!("off"), json!("off")),
            ("architecture_filter", json!(["amd64"]), json!(["amd64"])),
            (
                "external_registry_config",
                json!({"verify_tls": "false", "x": "1"}),
                json!({"verify_tls": false, "x": "1"}),
            ),
            ("min_age", json!({"mode": "enforce", "seconds": "60"}), json!({"mode": "enforce", "seconds": 60})),
            (
                "selection",
                json!({"newest": "3", "version": {"prereleases": "true", "ranges": [">=1"]}}),
                json!({"newest": 3, "version": {"prereleases": true, "ranges": [">=1"]}}),
            ),
            (
                "root_rule",
                json!({"rule_kind": "tag_glob_csv", "rule_value": ["1.0", "v*"]}),
                json!({"rule_kind": "tag_glob_csv", "rule_value": ["1.0", "v*"]}),
            ),
        ] {
            assert_eq!(of_mirror(name, &sent), Ok(taken), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_its_value_is_not() {
        for (name, sent, said) in [
            ("sync_interval", json!("hunter2"), "sync_interval has to be a whole number"),
            ("is_enabled", json!("hunter2"), "is_enabled has to be true or false"),
            ("architecture_filter", json!("hunter2"), "architecture_filter has to be a list"),
            ("root_rule", json!("hunter2"), "root_rule has to have properties of its own"),
            ("external_reference", json!(["hunter2"]), "external_reference has to be a text"),
            ("min_age", json!({"seconds": "hunter2"}), "min_age.seconds has to be a whole number"),
            ("selection", json!({"hunter": "hunter2"}), "selection.hunter is not known"),
            (
                "external_registry_config",
                json!({"verify_tls": "no"}),
                "external_registry_config.verify_tls has to be true or false",
            ),
        ] {
            assert_eq!(of_mirror(name, &sent), Err(said.to_owned()));
        }
    }

    #[test]
    fn nothing_is_read_without_an_end() {
        let deep = (0..40).fold(json!("x"), |value, _| json!([value]));
        let lists = (0..40).fold(json!({"type": "string"}), |items, _| json!({"type": "array", "items": items}));
        assert!(typed(&lists, &deep, "x").unwrap_err().to_string().ends_with("is too deep"));
    }

    #[test]
    fn the_description_says_what_can_be_taken_away() {
        let fields = fields("NewMirror").unwrap();
        let nullable =
            ["deletion_limit", "digest_listing", "selection", "architecture_filter", "external_registry_username"];
        assert!(nullable.iter().all(|name| is_nullable(&fields[*name])));
        assert!(!["is_enabled", "sync_interval", "root_rule"].iter().any(|name| is_nullable(&fields[*name])));
    }
}
