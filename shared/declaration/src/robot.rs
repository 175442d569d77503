//! Robots.

use moorage_domain::CloudLogin;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{registry_config::TlsSettings, secret::SecretSource, settings::nullable};

/// What a robot is to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robot {
    /// What it is for. It is said when the robot is created, and cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whatever else; it cannot be changed either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstructured_metadata: Option<Map<String, Value>>,
    /// The token that it has elsewhere, so that no pull secret has to change. It is given when the robot is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretSource>,
    /// Its credentials at one external registry; null for none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub external_registry: Option<Option<ExternalRegistry>>,
    /// All workloads that may log in as it, by tokens of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<Vec<Federation>>,
}

/// A workload that may log in as a robot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Federation {
    /// The issuer of its tokens.
    pub issuer: String,
    /// The subject of its tokens.
    pub subject: String,
    /// For one of which its tokens have to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
}

/// A robot's credentials at an external registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalRegistry {
    /// The registry's host, with its port if it has one.
    pub host: String,
    /// The user there; nothing where a cloud gives the login, or a certificate says who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSource>,
    /// A cloud's login in place of a user name and a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CloudLogin>,
    /// Whether they may go without verified TLS; not without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_insecure: Option<bool>,
    /// Whether they may go by a mirror's proxy; not without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_proxy: Option<bool>,
    /// What TLS with it goes by; null for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub tls: Option<Option<TlsSettings>>,
}

impl ExternalRegistry {
    /// Whether it has a user name and a password, or a cloud's login; TLS alone may do.
    pub(crate) fn has_one_login(&self) -> bool {
        let has_certificate = matches!(self.tls, Some(Some(_)));
        match (&self.username, &self.password, &self.credentials) {
            (Some(_), Some(_), None) | (None, None, Some(_)) => true,
            (None, None, None) => has_certificate,
            _ => false,
        }
    }
}
