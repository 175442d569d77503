//! The body of an organization mirror's POST and PUT: parsed and checked whole, before anything is written.

use moorage_domain::{
    ExposeSecret as _, Guard, SecretString, Timestamp,
    grid::{MAX_SYNC_INTERVAL, MIN_SYNC_INTERVAL},
    mirror::RegistryConfig,
    organization::{NAMESPACE_LENGTH, RegistryKind, RegistryUrl, RepositoryFilters, reference},
};
use moorage_state::MAX_SECRET_LENGTH;
use serde_json::{Map, Value};

use crate::{
    external_registry::{
        config::{SentConfig, registry_config},
        location::check_hosts,
        secrets::SentProxies,
        tls::SentTls,
    },
    http::{
        error::ApiError,
        field::{Fields, repr},
    },
    mirror::{body::USERNAME_LENGTH, policy::SentPolicy},
};

/// What POST must have.
const REQUIRED: [&str; 7] = [
    "external_registry_type",
    "external_registry_url",
    "external_namespace",
    "robot_username",
    "visibility",
    "sync_interval",
    "sync_start_date",
];

/// Seconds that one tag may take, as in Quay.
const TIMEOUT: std::ops::RangeInclusive<u64> = 30..=3_600;

/// The longest filters together, in bytes: they must fit the item.
const FILTERS_LENGTH: usize = 64 * 1024;

/// What a body gives. Credentials that are null or empty are `Some(None)`.
#[derive(Debug, Default)]
pub(crate) struct OrganizationMirrorBody {
    pub(crate) is_enabled: Option<bool>,
    pub(crate) external_registry_type: Option<RegistryKind>,
    pub(crate) external_registry_url: Option<RegistryUrl>,
    pub(crate) external_namespace: Option<String>,
    pub(crate) external_registry_username: Option<Option<String>>,
    pub(crate) external_registry_password: Option<Option<SecretString>>,
    /// Without the passwords of its proxies.
    pub(crate) external_registry_config: Option<RegistryConfig>,
    pub(crate) proxies: SentProxies,
    pub(crate) tls: SentTls,
    pub(crate) repository_filters: Option<RepositoryFilters>,
    pub(crate) robot_username: Option<String>,
    pub(crate) is_public: Option<bool>,
    pub(crate) sync_interval: Option<u64>,
    pub(crate) sync_start_date: Option<Timestamp>,
    pub(crate) skopeo_timeout: Option<u64>,
    pub(crate) policy: SentPolicy,
}

impl OrganizationMirrorBody {
    /// Whether something is said of the registry, of the way there, or of who asks.
    pub(crate) const fn names_registry(&self) -> bool {
        self.external_registry_url.is_some()
            || self.external_registry_username.is_some()
            || self.external_registry_password.is_some()
            || self.external_registry_config.is_some()
    }
}

/// A body that satisfies the schema; its values are still to be checked.
pub(crate) struct Unchecked<'a> {
    body: OrganizationMirrorBody,
    external_registry_url: Option<&'a str>,
    sync_start_date: Option<&'a str>,
    repository_filters: Option<Vec<String>>,
}

impl Unchecked<'_> {
    /// The robot, which Quay looks at first.
    pub(crate) fn robot_username(&self) -> Option<&str> {
        self.body.robot_username.as_deref()
    }
}

/// Checks what Quay's schema for POST checks.
pub(crate) fn parse_new(body: &Map<String, Value>) -> Result<Unchecked<'_>, ApiError> {
    Fields(body).require(&REQUIRED)?;
    parse(body)
}

/// Checks what Quay's schema for PUT checks. The registry's type cannot be changed, and is not looked at.
pub(crate) fn parse(body: &Map<String, Value>) -> Result<Unchecked<'_>, ApiError> {
    let fields = Fields(body);
    let kind = fields.one_of("external_registry_type", &RegistryKind::ALL.map(RegistryKind::as_str))?;
    let visibility = fields.one_of("visibility", &["public", "private"])?;
    let namespace = fields.string("external_namespace")?;
    if let Some(long) = namespace.filter(|namespace| namespace.chars().count() > NAMESPACE_LENGTH) {
        return Err(ApiError::InvalidRequest(format!("{} is too long", repr(&long.into()))));
    }
    let filled =
        |value: Option<Option<&str>>| value.map(|value| value.filter(|value| !value.is_empty()).map(str::to_owned));
    let config = fields.object("external_registry_config")?.map(registry_config).transpose()?;
    let (config, proxies, tls) = match config {
        Some(SentConfig { kept, proxies, tls }) => (Some(kept), proxies, tls),
        None => Default::default(),
    };
    Ok(Unchecked {
        external_registry_url: fields.string("external_registry_url")?,
        sync_start_date: fields.string("sync_start_date")?,
        repository_filters: fields.strings("repository_filters")?,
        body: OrganizationMirrorBody {
            is_enabled: fields.boolean("is_enabled")?,
            external_registry_type: RegistryKind::ALL.into_iter().find(|known| Some(known.as_str()) == kind),
            external_namespace: namespace.map(str::to_owned),
            external_registry_username: filled(fields.nullable_string("external_registry_username")?),
            external_registry_password: fields
                .nullable_string("external_registry_password")?
                .map(|password| password.map(SecretString::from)),
            external_registry_config: config.map(RegistryConfig::new),
            proxies,
            tls,
            robot_username: fields.string("robot_username")?.map(str::to_owned),
            is_public: visibility.map(|visibility| visibility == "public"),
            sync_interval: fields.integer_in("sync_interval", MIN_SYNC_INTERVAL..=MAX_SYNC_INTERVAL)?,
            skopeo_timeout: fields.integer_in("skopeo_timeout", TIMEOUT)?,
            policy: SentPolicy::parse(fields)?,
            ..OrganizationMirrorBody::default()
        },
    })
}

impl Unchecked<'_> {
    /// Checks the values. URL and namespace that a PUT leaves out are those of `before`.
    pub(crate) fn check(
        self,
        guard: &Guard,
        before: Option<(&RegistryUrl, &str)>,
    ) -> Result<OrganizationMirrorBody, ApiError> {
        let mut body = self.body;
        if let Some(text) = self.sync_start_date {
            let wrong = "Invalid sync_start_date format. Use ISO 8601: YYYY-MM-DDTHH:MM:SSZ";
            let date = Timestamp::parse_iso(text).ok_or_else(|| ApiError::InvalidRequest(wrong.into()))?;
            body.sync_start_date = Some(date);
        }
        if let Some(text) = self.external_registry_url {
            let url: Result<RegistryUrl, _> = text.parse();
            let url = url.map_err(|error| ApiError::InvalidRequest(error.to_string()))?;
            // What its name resolves to is judged when a discovery connects.
            if !guard.allows_host(url.host()) {
                return Err(ApiError::InvalidRequest("The provided registry URL is not allowed".into()));
            }
            body.external_registry_url = Some(url);
        }
        if let Some(config) = &body.external_registry_config {
            check_hosts(config, guard)?;
        }
        let url = body.external_registry_url.as_ref().or(before.map(|(url, _)| url));
        let namespace = body.external_namespace.as_deref().or(before.map(|(_, namespace)| namespace));
        if let (Some(url), Some(namespace)) = (url, namespace) {
            // Any name will do: it is the namespace that is looked at.
            reference(url, namespace, "x").map_err(|error| ApiError::InvalidRequest(error.to_string()))?;
        }
        if let Some(patterns) = self.repository_filters {
            if patterns.iter().map(String::len).sum::<usize>() > FILTERS_LENGTH {
                let message = format!("repository_filters is longer than {FILTERS_LENGTH} bytes");
                return Err(ApiError::InvalidRequest(message));
            }
            let filters = RepositoryFilters::try_from(patterns);
            body.repository_filters = Some(filters.map_err(|error| ApiError::InvalidRequest(error.to_string()))?);
        }
        let long = |limit: usize, what: &str| ApiError::InvalidRequest(format!("{what} is longer than {limit} bytes"));
        if body.external_registry_username.iter().flatten().any(|name| name.len() > USERNAME_LENGTH) {
            return Err(long(USERNAME_LENGTH, "external_registry_username"));
        }
        let password = body.external_registry_password.iter().flatten().next();
        if password.is_some_and(|password| password.expose_secret().len() > MAX_SECRET_LENGTH) {
            return Err(long(MAX_SECRET_LENGTH, "external_registry_password"));
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: &Value) -> Result<OrganizationMirrorBody, String> {
        let before = "https://harbor.example.com".parse().unwrap();
        let parsed = parse(body.as_object().unwrap());
        parsed
            .and_then(|body| body.check(&Guard::default(), Some((&before, "library"))))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_missing_is_named() {
        let whole = json!({
            "external_registry_type": "harbor", "external_registry_url": "https://harbor.example.com",
            "external_namespace": "library", "robot_username": "a+bot", "visibility": "private", "sync_interval": 3600,
            "sync_start_date": "2026-01-01T00:00:00Z",
        });
        let whole = whole.as_object().unwrap();
        assert!(parse_new(whole).is_ok());
        for name in REQUIRED {
            let mut body = whole.clone();
            body.remove(name);
            assert_eq!(parse_new(&body).err().unwrap().to_string(), format!("'{name}' is a required property"));
        }
    }

    #[test]
    fn wrong_values_are_explained() {
        for (body, message) in [
            (json!({"external_registry_type": "gitlab"}), "'gitlab' is not one of ['harbor', 'quay', 'distribution']"),
            (json!({"visibility": "secret"}), "'secret' is not one of ['public', 'private']"),
            (json!({"sync_interval": 59}), "59 is less than the minimum of 60"),
            (
                json!({"sync_interval": u64::MAX}),
                "18446744073709551615 is greater than the maximum of 9223372036854775807",
            ),
            (json!({"sync_interval": 3_162_240_001u64}), "3162240001 is greater than the maximum of 3162240000"),
            (json!({"skopeo_timeout": 29}), "29 is less than the minimum of 30"),
            (json!({"skopeo_timeout": 3601}), "3601 is greater than the maximum of 3600"),
            (json!({"deletion_grace": -1}), "-1 is less than the minimum of 0"),
            (json!({"repository_filters": "x"}), "'x' is not of type 'array'"),
            (json!({"repository_filters": [1]}), "1 is not of type 'string'"),
            (
                json!({"sync_start_date": "2026-01-01"}),
                "Invalid sync_start_date format. Use ISO 8601: YYYY-MM-DDTHH:MM:SSZ",
            ),
            (json!({"external_registry_url": "https://127.0.0.1"}), "The provided registry URL is not allowed"),
            (json!({"external_registry_url": "http://0x7f.1:80"}), "The provided registry URL is not allowed"),
            (
                json!({"external_registry_config": {"proxy": {"https_proxy": "127.1:3128"}}}),
                "The provided mirror proxy location is not allowed",
            ),
            (json!({"external_registry_url": "quay.io"}), "External registry URL must begin with http:// or https://"),
            (json!({"external_namespace": "../x"}), "External registry reference has an invalid repository path"),
        ] {
            assert_eq!(check(&body).unwrap_err(), message, "{body}");
        }
        let long = check(&json!({"external_namespace": "x".repeat(256)})).unwrap_err();
        assert!(long.ends_with(" is too long"), "{long}");
    }

    #[test]
    fn empty_credentials_are_none() {
        let body = check(&json!({"external_registry_username": "", "external_registry_password": null})).unwrap();
        assert_eq!(body.external_registry_username, Some(None));
        assert!(matches!(body.external_registry_password, Some(None)));
        assert!(check(&json!({})).unwrap().external_registry_username.is_none());
    }
}
