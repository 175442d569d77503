//! Which settings are sent: all of a new thing, and of one that is there what its template has changed.

use serde_json::{Map, Value, json};

use crate::{
    declared::Declared,
    kind::Kind,
    secrets::{SecretFields, SecretsError},
    typed,
};

/// What has changed between two declarations of the same thing. What is no longer declared is taken away, where the API knows
/// it as nothing, and stays what it is otherwise.
pub(crate) fn changed(before: &Declared, after: &Declared) -> Map<String, Value> {
    let mut changed: Map<_, _> = after.settings.clone();
    changed.retain(|name, value| after.corrects_drift || before.settings.get(name) != Some(value));
    let (body, _) = after.kind.body();
    let fields = typed::fields(body);
    for name in before.settings.keys().filter(|name| !after.settings.contains_key(*name)) {
        let is_optional = fields.and_then(|fields| fields.get(name)).is_some_and(typed::is_nullable);
        if is_optional || (after.kind == Kind::Robot && ["external_registry", "federation"].contains(&name.as_str())) {
            changed.insert(name.clone(), Value::Null);
        }
    }
    if before.secret_arn.is_some() && after.secret_arn.is_none() && is_mirror(after.kind) {
        let username = after.settings.get("external_registry_username").cloned().unwrap_or_default();
        changed.insert("external_registry_username".into(), username);
        changed.insert("external_registry_password".into(), Value::Null);
    }
    changed
}

/// What a secret of this kind has to have.
pub(crate) fn form(kind: Kind) -> &'static str {
    if kind == Kind::Notification { "url or secret" } else { "username and password" }
}

/// Adds what a secret holds. It is sent with each change: a change of the registry would drop what is stored.
pub(crate) fn add_secret(
    declared: &Declared,
    mut settings: Map<String, Value>,
    arn: &str,
    fields: &SecretFields,
) -> Result<Map<String, Value>, SecretsError> {
    let malformed = || SecretsError::Malformed(arn.to_owned(), form(declared.kind));
    let login = || fields.text("username").zip(fields.text("password")).ok_or_else(malformed);
    match declared.kind {
        Kind::Mirror | Kind::OrganizationMirror => {
            let (username, password) = login()?;
            settings.insert("external_registry_username".into(), username.into());
            settings.insert("external_registry_password".into(), password.into());
        }
        Kind::Robot => {
            let (username, password) = login()?;
            let mut registry = declared.settings.get("external_registry").cloned().unwrap_or_else(|| json!({}));
            registry["username"] = username.into();
            registry["password"] = password.into();
            settings.insert("external_registry".into(), registry);
        }
        Kind::Notification => {
            let mut config = declared.settings.get("config").cloned().unwrap_or_else(|| json!({}));
            let found = ["url", "secret"].map(|name| Some((name, fields.text(name)?)));
            if found.iter().all(Option::is_none) {
                return Err(malformed());
            }
            for (name, value) in found.into_iter().flatten() {
                config[name] = value.into();
            }
            settings.insert("config".into(), config);
        }
        Kind::Organization | Kind::Repository | Kind::Permission => {}
    }
    Ok(settings)
}

fn is_mirror(kind: Kind) -> bool {
    matches!(kind, Kind::Mirror | Kind::OrganizationMirror)
}

#[cfg(test)]
mod tests {
    use moorage_state::StackResource;

    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:r:1:secret:x";

    fn declared(kind: Kind, properties: &Value) -> Declared {
        let owner = StackResource { stack_id: "arn".into(), logical_id: "A".into(), uuid: None };
        Declared::read(kind, properties.as_object().unwrap(), &owner).unwrap()
    }

    fn mirror(more: &Value) -> Declared {
        let mut mirror = json!({
            "repository": "acme/app", "external_reference": "h/x", "robot_username": "acme+bot",
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]},
        });
        mirror.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        declared(Kind::Mirror, &mirror)
    }

    #[test]
    fn drift_is_left_alone_unless_it_is_to_be_corrected() {
        let before = mirror(&json!({"sync_interval": "3600", "deletion_limit": "5", "is_enabled": "false"}));
        let after = mirror(&json!({"sync_interval": "7200"}));
        let expected = json!({"sync_interval": 7200, "deletion_limit": null});
        assert_eq!(
            Value::Object(changed(&before, &after)),
            expected,
            "is_enabled stays what it is: nothing is no state"
        );
        assert!(changed(&after, &after).is_empty());
        let corrects = mirror(&json!({"sync_interval": "7200", "Drift": "correct"}));
        let names: Vec<_> = changed(&after, &corrects).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 4, "{names:?}");
    }

    #[test]
    fn credentials_come_from_the_secret_and_go_with_it() {
        let with = mirror(&json!({"CredentialsSecretArn": SECRET}));
        let fields = json!({"username": "u", "password": "p"}).into();
        let sent = add_secret(&with, Map::new(), SECRET, &fields).ok().unwrap();
        let expected = json!({"external_registry_username": "u", "external_registry_password": "p"});
        assert_eq!(Value::Object(sent), expected);
        let gone = changed(&with, &mirror(&json!({})));
        let expected = json!({"external_registry_username": null, "external_registry_password": null});
        assert_eq!(Value::Object(gone), expected);
        let incomplete = add_secret(&with, Map::new(), SECRET, &json!({"username": "u", "password": 5}).into());
        assert!(incomplete.err().unwrap().to_string().ends_with("an object with username and password"));
    }

    #[test]
    fn a_robots_registry_and_a_notifications_config_are_completed() {
        let robot = declared(
            Kind::Robot,
            &json!({
                "organization": "acme", "robot_shortname": "bot", "CredentialsSecretArn": SECRET,
                "external_registry": {"host": "h", "allow_insecure": "true"},
            }),
        );
        let fields = json!({"username": "u", "password": "p"}).into();
        let sent = add_secret(&robot, Map::new(), SECRET, &fields).ok().unwrap();
        let expected = json!({"host": "h", "allow_insecure": true, "username": "u", "password": "p"});
        assert_eq!(sent["external_registry"], expected);
        let without = declared(Kind::Robot, &json!({"organization": "acme", "robot_shortname": "bot"}));
        assert_eq!(Value::Object(changed(&robot, &without)), json!({"external_registry": null}));

        let notification = declared(
            Kind::Notification,
            &json!({
                "repository": "a/b", "event": "e", "method": "webhook", "config": {"template": "{}"},
                "CredentialsSecretArn": SECRET,
            }),
        );
        let sent = add_secret(&notification, Map::new(), SECRET, &json!({"url": "https://h"}).into()).ok().unwrap();
        assert_eq!(sent["config"], json!({"template": "{}", "url": "https://h"}));
        assert!(add_secret(&notification, Map::new(), SECRET, &json!({}).into()).is_err());
    }
}
