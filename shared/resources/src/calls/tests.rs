//! The calls that things are made by.

use super::*;

fn parsed(kind: crate::kind::Kind, id: &str) -> Target {
    Target::parse(kind, id).unwrap()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000)
}

use crate::kind::Kind;

#[test]
fn new_things_have_defaults() {
    for (kind, id, settings, call) in [
        (
            Kind::Organization,
            "moorage/acme/organization",
            json!({"email": "a@b"}),
            Call::new("POST", "organization/", json!({"name": "acme", "email": "a@b"})),
        ),
        (Kind::Robot, "moorage/acme+bot/robot", json!({}), Call::new("PUT", "organization/acme/robots/bot", json!({}))),
        (
            Kind::Repository,
            "moorage/acme/tools/x/repository",
            json!({"visibility": "public"}),
            Call::new(
                "POST",
                "repository",
                json!({"namespace": "acme", "repository": "tools/x", "visibility": "public", "description": ""}),
            ),
        ),
        (
            Kind::Mirror,
            "moorage/acme/app/mirror",
            json!({"sync_interval": 60}),
            Call::new(
                "POST",
                "repository/acme/app/mirror",
                json!({"sync_interval": 60, "sync_start_date": now().iso(), "skopeo_timeout_interval": 300}),
            ),
        ),
        (
            Kind::Permission,
            "moorage/acme/app/permission/user/acme+bot",
            json!({"role": "read"}),
            Call::new("PUT", "repository/acme/app/permissions/user/acme+bot", json!({"role": "read"})),
        ),
        (
            Kind::Notification,
            "moorage/acme/notification/00",
            json!({"event": "e"}),
            Call::new(
                "POST",
                "organization/acme/notifications",
                json!({"event": "e", "config": {}, "eventConfig": {}}),
            ),
        ),
    ] {
        assert_eq!(parsed(kind, id).create(object(&settings), now()), call);
    }
}

#[test]
fn a_change_is_one_call_for_each_part_of_the_api() {
    let change = |kind: Kind, id: &str, settings: &Value, present: &Value| {
        parsed(kind, id).change(kind.fixed(), object(settings), present)
    };
    let repository = json!({"description": "d", "visibility": "public"});
    let expected = vec![
        Call::new("PUT", "repository/acme/app", json!({"description": "d"})),
        Call::new("POST", "repository/acme/app/changevisibility", json!({"visibility": "public"})),
    ];
    assert_eq!(change(Kind::Repository, "moorage/acme/app/repository", &repository, &json!({})), Ok(expected));
    let mirror = json!({"deletion_limit": null});
    let expected = vec![Call::new("PUT", "repository/acme/app/mirror", mirror.clone())];
    assert_eq!(change(Kind::Mirror, "moorage/acme/app/mirror", &mirror, &json!({})), Ok(expected));
    assert_eq!(change(Kind::Mirror, "moorage/acme/app/mirror", &json!({}), &json!({})), Ok(vec![]));
    let path = "organization/acme/robots/bot/external-registry";
    for (registry, call) in [
        (json!({"host": "h"}), Call::new("PUT", path, json!({"host": "h"}))),
        (Value::Null, Call::new("DELETE", path, None)),
    ] {
        let settings = json!({"external_registry": registry});
        assert_eq!(change(Kind::Robot, "moorage/acme+bot/robot", &settings, &json!({})), Ok(vec![call]));
    }
    let (path, federation) = ("organization/acme/robots/bot/federation", json!([{"issuer": "i", "subject": "s"}]));
    for (federation, call) in [
        (federation.clone(), Call::new("POST", path, federation)),
        (json!([]), Call::new("DELETE", path, None)),
        (Value::Null, Call::new("DELETE", path, None)),
    ] {
        let settings = json!({"federation": federation});
        assert_eq!(change(Kind::Robot, "moorage/acme+bot/robot", &settings, &json!({})), Ok(vec![call]));
    }
}

#[test]
fn what_cannot_be_changed_has_to_be_what_is_there() {
    let target = parsed(Kind::OrganizationMirror, "moorage/acme/organization-mirror");
    let change = |present: &Value| {
        let settings = object(&json!({"external_registry_type": "harbor", "is_enabled": true}));
        target.change(Kind::OrganizationMirror.fixed(), settings, present)
    };
    let expected = vec![Call::new("PUT", "organization/acme/mirror", json!({"is_enabled": true}))];
    assert_eq!(change(&json!({"external_registry_type": "harbor"})), Ok(expected));
    let refused = change(&json!({"external_registry_type": "quay"})).unwrap_err().to_string();
    assert!(refused.starts_with("external_registry_type cannot be changed"), "{refused}");
}

#[test]
fn attributes_name_what_is_pulled() {
    let registry = Registry::at("https://r.example.com");
    let data = parsed(Kind::Mirror, "moorage/acme/app/mirror").data(&registry, None);
    let expected = json!({
        "repository": "acme/app", "pull_reference": "r.example.com/acme/app", "registry_host": "r.example.com",
    });
    assert_eq!(Value::Object(data), expected);
    let robot = parsed(Kind::Robot, "moorage/acme+bot/robot").data(&registry, None);
    assert_eq!(robot["name"], "acme+bot");
    let notification = parsed(Kind::Notification, "moorage/acme/app/notification/00");
    assert_eq!(notification.data(&registry, Some(Uuid::nil()))["uuid"], Uuid::nil().to_string());
    assert_eq!(notification.path(None), None);
}
