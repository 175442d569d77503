//! Secrets, which are never here: only where they are.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};

/// Where a secret is. It is written as `{env: NAME}`, `{file: PATH}` or `{secret: ARN}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// In a variable of the environment.
    Env(String),
    /// In a file, whose last line break is not part of it.
    File(String),
    /// In Secrets Manager, by its ARN.
    Secret(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the variable {name}"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Secret(arn) => write!(f, "the secret {arn}"),
        }
    }
}

/// What is said of anything else. It must not be shown what that is: it may be the secret.
pub(crate) const REFERENCE: &str = "a secret is not written here but named, as {env: NAME} or {file: PATH}";

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reference)
    }
}

struct Reference;

impl<'de> Visitor<'de> for Reference {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REFERENCE)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let wrong = || A::Error::custom(REFERENCE);
        let kind: String = map.next_key()?.ok_or_else(wrong)?;
        let name: String = map.next_value().map_err(|_| wrong())?;
        if name.is_empty() || map.next_key::<String>()?.is_some() {
            return Err(wrong());
        }
        match kind.as_str() {
            "env" => Ok(SecretSource::Env(name)),
            "file" => Ok(SecretSource::File(name)),
            "secret" => Ok(SecretSource::Secret(name)),
            _ => Err(wrong()),
        }
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_named_and_what_is_written_instead_is_not_repeated() {
        for (given, source) in [
            (json!({"env": "X"}), SecretSource::Env("X".into())),
            (json!({"file": "/run/x"}), SecretSource::File("/run/x".into())),
            (json!({"secret": "arn:aws:x"}), SecretSource::Secret("arn:aws:x".into())),
        ] {
            assert_eq!(serde_json::from_value::<SecretSource>(given.clone()).unwrap(), source);
            assert_eq!(serde_json::to_value(&source).unwrap(), given);
        }
        for given in [
            json!("hunter2"),
            json!(77_555_333),
            json!(-77_555_333),
            json!(77.555),
            json!(true),
            json!({"env": ""}),
            json!({"password": "hunter2"}),
            json!({"env": {"hunter2": 1}}),
            json!({"env": "X", "file": "hunter2"}),
            json!({}),
        ] {
            let error = serde_json::from_value::<SecretSource>(given.clone()).unwrap_err().to_string();
            assert!(error.contains("named"), "{given}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("77"), "{error}");
        }
    }
}
