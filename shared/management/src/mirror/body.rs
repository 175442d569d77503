//! The body of a mirror's POST and PUT: parsed and checked whole, before anything is written.

use moorage_domain::{
    ExternalReference, Guard, RootRule, SecretString, Timestamp,
    architecture::ARCHITECTURES,
    grid::{MAX_SYNC_INTERVAL, MIN_SYNC_INTERVAL},
    mirror::{MIN_SYNC_TIMEOUT, RegistryConfig},
};
use moorage_state::MAX_SECRET_LENGTH;
use serde_json::{Map, Value};

use crate::{
    external_registry::{
        config::{SentConfig, registry_config},
        location::{check_hosts, reference},
        secrets::SentProxies,
        tls::SentTls,
    },
    http::{error::ApiError, field::Fields},
    mirror::policy::SentPolicy,
};

/// What POST cannot do without. Quay's schema leaves `robot_username` out, and fails without it.
const REQUIRED: [&str; 6] = [
    "external_reference",
    "sync_interval",
    "sync_start_date",
    "root_rule",
    "skopeo_timeout_interval",
    "robot_username",
];

/// The longest user name, as in Quay.
pub(crate) const USERNAME_LENGTH: usize = 4_096;

/// The most that the patterns of a rule may take together: the mirror must fit the table's item.
const RULE_LENGTH: usize = 64 * 1024;

/// The settings that a body gives; `None` where it does not.
#[derive(Debug, Default)]
pub(crate) struct MirrorBody {
    pub(crate) is_enabled: Option<bool>,
    pub(crate) external_reference: Option<ExternalReference>,
    pub(crate) external_registry_username: Option<Option<String>>,
    pub(crate) external_registry_password: Option<Option<SecretString>>,
    /// Without the passwords of its proxies.
    pub(crate) external_registry_config: Option<Map<String, Value>>,
    pub(crate) proxies: SentProxies,
    pub(crate) tls: SentTls,
    pub(crate) root_rule: Option<RootRule>,
    pub(crate) sync_interval: Option<u64>,
    pub(crate) sync_start_date: Option<Timestamp>,
    pub(crate) skopeo_timeout_interval: Option<u64>,
    pub(crate) robot_username: Option<String>,
    pub(crate) architecture_filter: Option<Vec<String>>,
    pub(crate) policy: SentPolicy,
}

impl MirrorBody {
    /// Whether something is said of the registry, of the way there, or of who asks.
    pub(crate) const fn names_registry(&self) -> bool {
        self.external_reference.is_some()
            || self.external_registry_username.is_some()
            || self.external_registry_password.is_some()
            || self.external_registry_config.is_some()
    }
}

/// A body that satisfies the schema; its values are still to be checked.
pub(crate) struct Unchecked<'a> {
    body: MirrorBody,
    external_reference: Option<&'a str>,
    sync_start_date: Option<&'a str>,
    root_rule: Option<Vec<String>>,
}

/// Checks what Quay's schema for POST checks.
pub(crate) fn parse_new(body: &Map<String, Value>) -> Result<Unchecked<'_>, ApiError> {
    Fields(body).require(&REQUIRED)?;
    parse(body)
}

/// Checks what Quay's schema for PUT checks.
pub(crate) fn parse(body: &Map<String, Value>) -> Result<Unchecked<'_>, ApiError> {
    let fields = Fields(body);
    let root_rule = fields.object("root_rule")?.map(|rule| rule_value(Fields(rule))).transpose()?;
    let filter = match body.get("architecture_filter") {
        Some(Value::Null) => Some(Vec::new()),
        _ => fields.strings("architecture_filter")?,
    };
    let text = |value: Option<Option<&str>>| value.map(|value| value.map(str::to_owned));
    let config = fields.object("external_registry_config")?.map(registry_config).transpose()?;
    let (config, proxies, tls) = match config {
        Some(SentConfig { kept, proxies, tls }) => (Some(kept), proxies, tls),
        None => Default::default(),
    };
    Ok(Unchecked {
        external_reference: fields.string("external_reference")?,
        sync_start_date: fields.string("sync_start_date")?,
        root_rule,
        body: MirrorBody {
            is_enabled: fields.boolean("is_enabled")?,
            external_registry_username: text(fields.nullable_string("external_registry_username")?),
            external_registry_password: text(fields.nullable_string("external_registry_password")?)
                .map(|password| password.map(SecretString::from)),
            external_registry_config: config,
            proxies,
            tls,
            sync_interval: fields.integer_in("sync_interval", MIN_SYNC_INTERVAL..=MAX_SYNC_INTERVAL)?,
            skopeo_timeout_interval: fields.integer("skopeo_timeout_interval", MIN_SYNC_TIMEOUT)?,
            robot_username: fields.string("robot_username")?.map(str::to_owned),
            architecture_filter: filter,
            policy: SentPolicy::parse(fields)?,
            ..MirrorBody::default()
        },
    })
}

fn rule_value(rule: Fields<'_>) -> Result<Vec<String>, ApiError> {
    rule.require(&["rule_kind", "rule_value"])?;
    rule.one_of("rule_kind", &["tag_glob_csv"])?;
    Ok(rule.strings("rule_value")?.unwrap_or_default())
}

impl Unchecked<'_> {
    /// Checks the values, in Quay's order: all that POST checks.
    pub(crate) fn check(self, guard: &Guard) -> Result<MirrorBody, ApiError> {
        let mut body = self.body;
        if let Some(text) = self.external_reference {
            body.external_reference = Some(reference(text, guard)?);
        }
        if let Some(config) = &body.external_registry_config {
            check_hosts(&RegistryConfig::new(config.clone()), guard)?;
        }
        let unknown = |architecture: &&String| !ARCHITECTURES.contains(&architecture.as_str());
        let unknown: Vec<_> = body.architecture_filter.iter().flatten().filter(unknown).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(ApiError::Refused(format!("Invalid architectures: {}", unknown.join(", "))));
        }
        if let Some(text) = self.sync_start_date {
            let date = Timestamp::parse_iso(text);
            let wrong = || ApiError::Refused("Incorrect DateTime format for sync_start_date.".into());
            body.sync_start_date = Some(date.ok_or_else(wrong)?);
        }
        if let Some(patterns) = self.root_rule {
            if patterns.iter().map(String::len).sum::<usize>() > RULE_LENGTH {
                return Err(ApiError::InvalidRequest(format!("rule_value is longer than {RULE_LENGTH} bytes")));
            }
            let rule = RootRule::new(patterns).map_err(|error| ApiError::InvalidRequest(error.to_string()))?;
            body.root_rule = Some(rule);
        }
        lengths(&body)?;
        Ok(body)
    }

    /// As [`Self::check`], and what only PUT checks.
    pub(crate) fn check_change(self, guard: &Guard) -> Result<MirrorBody, ApiError> {
        let body = self.check(guard)?;
        credentials(&body)?;
        Ok(body)
    }
}

fn lengths(body: &MirrorBody) -> Result<(), ApiError> {
    use moorage_domain::ExposeSecret as _;

    let length = |limit: usize, what: &str| ApiError::InvalidRequest(format!("{what} is longer than {limit} bytes"));
    if body.external_registry_username.iter().flatten().any(|name| name.len() > USERNAME_LENGTH) {
        return Err(length(USERNAME_LENGTH, "external_registry_username"));
    }
    let password = body.external_registry_password.iter().flatten().next();
    if password.is_some_and(|password| password.expose_secret().len() > MAX_SECRET_LENGTH) {
        return Err(length(MAX_SECRET_LENGTH, "external_registry_password"));
    }
    Ok(())
}

/// Quay's rules on changing one of user name and password without the other.
fn credentials(body: &MirrorBody) -> Result<(), ApiError> {
    match (&body.external_registry_username, &body.external_registry_password) {
        (None, Some(_)) => {
            Err(ApiError::Refused("Unable to set a new password without also specifying a username.".into()))
        }
        (Some(None), Some(Some(_))) => {
            Err(ApiError::Refused("Unable to delete username while setting a password.".into()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::mirror::PROXY_URL_KEYS;
    use serde_json::json;

    use super::*;

    fn check(body: &Value) -> Result<MirrorBody, String> {
        let guard = Guard::default();
        parse(body.as_object().unwrap()).and_then(|body| body.check_change(&guard)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_missing_is_named() {
        let whole = json!({
            "external_reference": "quay.io/a/b", "sync_interval": 86400, "sync_start_date": "2026-01-01T00:00:00Z",
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}, "skopeo_timeout_interval": 300,
            "robot_username": "a+bot",
        });
        let whole = whole.as_object().unwrap();
        assert!(parse_new(whole).is_ok());
        for name in REQUIRED {
            let mut body = whole.clone();
            body.remove(name);
            let error = parse_new(&body).err().unwrap().to_string();
            assert_eq!(error, format!("'{name}' is a required property"));
        }
    }

    #[test]
    fn wrong_values_are_explained() {
        for (body, message) in [
            (json!({"is_enabled": null}), "None is not of type 'boolean'"),
            (json!({"is_enabled": "foo"}), "'foo' is not of type 'boolean'"),
            (json!({"sync_interval": 59}), "59 is less than the minimum of 60"),
            (json!({"sync_interval": "1"}), "'1' is not of type 'integer'"),
            (json!({"skopeo_timeout_interval": 299}), "299 is less than the minimum of 300"),
            (json!({"root_rule": {"rule_kind": "x", "rule_value": []}}), "'x' is not one of ['tag_glob_csv']"),
            (json!({"root_rule": {"rule_value": []}}), "'rule_kind' is a required property"),
            (
                json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": []}}),
                "validation failed: rule_value for TAG_GLOB_CSV must be a list with at least one rule",
            ),
            (json!({"deletion_limit": -1}), "-1 is less than the minimum of 0"),
            (json!({"sync_start_date": "tomorrow"}), "Incorrect DateTime format for sync_start_date."),
            (json!({"external_reference": ""}), "External registry reference is required"),
            (json!({"external_reference": "127.0.0.1/a"}), "The provided registry location is not allowed"),
            (json!({"external_registry_config": {"verify_tls": 1}}), "1 is not of type 'boolean'"),
            (json!({"external_registry_config": {"proxy": {"no_proxy": 1}}}), "1 is not of type 'string', 'null'"),
            (json!({"external_registry_config": {"token_realms": "a"}}), "'a' is not of type 'array'"),
            (
                json!({"external_registry_config": {"token_realms": vec!["a.example"; 17]}}),
                "token_realms has more than 16 entries",
            ),
            (
                json!({"external_registry_config": {"token_realms": ["https://a.example"]}}),
                "'https://a.example': a token realm is a host, or a host and a port: auth.example.com or auth.example.com:5001",
            ),
            (
                json!({"external_registry_password": null}),
                "Unable to set a new password without also specifying a username.",
            ),
            (
                json!({"external_registry_username": null, "external_registry_password": "x"}),
                "Unable to delete username while setting a password.",
            ),
            (json!({"architecture_filter": ["amd64", "riscv64", "AMD64"]}), "Invalid architectures: riscv64, AMD64"),
        ] {
            assert_eq!(check(&body).unwrap_err(), message, "{body}");
        }
    }

    #[test]
    fn proxies_and_token_servers_are_judged_as_registries_are() {
        let proxy =
            |key: &str, text: &str| check(&json!({"external_registry_config": {"proxy": {key: text}}})).map(drop);
        for text in [
            "http://127.0.0.1:3128",
            "127.0.0.1:3128",
            "localhost:3128",
            "0x7f.1",
            "2130706433:3128",
            "http://u:p@0177.0.0.1:3128",
            "http://quay.io:443@10.0.0.1",
            "https://[::ffff:127.0.0.1]:3128",
            "http://metadata.google.internal.",
            "http://\u{ff11}27.0.0.1",
        ] {
            for key in PROXY_URL_KEYS {
                let refused = Err("The provided mirror proxy location is not allowed".to_owned());
                assert_eq!(proxy(key, text), refused, "{key} {text}");
            }
        }
        for text in [
            "; rm -rf /",
            "socks5://proxy:1080",
            "http://",
            "http://1.2.3.256",
            "http://proxy/path",
            "//proxy",
            "proxy:",
            "http://u:p@ss@proxy",
        ] {
            let form = "[http[s]://][user:password@]host[:port]";
            let unread =
                Err(format!("https_proxy must be {form}, with other characters of user and password percent-encoded"));
            assert_eq!(proxy("https_proxy", text), unread, "{text}");
        }
        for text in ["", "proxy:3128", "proxy.example.com:3128", "http://u:p@proxy.example.com", "8.8.8.8:80"] {
            assert_eq!(proxy("http_proxy", text), Ok(()), "{text}");
        }
        for text in ["127.0.0.1,localhost", " a.example , .b.example,10.0.0.0/8,*,", "a b", "quay.io; rm -rf /"] {
            assert_eq!(proxy("no_proxy", text), Ok(()), "Quay takes any text: {text}");
        }
        let realm = check(&json!({"external_registry_config": {"token_realms": ["a.example", "0x7f.1:5001"]}}));
        assert_eq!(realm.unwrap_err(), "The provided token realm 0x7f.1:5001 is not allowed");
    }

    #[test]
    fn a_new_mirror_may_have_a_password_alone() {
        for body in [
            json!({"external_registry_password": null}),
            json!({"external_registry_password": "x"}),
            json!({"external_registry_username": null, "external_registry_password": "x"}),
        ] {
            assert!(parse(body.as_object().unwrap()).unwrap().check(&Guard::default()).is_ok(), "{body}");
        }
        let long = "x".repeat(MAX_SECRET_LENGTH + 1);
        assert_eq!(
            check(&json!({"external_registry_username": "u", "external_registry_password": long})).unwrap_err(),
            "external_registry_password is longer than 4096 bytes"
        );
    }

    #[test]
    fn configs_are_kept_as_they_were_sent() {
        let sent = json!({
            "verify_tls": false, "proxy": {"http_proxy": null, "no_proxy": ""}, "unknown": [1],
            "token_realms": ["Auth.example:5001"],
        });
        let body = check(&json!({"external_registry_config": sent})).unwrap();
        let kept = json!({
            "verify_tls": false, "proxy": {"http_proxy": null, "no_proxy": ""}, "token_realms": ["Auth.example:5001"],
        });
        assert_eq!(Value::Object(body.external_registry_config.unwrap()), kept);
        let both = json!({"external_registry_username": "", "external_registry_password": ""});
        assert!(check(&both).is_ok());
    }
}
