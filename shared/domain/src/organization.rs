//! An organization's mirror: which repositories of an external namespace become mirrors in an organization of ours.
//! Quay's `OrgMirrorConfig`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ExternalReference, NameError, Namespace, ReferenceError, RepositoryName, RobotName, RootRule,
    fnmatch::{Alphabet, Matcher},
    mirror::{MirrorConfig, RegistryConfig, SyncPolicy},
};

/// The most filters of one mirror: as many as a root rule has patterns.
pub const MAX_FILTERS: usize = 1_000;
/// The longest filter, in bytes: more than any name (255 characters) needs.
pub const MAX_FILTER_LENGTH: usize = 1_024;
/// The longest external namespace, as in Quay.
pub const NAMESPACE_LENGTH: usize = 255;

/// How a registry is asked for the repositories of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistryKind {
    /// By Harbor's API, version 2.0.
    Harbor,
    /// By Quay's API, with an API token as the password; our own API is one.
    Quay,
    /// By the catalog of the distribution's HTTP API (`_catalog`). Ours, not Quay's.
    Distribution,
}

impl RegistryKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Harbor, Self::Quay, Self::Distribution];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Harbor => "harbor",
            Self::Quay => "quay",
            Self::Distribution => "distribution",
        }
    }
}

/// A registry's address with its scheme: `https://host[:port]`, or plain http. The text is kept as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryUrl(Box<str>);

/// Why a text is not a [`RegistryUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistryUrlError {
    /// Neither `http://` nor `https://`.
    #[error("External registry URL must begin with http:// or https://")]
    Scheme,
    /// Something behind host and port. References to images have no place for it.
    #[error("External registry URL must not have a path")]
    Path,
    /// Host and port are none.
    #[error(transparent)]
    Authority(ReferenceError),
}

impl RegistryUrl {
    /// Host with its port, as written.
    pub fn authority(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        rest.trim_end_matches('/')
    }

    /// Host without port and without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        let host =
            authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(authority, |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The whole text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryUrl {
    type Err = RegistryUrlError;

    fn from_str(text: &str) -> Result<Self, RegistryUrlError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let authority = rest.ok_or(RegistryUrlError::Scheme)?.trim_end_matches('/');
        if authority.contains('/') {
            return Err(RegistryUrlError::Path);
        }
        format!("{authority}/a").parse::<ExternalReference>().map_err(RegistryUrlError::Authority)?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for RegistryUrl {
    type Error = RegistryUrlError;

    fn try_from(text: String) -> Result<Self, RegistryUrlError> {
        text.parse()
    }
}

impl From<RegistryUrl> for String {
    fn from(url: RegistryUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Globs over names of repositories, with the semantics of Python's `fnmatch`; none select everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct RepositoryFilters(Vec<String>);

/// Why a list of texts is none of [`RepositoryFilters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// More than [`MAX_FILTERS`].
    #[error("repository_filters holds more than {MAX_FILTERS} patterns")]
    TooMany,
    /// A pattern over [`MAX_FILTER_LENGTH`].
    #[error("repository_filters holds a pattern longer than {MAX_FILTER_LENGTH} bytes")]
    TooLong,
    /// The patterns together make a matcher that is too large.
    #[error("the patterns of repository_filters are too complex")]
    TooComplex,
}

impl RepositoryFilters {
    /// The patterns, as they were given.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// The names that any pattern matches whole, or all where there is no pattern. Names have no namespace in front.
    pub fn select<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Vec<&'a str>, FilterError> {
        let matcher = self.matcher()?;
        Ok(names.into_iter().filter(|name| self.0.is_empty() || matcher.is_match(name)).collect())
    }

    fn matcher(&self) -> Result<Matcher<'_>, FilterError> {
        Matcher::new(&self.0, Alphabet::REPOSITORY).map_err(|_| FilterError::TooComplex)
    }
}

impl TryFrom<Vec<String>> for RepositoryFilters {
    type Error = FilterError;

    fn try_from(patterns: Vec<String>) -> Result<Self, FilterError> {
        if patterns.len() > MAX_FILTERS {
            return Err(FilterError::TooMany);
        }
        if patterns.iter().any(|pattern| pattern.len() > MAX_FILTER_LENGTH) {
            return Err(FilterError::TooLong);
        }
        let filters = Self(patterns);
        filters.matcher()?;
        Ok(filters)
    }
}

impl From<RepositoryFilters> for Vec<String> {
    fn from(filters: RepositoryFilters) -> Self {
        filters.0
    }
}

/// The configuration that the API writes and a discovery reads. Quay's names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrganizationMirrorConfig {
    /// The organization: ours.
    pub organization: Namespace,
    /// Whether its schedule runs; Sync Now works regardless.
    pub is_enabled: bool,
    /// How the registry is asked for its repositories.
    pub external_registry_type: RegistryKind,
    /// Where it is.
    pub external_registry_url: RegistryUrl,
    /// The namespace there: Harbor's project, Quay's organization, or what the names of the catalog begin with.
    pub external_namespace: String,
    /// The user name there. The password is kept apart, encrypted.
    pub external_registry_username: Option<String>,
    /// TLS and proxy settings.
    pub external_registry_config: RegistryConfig,
    /// Which repositories are mirrored.
    pub repository_filters: RepositoryFilters,
    /// The robot account in whose name the repositories are written.
    pub robot: RobotName,
    /// Whether everybody may pull from the repositories that are created.
    pub is_public: bool,
    /// Seconds between scheduled starts.
    pub sync_interval: u64,
    /// Seconds that one tag may take.
    pub skopeo_timeout: u64,
    /// What Quay does not have, for all repositories' mirrors.
    #[serde(flatten)]
    pub policy: SyncPolicy,
}

impl OrganizationMirrorConfig {
    /// The mirror of the external repository `name`: all of its tags.
    pub fn mirror_of(&self, repository: &RepositoryName) -> Result<MirrorConfig, ReferenceError> {
        Ok(MirrorConfig {
            repository: repository.clone(),
            is_enabled: self.is_enabled,
            external_reference: self.reference(repository.name())?,
            external_registry_username: self.external_registry_username.clone(),
            external_registry_config: self.external_registry_config.clone(),
            root_rule: RootRule::all(),
            sync_interval: self.sync_interval,
            robot: self.robot.clone(),
            skopeo_timeout_interval: self.skopeo_timeout,
            architecture_filter: Vec::new(),
            policy: self.policy.clone(),
        })
    }

    /// What Quay calls the external reference of the whole: URL and namespace.
    pub fn source(&self) -> String {
        format!("{}/{}", self.external_registry_url, self.external_namespace)
    }

    /// The external repository `name` of the namespace.
    pub fn reference(&self, name: &str) -> Result<ExternalReference, ReferenceError> {
        reference(&self.external_registry_url, &self.external_namespace, name)
    }

    /// The repository of ours for the external one; an error if no repository can have that name.
    pub fn repository(&self, name: &str) -> Result<RepositoryName, NameError> {
        RepositoryName::new(self.organization.as_str(), name)
    }
}

/// The external repository `name` of a namespace, where that is one.
pub fn reference(url: &RegistryUrl, namespace: &str, name: &str) -> Result<ExternalReference, ReferenceError> {
    format!("{}/{namespace}/{name}", url.authority()).parse()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::DigestListing;

    #[test]
    fn urls_are_a_scheme_and_a_host() {
        for (text, authority, host) in [
            ("https://harbor.example.com", "harbor.example.com", "harbor.example.com"),
            ("https://harbor.example.com/", "harbor.example.com", "harbor.example.com"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000", "127.0.0.1"),
            ("https://[::1]:5000", "[::1]:5000", "::1"),
        ] {
            let url: RegistryUrl = text.parse().unwrap();
            assert_eq!((url.authority(), url.host(), url.as_str()), (authority, host, text));
        }
        for text in [
            "",
            "quay.io",
            "ftp://quay.io",
            "https://",
            "https://u:p@quay.io",
            "https://quay.io/x",
            "https://a b",
            "https://q?x",
        ] {
            assert!(text.parse::<RegistryUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn repositories_have_the_policy_and_what_was_stored_before_has_the_default() {
        let earlier = json!({
            "organization": "acme", "is_enabled": true, "external_registry_type": "harbor",
            "external_registry_url": "https://harbor.example.com", "external_namespace": "library",
            "external_registry_username": null, "external_registry_config": {}, "repository_filters": [],
            "robot": "acme+bot", "is_public": false, "sync_interval": 3_600, "skopeo_timeout": 300,
        });
        let mut config: OrganizationMirrorConfig = serde_json::from_value(earlier).unwrap();
        assert_eq!(config.policy, SyncPolicy::default());
        let policy = SyncPolicy { deletion_limit: Some(0), digest_listing: DigestListing::Off, ..config.policy };
        config.policy = policy.clone();
        let stored = serde_json::to_value(&config).unwrap();
        let attributes = ["deletion_limit", "deletion_grace", "digest_listing"].map(|name| stored[name].clone());
        assert_eq!(attributes, [json!(0), Value::Null, json!("off")], "a change writes those that are reset, too");
        assert_eq!(serde_json::from_value::<OrganizationMirrorConfig>(stored).unwrap(), config);
        let mirror = config.mirror_of(&config.repository("app").unwrap()).unwrap();
        assert_eq!(mirror.policy, policy);
        assert_eq!(serde_json::from_value::<MirrorConfig>(serde_json::to_value(&mirror).unwrap()).unwrap(), mirror);
    }

    #[test]
    fn filters_match_names_with_slashes_as_fnmatch_does() {
        let names = ["app", "tools/app", "tools/x", "lib-1", "lib-2"];
        let select = |patterns: &[&str]| {
            let filters = RepositoryFilters::try_from(patterns.iter().map(ToString::to_string).collect::<Vec<_>>());
            filters.unwrap().select(names).unwrap()
        };
        assert_eq!(select(&[]), names, "no filter, no limit");
        assert_eq!(select(&["app"]), ["app"]);
        assert_eq!(select(&["*app"]), ["app", "tools/app"], "a star takes slashes");
        assert_eq!(select(&["tools[/]*"]), ["tools/app", "tools/x"]);
        assert_eq!(select(&["tools?x", "lib-[!1]"]), ["tools/x", "lib-2"]);
        assert!(select(&["APP", "[", "{app}"]).is_empty());
        assert!(RepositoryFilters::try_from(vec!["*".to_owned(); MAX_FILTERS + 1]).is_err());
    }
}
