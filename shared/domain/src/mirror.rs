//! A mirror: what is copied from where, how, and when.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    CloudLogin, CloudRefusal, DigestListing, ExternalReference, Gate, ProxyUrl, RepositoryName, RobotName, RootRule,
    TokenRealm, cloud::Exposure,
};

/// The shortest `skopeo_timeout_interval`, in seconds, as in Quay.
pub const MIN_SYNC_TIMEOUT: u64 = 300;

/// The configuration that the API writes and a sync reads. Quay's names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MirrorConfig {
    /// The mirrored repository: ours.
    pub repository: RepositoryName,
    /// Whether its schedule runs; Sync Now works regardless.
    pub is_enabled: bool,
    /// The repository it copies from.
    pub external_reference: ExternalReference,
    /// The user name at the external registry. The password is kept apart, encrypted.
    pub external_registry_username: Option<String>,
    /// TLS and proxy settings.
    pub external_registry_config: RegistryConfig,
    /// Which tags are mirrored.
    pub root_rule: RootRule,
    /// Seconds between scheduled starts.
    pub sync_interval: u64,
    /// The robot account in whose name the repository is written.
    pub robot: RobotName,
    /// Seconds that one tag may take.
    pub skopeo_timeout_interval: u64,
    /// Architectures to keep; empty for all.
    pub architecture_filter: Vec<String>,
    /// What Quay does not have.
    #[serde(flatten)]
    pub policy: SyncPolicy,
}

/// How syncs treat what vanishes and what the registry allows. Ours, not Quay's: a repository's mirror has these
/// settings, and an organization's mirror has them for all that it finds. What was stored before there was one of them
/// has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncPolicy {
    /// How many tags one run may delete: 0 for any number, nothing for the default (`plan::deletion_limit`).
    pub deletion_limit: Option<u64>,
    /// How many complete listings in a row have to lack a tag that the registry says nothing certain of before it is
    /// deleted: 0 for never, nothing for the default (`plan::DELETION_GRACE`).
    pub deletion_grace: Option<u64>,
    /// How many manifests the registry is to allow others after a run: one that would leave less waits.
    pub rate_limit_floor: Option<u64>,
    /// Where the registry's listing says digests.
    pub digest_listing: DigestListing,
    /// What tags must pass before they are mirrored.
    #[serde(flatten)]
    pub gate: Box<Gate>,
}

/// Quay's `external_registry_config`. Kept exactly as it was sent, because clients compare what they get back with
/// what they sent, key by key and nulls included; read through the accessors. Only the passwords of proxies are kept
/// apart, encrypted; configurations of earlier builds may still hold some.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegistryConfig(Map<String, Value>);

/// The way to a registry. Passwords were entrusted to us for this one: they do not go by another.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    verify_tls: bool,
    /// By [`PROXY_KEYS`], without passwords.
    proxies: [Option<String>; 3],
}

/// The settings of a proxy, by Quay's names.
pub const PROXY_KEYS: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];
/// Those of them that are URLs, and may hold a user and a password.
pub const PROXY_URL_KEYS: [&str; 2] = ["http_proxy", "https_proxy"];
/// The settings beside the proxy, by Quay's names.
pub const FLAG_KEYS: [&str; 2] = ["verify_tls", "unsigned_images"];

/// The setting that names token servers beside the registry's own. Ours, not Quay's.
pub const TOKEN_REALMS: &str = "token_realms";
/// The most of them: a registry has one token server, and an organization's mirror is of one registry.
pub const MAX_TOKEN_REALMS: usize = 16;
/// The setting of authorities and of a client's certificate. Ours, not Quay's; what is sent there is kept apart, sealed.
pub const TLS: &str = "tls";
/// The setting of a cloud's login in place of a user name and a password. Ours, not Quay's; it is no secret.
pub const CREDENTIALS: &str = "credentials";

impl RegistryConfig {
    /// Exactly what was sent.
    pub fn new(sent: Map<String, Value>) -> Self {
        Self(sent)
    }

    /// Whether https and a valid certificate are required: unless it is set to false.
    pub fn verify_tls(&self) -> bool {
        self.0.get("verify_tls").and_then(Value::as_bool).unwrap_or(true)
    }

    /// One of [`PROXY_KEYS`], if it is set to something.
    pub fn proxy(&self, key: &str) -> Option<&str> {
        self.0.get("proxy")?.get(key)?.as_str().filter(|value| !value.is_empty())
    }

    /// The token servers that may have the credentials although they are not of the registry's own domain.
    pub fn token_realms(&self) -> Vec<TokenRealm> {
        let list = self.0.get(TOKEN_REALMS).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.filter_map(|text| text.parse().ok()).take(MAX_TOKEN_REALMS).collect()
    }

    /// The cloud's login that stands in for a user name and a password. It was parsed before it was stored; what cannot be
    /// read now is of another release, and not none.
    pub fn cloud(&self) -> Result<Option<CloudLogin>, CloudRefusal> {
        let login = self.0.get(CREDENTIALS).filter(|login| !login.is_null());
        login.map(|login| CloudLogin::deserialize(login).map_err(|_| CloudRefusal::Unreadable)).transpose()
    }

    /// By what others than the registry may read what is sent to it, as far as that is said here.
    pub fn exposure(&self) -> Option<Exposure> {
        let is_unverified = (!self.verify_tls()).then_some(Exposure::UnverifiedTls);
        is_unverified.or((!self.token_realms().is_empty()).then_some(Exposure::OtherRealms))
    }

    /// With a setting that is not stored here.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The way to the registry.
    pub fn route(&self) -> Route {
        Route { verify_tls: self.verify_tls(), proxies: PROXY_KEYS.map(|key| self.proxy(key).map(without_password)) }
    }

    /// Whether requests go by a proxy.
    pub fn has_proxy(&self) -> bool {
        PROXY_URL_KEYS.iter().any(|key| self.proxy(key).is_some())
    }

    /// Replaces one of [`PROXY_URL_KEYS`] by what `change` makes of it, if it is set to something.
    pub fn change_proxy(&mut self, key: &str, change: impl FnOnce(&str) -> String) {
        if let Some(Value::String(url)) = self.0.get_mut("proxy").and_then(|proxy| proxy.get_mut(key))
            && !url.is_empty()
        {
            *url = change(url);
        }
    }

    /// Changes the known settings that `sent` holds and leaves the others, as Quay's PUT does.
    pub fn merge(&mut self, sent: &Map<String, Value>) {
        for key in FLAG_KEYS.into_iter().chain([TOKEN_REALMS, CREDENTIALS]) {
            if let Some(value) = sent.get(key) {
                self.0.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(Value::Object(sent)) = sent.get("proxy") {
            let proxy = self.0.entry("proxy").or_insert_with(|| Value::Object(Map::new()));
            if !proxy.is_object() {
                *proxy = Value::Object(Map::new());
            }
            for key in PROXY_KEYS {
                if let (Some(value), Some(proxy)) = (sent.get(key), proxy.as_object_mut()) {
                    proxy.insert(key.to_owned(), value.clone());
                }
            }
        }
    }
}

fn without_password(url: &str) -> String {
    // What cannot be split was stored by an earlier build, and makes no proxy.
    ProxyUrl::split(url).map_or_else(|_| url.to_owned(), |url| url.without_password())
}

impl std::fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without its URLs: there may be passwords in them.
        let proxies: Vec<_> = PROXY_KEYS.iter().filter(|key| self.proxy(key).is_some()).collect();
        f.debug_struct("RegistryConfig").field("verify_tls", &self.verify_tls()).field("proxies", &proxies).finish()
    }
}

/// What a repository is for. Quay's `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RepositoryState {
    /// An ordinary repository.
    Normal,
    /// Nothing writes to it.
    ReadOnly,
    /// Only its mirror writes to it.
    Mirror,
    /// Only its mirror writes to it, which its organization's mirror manages.
    OrgMirror,
}

impl RepositoryState {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::ReadOnly => "READ_ONLY",
            Self::Mirror => "MIRROR",
            Self::OrgMirror => "ORG_MIRROR",
        }
    }

    /// Whether a mirror writes to the repository.
    pub const fn is_mirror(self) -> bool {
        matches!(self, Self::Mirror | Self::OrgMirror)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn merging_changes_only_what_was_sent() {
        let mut config = RegistryConfig::new(map(
            &json!({"verify_tls": true, "proxy": {"http_proxy": "http://a", "no_proxy": null}}),
        ));
        config.merge(&map(&json!({"verify_tls": false, "other": 1, "proxy": {"https_proxy": "http://b", "x": 1}})));
        let expected = json!({"verify_tls": false, "proxy": {"http_proxy": "http://a", "https_proxy": "http://b", "no_proxy": null}});
        assert_eq!(serde_json::to_value(&config).unwrap(), expected);
        assert!(!config.verify_tls());
        assert_eq!((config.proxy("http_proxy"), config.proxy("no_proxy")), (Some("http://a"), None));
    }

    #[test]
    fn token_realms_are_replaced_as_a_whole() {
        let mut config = RegistryConfig::new(map(&json!({"token_realms": ["a.example", "b.example:5001"]})));
        let realms: Vec<_> = config.token_realms().iter().map(ToString::to_string).collect();
        assert_eq!(realms, ["a.example", "b.example:5001"]);
        config.merge(&map(&json!({"verify_tls": false})));
        assert_eq!(config.token_realms().len(), 2);
        config.merge(&map(&json!({"token_realms": []})));
        assert_eq!(config.token_realms().len(), 0);
    }

    #[test]
    fn a_stored_login_that_cannot_be_read_is_not_none() {
        let config = |login: Value| RegistryConfig::new(map(&json!({"credentials": login})));
        assert_eq!(RegistryConfig::default().cloud(), Ok(None));
        assert_eq!(config(Value::Null).cloud(), Ok(None));
        assert_eq!(config(json!({"type": "ecr"})).cloud(), Ok(Some(CloudLogin::Ecr { role_arn: None })));
        for login in [json!("ecr"), json!({"type": "quay"}), json!({"type": "ecr", "role_arn": "x"})] {
            assert_eq!(config(login).cloud(), Err(CloudRefusal::Unreadable));
        }
    }

    #[test]
    fn another_way_is_another_host_of_a_proxy_and_not_another_password() {
        let route = |config: Value| RegistryConfig::new(map(&config)).route();
        let proxy = |url: &str| route(json!({"verify_tls": true, "proxy": {"http_proxy": url, "https_proxy": ""}}));
        assert_eq!(route(json!({})), route(json!({"verify_tls": true, "proxy": {"http_proxy": null}})));
        assert_ne!(route(json!({})), route(json!({"verify_tls": false})));
        assert_ne!(route(json!({})), route(json!({"proxy": {"no_proxy": "a"}})));
        assert_eq!(proxy("http://u:one@a:1"), proxy("http://u:two@a:1"));
        assert_eq!(proxy("http://u:one@a:1"), proxy("http://u@a:1"));
        assert_ne!(proxy("http://u:one@a:1"), proxy("http://u:one@b:1"));
        assert_ne!(proxy("http://u:one@a:1"), proxy("https://u:one@a:1"));
        let config = RegistryConfig::new(map(&json!({"proxy": {"http_proxy": "http://u:hunter2@a:1"}})));
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }

    #[test]
    fn the_first_proxy_key_is_not_dropped() {
        let mut config = RegistryConfig::default();
        assert!(config.verify_tls());
        config.merge(&map(&json!({"proxy": {"http_proxy": "http://a"}})));
        assert_eq!(config.proxy("http_proxy"), Some("http://a"));
    }
}
