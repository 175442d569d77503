//! Fields of a body, checked as Quay's JSON schemas are, with the words of Python's `jsonschema`.

use moorage_domain::proxy::MASK;
use serde_json::{Map, Value};

use crate::http::error::ApiError;

/// How many characters of a value an error repeats.
const QUOTE_LENGTH: usize = 100;

/// Fields that hold a secret, or an object with one: errors show [`MASK`] in place of what was sent in them.
const SECRETS: [&str; 11] = [
    "password",
    "external_registry_password",
    "external_registry_config",
    "external_registry",
    "proxy",
    "http_proxy",
    "https_proxy",
    "tls",
    "ca_bundle",
    "client_certificate",
    "client_key",
];

/// The largest whole number that the table, and clients in other languages, keep exactly.
const MAXIMUM: u64 = i64::MAX as u64;

/// The fields of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// Fails unless all of `names` are there.
    pub(crate) fn require(self, names: &[&str]) -> Result<(), ApiError> {
        match names.iter().find(|name| !self.0.contains_key(**name)) {
            Some(name) => Err(invalid(format!("'{name}' is a required property"))),
            None => Ok(()),
        }
    }

    /// Fails if there is any that is none of `names`.
    pub(crate) fn refuse_others(self, names: &[&str]) -> Result<(), ApiError> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => {
                let name = repr(&Value::String(name.clone()));
                Err(invalid(format!("Additional properties are not allowed ({name} was unexpected)")))
            }
            None => Ok(()),
        }
    }

    /// A string, if it is there.
    pub(crate) fn string(self, name: &str) -> Result<Option<&'a str>, ApiError> {
        self.typed(name, "'string'", Value::as_str)
    }

    /// A string or null, if it is there.
    pub(crate) fn nullable_string(self, name: &str) -> Result<Option<Option<&'a str>>, ApiError> {
        let read = |value: &'a Value| if value.is_null() { Some(None) } else { value.as_str().map(Some) };
        self.typed(name, "'string', 'null'", read)
    }

    /// A boolean, if it is there.
    pub(crate) fn boolean(self, name: &str) -> Result<Option<bool>, ApiError> {
        self.typed(name, "'boolean'", Value::as_bool)
    }

    /// A whole number of at least `minimum`, if it is there.
    pub(crate) fn integer(self, name: &str, minimum: u64) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        if !value.is_i64() && !value.is_u64() {
            return Err(invalid(format!("{} is not of type 'integer'", repr(value))));
        }
        match value.as_u64() {
            Some(number) if number > MAXIMUM => {
                Err(invalid(format!("{number} is greater than the maximum of {MAXIMUM}")))
            }
            Some(number) if number >= minimum => Ok(Some(number)),
            _ => Err(invalid(format!("{value} is less than the minimum of {minimum}"))),
        }
    }

    /// A whole number in a range, if it is there.
    pub(crate) fn integer_in(self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
        match self.integer(name, *range.start())? {
            Some(number) if number > *range.end() => {
                Err(invalid(format!("{number} is greater than the maximum of {}", range.end())))
            }
            number => Ok(number),
        }
    }

    /// A whole number of at least `minimum` or null, if it is there.
    pub(crate) fn nullable_integer(self, name: &str, minimum: u64) -> Result<Option<Option<u64>>, ApiError> {
        if self.0.get(name).is_some_and(Value::is_null) {
            return Ok(Some(None));
        }
        Ok(self.integer(name, minimum)?.map(Some))
    }

    /// An object, if it is there.
    pub(crate) fn object(self, name: &str) -> Result<Option<&'a Map<String, Value>>, ApiError> {
        self.typed(name, "'object'", Value::as_object)
    }

    /// A list of strings, if it is there.
    pub(crate) fn strings(self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(list) = self.typed(name, "'array'", Value::as_array)? else { return Ok(None) };
        let string = |value: &Value| {
            let string = value.as_str().map(str::to_owned);
            string.ok_or_else(|| invalid(format!("{} is not of type 'string'", repr(value))))
        };
        list.iter().map(string).collect::<Result<_, _>>().map(Some)
    }

    /// One of some strings, if it is there.
    pub(crate) fn one_of(self, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, ApiError> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        if allowed.contains(&text) {
            return Ok(Some(text));
        }
        let allowed = Value::from(allowed.iter().map(|text| Value::from(*text)).collect::<Vec<_>>());
        Err(invalid(format!("{} is not one of {}", repr(&text.into()), repr(&allowed))))
    }

    fn typed<T>(
        self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let typed = read(value).ok_or_else(|| invalid(format!("{} is not of type {kind}", repr_of(name, value))));
        typed.map(Some)
    }
}

/// Sets a setting to what a body gives; without a value it stays.
pub(crate) fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

fn invalid(detail: String) -> ApiError {
    ApiError::InvalidRequest(detail)
}

/// A field's value as Python prints it, unless it may be a secret.
fn repr_of(name: &str, value: &Value) -> String {
    let is_text = value.is_string() || value.is_array() || value.is_object();
    if is_text && SECRETS.contains(&name) { format!("'{MASK}'") } else { repr(value) }
}

/// A value as Python prints it, shortened.
pub(crate) fn repr(value: &Value) -> String {
    let text = match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let text: String = text.chars().take(QUOTE_LENGTH).collect();
            format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().take(QUOTE_LENGTH).map(repr).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("'{name}': {}", repr_of(name, value));
            format!("{{{}}}", fields.iter().take(QUOTE_LENGTH).map(field).collect::<Vec<_>>().join(", "))
        }
    };
    if text.chars().count() <= QUOTE_LENGTH { text } else { text.chars().take(QUOTE_LENGTH).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_jsonschemas() {
        let object = json!({"a": 1, "b": "x", "c": null, "d": [1], "e": {"f": true}, "g": -1, "h": 1.5});
        let fields = Fields(object.as_object().unwrap());
        let message = |error: ApiError| error.to_string();
        assert_eq!(message(fields.require(&["a", "z"]).unwrap_err()), "'z' is a required property");
        assert_eq!(message(fields.string("a").unwrap_err()), "1 is not of type 'string'");
        assert_eq!(message(fields.string("c").unwrap_err()), "None is not of type 'string'");
        assert_eq!(message(fields.nullable_string("a").unwrap_err()), "1 is not of type 'string', 'null'");
        assert_eq!(message(fields.boolean("b").unwrap_err()), "'x' is not of type 'boolean'");
        assert_eq!(message(fields.integer("h", 0).unwrap_err()), "1.5 is not of type 'integer'");
        assert_eq!(message(fields.integer("e", 0).unwrap_err()), "{'f': True} is not of type 'integer'");
        assert_eq!(message(fields.integer("a", 60).unwrap_err()), "1 is less than the minimum of 60");
        assert_eq!(message(fields.integer("g", 0).unwrap_err()), "-1 is less than the minimum of 0");
        assert_eq!(message(fields.strings("d").unwrap_err()), "1 is not of type 'string'");
        assert_eq!(message(fields.one_of("b", &["y", "z"]).unwrap_err()), "'x' is not one of ['y', 'z']");
        assert!(fields.string("nothing").unwrap().is_none());
        assert_eq!(fields.nullable_string("c").unwrap(), Some(None));
        assert_eq!(fields.nullable_integer("a", 0).unwrap(), Some(Some(1)));
        assert_eq!(fields.nullable_integer("c", 0).unwrap(), Some(None));
        assert_eq!(fields.nullable_integer("nothing", 0).unwrap(), None);
        assert_eq!(message(fields.nullable_integer("b", 0).unwrap_err()), "'x' is not of type 'integer'");
    }

    #[test]
    fn errors_repeat_no_secrets() {
        let object = json!({"password": ["hunter2"], "proxy": "http://u:hunter2@p", "x": [{"http_proxy": "hunter2"}]});
        let fields = Fields(object.as_object().unwrap());
        for error in [
            fields.string("password").unwrap_err(),
            fields.object("proxy").unwrap_err(),
            fields.string("x").unwrap_err(),
        ] {
            assert!(!error.to_string().contains("hunter2") && error.to_string().contains(MASK), "{error}");
        }
    }

    #[test]
    fn long_values_are_shortened() {
        assert!(repr(&json!("x".repeat(10_000))).chars().count() <= QUOTE_LENGTH + 3);
        assert!(repr(&json!(vec!["x".repeat(500); 500])).chars().count() <= QUOTE_LENGTH + 3);
    }
}
