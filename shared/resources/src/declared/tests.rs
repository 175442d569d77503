//! Declarations as templates have them.

use serde_json::json;

use super::*;

fn owner() -> StackResource {
    StackResource { stack_id: "arn".into(), logical_id: "A".into(), uuid: None }
}

fn read(kind: Kind, properties: &Value) -> Result<Declared, String> {
    Declared::read(kind, properties.as_object().unwrap(), &owner()).map_err(|error| error.to_string())
}

fn mirror(more: &Value) -> Value {
    let mut mirror = json!({
        "ServiceToken": "arn", "ServiceTimeout": "900", "repository": "acme/app", "external_reference": "h/x",
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}, "robot_username": "acme+bot",
    });
    mirror.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    mirror
}

#[test]
fn properties_are_the_apis_fields_and_ours_beside_them() {
    let secret = "arn:aws:secretsmanager:eu-west-1:1:secret:x";
    let more = json!({
        "sync_interval": "3600", "is_enabled": "false", "Adopt": "true", "Drift": "correct", "OnDelete": "keep",
        "CredentialsSecretArn": secret, "CredentialsSecretVersion": "2",
    });
    let declared = read(Kind::Mirror, &mirror(&more)).unwrap();
    assert_eq!(declared.target.to_string(), "moorage/acme/app/mirror");
    let expected = json!({
        "external_reference": "h/x", "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]},
        "robot_username": "acme+bot", "sync_interval": 3600, "is_enabled": false,
    });
    assert_eq!(Value::Object(declared.settings), expected);
    assert!(declared.adopt && declared.corrects_drift);
    assert_eq!(declared.secret_arn.as_deref(), Some(secret));
}

#[test]
fn what_is_wrong_is_named() {
    let secret = json!({"CredentialsSecretArn": "arn:aws:secretsmanager:r:1:secret:x"});
    let with_secret = |more: Value| {
        let mut all = secret.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mirror(&all)
    };
    let robot = |more: Value| {
        let mut robot = json!({"organization": "acme", "robot_shortname": "bot"});
        robot.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        robot
    };
    for (kind, properties, said) in [
        (
            Kind::Organization,
            json!({"name": "acme", "repository": "x"}),
            "repository is no property of Custom::MoorageOrganization",
        ),
        (
            Kind::Organization,
            json!({"name": "acme", "CredentialsSecretArn": "x"}),
            "CredentialsSecretArn is no property of Custom::MoorageOrganization",
        ),
        (
            Kind::Repository,
            json!({"repository": "acme/app", "namespace": "x"}),
            "namespace is no property of Custom::MoorageRepository",
        ),
        (Kind::Mirror, json!({"repository": "acme/app"}), "external_reference is required"),
        (Kind::Mirror, mirror(&json!({"Sync_Interval": "1"})), "Sync_Interval is no property of Custom::MoorageMirror"),
        (Kind::Mirror, mirror(&json!({"Adopt": "yes"})), "Adopt has to be true or false"),
        (Kind::Mirror, mirror(&json!({"Drift": "fix"})), "Drift has to be correct or leave"),
        (Kind::Mirror, mirror(&json!({"OnDelete": "remove_if_empty"})), "OnDelete has to be keep or remove"),
        (
            Kind::Organization,
            json!({"name": "acme", "OnDelete": "all"}),
            "OnDelete has to be keep, remove or remove_if_empty",
        ),
        (
            Kind::Mirror,
            mirror(&json!({"CredentialsSecretArn": "x"})),
            "CredentialsSecretArn has to be the ARN of a secret",
        ),
        (
            Kind::Mirror,
            mirror(&json!({"external_registry_password": "hunter2"})),
            "external_registry_password comes from the secret that CredentialsSecretArn names",
        ),
        (
            Kind::Mirror,
            with_secret(json!({"external_registry_username": "u"})),
            "external_registry_username comes from the secret that CredentialsSecretArn names",
        ),
        (
            Kind::Robot,
            robot(json!({"external_registry": {"host": "h", "password": "hunter2"}})),
            "external_registry.password comes from the secret that CredentialsSecretArn names",
        ),
        (
            Kind::Robot,
            robot(json!({"external_registry": {"host": "h"}})),
            "external_registry and CredentialsSecretArn need each other",
        ),
        (
            Kind::Notification,
            json!({"repository": "a/b", "event": "e", "method": "webhook", "config": {"secret": "hunter2"}}),
            "config.secret comes from the secret that CredentialsSecretArn names",
        ),
        (
            Kind::Notification,
            json!({"repository": "a/b", "event": "e", "method": "m", "Adopt": "true"}),
            "Adopt is no property of Custom::MoorageNotification",
        ),
        (Kind::Permission, json!({"repository": "a/b", "username": "a+bot"}), "role is required"),
    ] {
        assert_eq!(read(kind, &properties).map(|it| it.target), Err(said.to_owned()));
    }
}

#[test]
fn passwords_of_proxies_are_refused_and_proxies_are_not() {
    for (proxy, is_taken) in [
        ("http://proxy:3128", true),
        ("proxy:3128", true),
        ("http://user@proxy:3128", true),
        ("http://user:hunter2@proxy:3128", false),
        ("user:hunter2@proxy:3128", false),
        ("http://user:hunter2@proxy:port", false),
    ] {
        let config = json!({"external_registry_config": {"proxy": {"https_proxy": proxy}}});
        let read = read(Kind::Mirror, &mirror(&config));
        assert_eq!(read.is_ok(), is_taken, "{proxy}");
        assert!(read.is_ok() || !format!("{read:?}").contains("hunter2"));
    }
}

#[test]
fn what_may_be_lost_is_kept_unless_somebody_says_so() {
    let of = |kind, properties: Value| on_delete(kind, properties.as_object().unwrap()).unwrap();
    assert_eq!(of(Kind::Organization, json!({})), OnDelete::RemoveIfEmpty);
    assert_eq!(of(Kind::Repository, json!({})), OnDelete::RemoveIfEmpty);
    assert_eq!(of(Kind::Repository, json!({"OnDelete": "remove"})), OnDelete::Remove);
    assert_eq!(of(Kind::Mirror, json!({})), OnDelete::Remove);
    for kind in [Kind::Organization, Kind::Robot, Kind::Mirror] {
        assert_eq!(of(kind, json!({"Adopt": "true"})), OnDelete::Keep, "it was there before");
        assert_eq!(of(kind, json!({"Adopt": "true", "OnDelete": "remove"})), OnDelete::Remove);
    }
}

#[test]
fn another_version_of_a_secret_is_another_notification() {
    let target = |version: &str| {
        let properties = json!({
            "repository": "a/b", "event": "e", "method": "webhook", "CredentialsSecretVersion": version,
            "CredentialsSecretArn": "arn:aws:secretsmanager:r:1:secret:x", "eventConfig": {"min_interval": "60"},
        });
        read(Kind::Notification, &properties).unwrap()
    };
    assert_eq!(target("1").settings["eventConfig"]["min_interval"], 60);
    assert_eq!(target("1").target, target("1").target);
    assert_ne!(target("1").target, target("2").target);
}
