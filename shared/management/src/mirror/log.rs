//! What the usage log says of changes of mirrors.

use moorage_domain::usage_log::LogKind;
use serde_json::{Map, Value};

use crate::mirror::body::MirrorBody;

/// Quay's entry of one changed setting.
pub(crate) fn changed(what: &str, to: Value) -> (LogKind, Map<String, Value>) {
    let metadata = [("changed", what.into()), ("to", to)];
    (LogKind::RepoMirrorConfigChanged, metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Quay's entries of a PUT: one for each setting that it gives.
pub(crate) fn changes(body: &MirrorBody) -> Vec<(LogKind, Map<String, Value>)> {
    let password = body.external_registry_password.as_ref();
    let config = body.external_registry_config.as_ref();
    let flags = config.into_iter().flatten().filter(|(key, _)| *key != "proxy");
    let proxies = config.and_then(|config| config.get("proxy")?.as_object()).into_iter().flatten();
    let settings = [
        ("is_enabled", body.is_enabled.map(Value::from)),
        ("external_reference", body.external_reference.as_ref().map(|reference| reference.as_str().into())),
        ("sync_start_date", body.sync_start_date.map(|date| date.iso().into())),
        ("sync_interval", body.sync_interval.map(Value::from)),
        ("skopeo_timeout_interval", body.skopeo_timeout_interval.map(Value::from)),
        ("robot_username", body.robot_username.clone().map(Value::from)),
        ("architecture_filter", body.architecture_filter.clone().map(Value::from)),
        ("external_registry_username", body.external_registry_username.clone().map(Value::from)),
        ("external_registry_password", password.map(|password| password.as_ref().map(|_| "********").into())),
        ("mirror_rule", body.root_rule.as_ref().map(|rule| rule.patterns().to_vec().into())),
    ];
    let settings =
        settings.into_iter().chain(body.policy.changes()).filter_map(|(name, value)| Some(changed(name, value?)));
    // Without their users, as they are without their passwords.
    let proxies = proxies.map(|(key, value)| changed(key, value.as_str().map(without_user).into()));
    let tls = body.tls.changes().into_iter().map(|(name, value)| changed(name, value));
    settings.chain(tls).chain(flags.map(|(key, value)| changed(key, value.clone()))).chain(proxies).collect()
}

fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mirror::body;

    #[test]
    fn logged_changes_hold_no_secrets() {
        let config = json!({"verify_tls": true, "proxy": {"https_proxy": "http://u:hunter2@p:1"}});
        let config = json!({"external_registry_config": config});
        let body = MirrorBody {
            external_registry_username: Some(Some("user".into())),
            external_registry_password: Some(Some("hunter2".into())),
            ..body::parse(config.as_object().unwrap()).unwrap().check(&moorage_domain::Guard::default()).unwrap()
        };
        let text = format!("{:?}", changes(&body));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("********") && text.contains("http://p:1"), "{text}");
        assert_eq!(changes(&body).len(), 4);
    }
}
