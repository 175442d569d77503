//! How an external registry is reached.

use moorage_domain::{CloudLogin, ProxyUrl, TokenRealm};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{secret::SecretSource, settings::nullable, text::Text};

/// `external_registry_config`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Whether certificates are checked; they are without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_tls: Option<bool>,
    /// Quay's, without a meaning here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned_images: Option<bool>,
    /// By what the registry is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySettings>,
    /// The token servers of other domains that get the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "realms")]
    pub token_realms: Option<Vec<String>>,
    /// What TLS goes by; null for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub tls: Option<Option<TlsSettings>>,
    /// A cloud's login in place of a user name and a password; null for none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub credentials: Option<Option<CloudLogin>>,
}

/// Authorities and a client's certificate: files in PEM, which are named as secrets are. Null takes one away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The authorities that are trusted beside the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub ca_bundle: Option<Option<SecretSource>>,
    /// The certificate that is shown to whoever asks for one, with its chain.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub client_certificate: Option<Option<SecretSource>>,
    /// The certificate's key.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub client_key: Option<Option<SecretSource>>,
}

/// Proxies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxySettings {
    /// For plain http. One with a password is named as a secret.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "proxy")]
    pub http_proxy: Option<Option<Text>>,
    /// For https.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "proxy")]
    pub https_proxy: Option<Option<Text>>,
    /// What is reached without one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub no_proxy: Option<Option<String>>,
}

fn realms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let given: Vec<String> = Vec::deserialize(deserializer)?;
    for realm in &given {
        realm.parse::<TokenRealm>().map_err(|error| D::Error::custom(format!("{realm:.100}: {error}")))?;
    }
    Ok(Some(given))
}

/// The URL of a proxy. Nothing of it is repeated if it is wrong.
fn proxy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Text>>, D::Error> {
    let given: Option<Text> = Option::deserialize(deserializer)?;
    if let Some(Text::Plain(text)) = &given
        && !text.is_empty()
    {
        let url = ProxyUrl::parse(text).map_err(|error| D::Error::custom(format!("a proxy {error}")))?;
        if url.password().is_some() {
            let message = "a proxy's URL with a password is not written here but named, as {env: NAME} or {file: PATH}";
            return Err(D::Error::custom(message));
        }
    }
    Ok(Some(given))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_login_of_a_cloud_is_one() {
        let parse = |login| serde_json::from_value::<RegistryConfig>(json!({"credentials": login}));
        for login in [json!({"type": "ecr", "role_arn": "arn:aws:iam::111122223333:role/pull"}), json!(null)] {
            let written = serde_json::to_value(parse(login.clone()).unwrap()).unwrap();
            assert_eq!(written, json!({"credentials": login}));
        }
        assert!(parse(json!({"type": "quay"})).is_err());
    }

    #[test]
    fn a_proxy_with_a_password_is_named() {
        let parse = |proxy| serde_json::from_value::<ProxySettings>(json!({"http_proxy": proxy}));
        for proxy in
            [json!("http://proxy:3128"), json!(null), json!(""), json!({"env": "PROXY"}), json!("http://u@p:1")]
        {
            let parsed = parse(proxy.clone()).unwrap();
            assert_eq!(serde_json::to_value(parsed).unwrap(), json!({"http_proxy": proxy}));
        }
        for proxy in ["http://u:hunter2@p:1", "http://hunter2/x"] {
            let error = parse(json!(proxy)).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
