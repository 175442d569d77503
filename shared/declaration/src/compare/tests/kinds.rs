//! What is of one kind alone.

use serde_json::{Value, json};

use super::{REPOSITORY, calls, changed_fields, declared, mirror_view, present, repository_view, steps};
use crate::{
    compare::{Options, compare},
    step::{Action, Step},
    undeclared,
};

#[test]
fn what_the_api_cannot_change_is_said() {
    let document = json!({"organizations": {"acme": {"robots": {"mirror": {"description": "new"}}}}});
    let robot = json!({"name": "acme+mirror", "description": "old", "token": "hunter2"});
    let answers = [
        ("organization/acme", json!({"name": "acme", "email": "", "teams": {}})),
        ("organization/acme/robots/mirror", robot),
    ];
    assert!(!format!("{:?}", present(&declared(document.clone()), &answers)).contains("hunter2"));
    let steps = steps(document, &answers);
    let Action::Impossible { changes, why } = &steps[1].action else { panic!("{:?}", steps[1]) };
    assert_eq!((changes[0].field.as_str(), steps[1].calls.len()), ("description", 0));
    assert!(why.contains("delete the robot"));
    assert!(!format!("{steps:?}").contains("hunter2"));
}

#[test]
fn a_robots_credentials_come_and_go() {
    let registry = json!({"host": "quay.io", "username": "u", "password": {"env": "P"}});
    let step = |declared: Value, there: Value| {
        let document = json!({"organizations": {"acme": {"robots": {"mirror": {"external_registry": declared}}}}});
        let mut robot = json!({"name": "acme+mirror", "description": "", "token": "t"});
        if !there.is_null() {
            robot["external_registry"] = there;
        }
        let answers = [("organization/acme", json!({"name": "acme"})), ("organization/acme/robots/mirror", robot)];
        steps(document, &answers).remove(1)
    };
    let there = json!({"host": "quay.io", "username": "u", "allow_insecure": false, "allow_proxy": false});
    assert_eq!(step(registry.clone(), there.clone()).action, Action::Unchanged);
    let made = step(registry.clone(), Value::Null);
    let body = json!({"host": "quay.io", "username": "u", "password": null});
    assert_eq!(calls(&made), [("PUT", "organization/acme/robots/mirror/external-registry", body)]);
    assert_eq!(made.calls[0].secrets[0].pointer, "/password");
    let mut other = there.clone();
    other["username"] = "v".into();
    assert_eq!(changed_fields(&step(registry, other)), ["external_registry.username", "external_registry.password"]);
    let gone = step(Value::Null, there);
    assert_eq!(calls(&gone), [("DELETE", "organization/acme/robots/mirror/external-registry", Value::Null)]);
    assert_eq!(step(Value::Null, Value::Null).action, Action::Unchanged);
}

#[test]
fn what_tls_with_a_robots_registry_goes_by_is_sent_where_it_is_missing() {
    let login = json!({"host": "quay.io", "username": "u", "password": {"env": "P"}});
    let step = |tls: Value, shown: Value| {
        let (mut declared, mut there) = (login.clone(), login.clone());
        declared["tls"] = tls;
        there.as_object_mut().unwrap().remove("password");
        if !shown.is_null() {
            there["tls"] = shown;
        }
        let document = json!({"organizations": {"acme": {"robots": {"mirror": {"external_registry": declared}}}}});
        let robot = json!({"name": "acme+mirror", "description": "", "token": "t", "external_registry": there});
        let answers = [("organization/acme", json!({"name": "acme"})), ("organization/acme/robots/mirror", robot)];
        steps(document, &answers).remove(1)
    };
    let (bundle, shown) = (json!({"ca_bundle": {"file": "ca.pem"}}), json!({"ca_subjects": ["CN=a company"]}));
    let made = step(bundle.clone(), Value::Null);
    assert_eq!(changed_fields(&made), ["external_registry.password", "external_registry.tls.ca_bundle"]);
    let pointers: Vec<_> = made.calls[0].secrets.iter().map(|slot| slot.pointer.as_str()).collect();
    assert_eq!(pointers, ["/password", "/tls/ca_bundle"]);
    assert_eq!(step(bundle, shown.clone()).action, Action::Unchanged);
    for (gone, field) in
        [(json!(null), "external_registry.tls"), (json!({"ca_bundle": null}), "external_registry.tls.ca_bundle")]
    {
        let removed = step(gone.clone(), shown.clone());
        assert!(changed_fields(&removed).contains(&field), "{gone}");
        assert_eq!(removed.calls[0].body.as_ref().unwrap()["tls"], gone);
        assert_eq!(step(gone, Value::Null).action, Action::Unchanged);
    }
}

#[test]
fn a_robots_workloads_are_those_that_are_declared() {
    let one = json!({"issuer": "https://idp.example", "subject": "s", "audiences": ["a"]});
    let other = json!({"issuer": "https://idp.example", "subject": "t"});
    let step = |declared: Value, there: Value| {
        let document = json!({"organizations": {"acme": {"robots": {"ci": declared}}}});
        let mut robot = json!({"name": "acme+ci", "description": "", "token": "t"});
        if !there.is_null() {
            robot["federation"] = there;
        }
        let answers = [("organization/acme", json!({"name": "acme"})), ("organization/acme/robots/ci", robot)];
        steps(document, &answers).remove(1)
    };
    let declared = |list: Value| json!({"federation": list});
    let path = "organization/acme/robots/ci/federation";
    assert_eq!(step(declared(json!([one, other])), json!([one, other])).action, Action::Unchanged);
    let made = step(declared(json!([one, other])), json!([one]));
    assert_eq!((changed_fields(&made), calls(&made)), (vec!["federation"], vec![("POST", path, json!([one, other]))]));
    assert!(made.calls[0].is_repeatable);
    assert_eq!(calls(&step(declared(json!([])), json!([one]))), [("DELETE", path, Value::Null)]);
    assert_eq!(step(declared(json!([])), Value::Null).action, Action::Unchanged);
    assert_eq!(step(json!({}), json!([one])).action, Action::Unchanged, "what is not said is left as it is");
}

#[test]
fn members_are_those_that_are_declared() {
    let document = json!({"organizations": {"acme": {"teams": {"t1": {"members": ["acme+b1", "acme+a1"]}}}}});
    let team = |members: &[&str]| {
        let members: Vec<_> = members.iter().map(|name| json!({"name": name})).collect();
        vec![
            ("organization/acme", json!({"name": "acme", "teams": {"t1": {"role": "creator", "description": ""}}})),
            ("organization/acme/team/t1/members", json!({"members": members})),
        ]
    };
    let same = steps(document.clone(), &team(&["acme+a1", "acme+b1"]));
    assert_eq!(same[1].action, Action::Unchanged);
    let other = steps(document, &team(&["acme+a1", "acme+c1"]));
    assert_eq!(
        calls(&other[1]),
        [
            ("DELETE", "organization/acme/team/t1/members/acme+c1", Value::Null),
            ("PUT", "organization/acme/team/t1/members/acme+b1", Value::Null),
        ]
    );
}

#[test]
fn a_notification_is_made_anew() {
    let declared = json!({
        "title": "team", "event": "repo_mirror_sync_failed", "method": "webhook",
        "config": {"url": "https://h/x", "secret": {"env": "S"}}, "eventConfig": {"min_interval": 60},
    });
    let document = json!({"repositories": {"acme/app": {"notifications": [declared]}}});
    let shown = |id: &str, url: &str, signed: bool| {
        json!({
            "uuid": id, "title": "team", "event": "repo_mirror_sync_failed", "method": "webhook", "config": {"url": url},
            "event_config": {"min_interval": 60}, "number_of_failures": 0, "enabled": true, "signed": signed,
        })
    };
    let step = |all: Value| {
        let answers =
            [(REPOSITORY, repository_view()), ("repository/acme/app/notification/", json!({"notifications": all}))];
        steps(document.clone(), &answers).remove(1)
    };
    assert_eq!(step(json!([shown("1", "https://h/x", true)])).action, Action::Unchanged);
    let moved = step(json!([shown("1", "https://h/y", true)]));
    assert_eq!(changed_fields(&moved), ["config.url"]);
    let paths: Vec<_> = moved.calls.iter().map(|call| (call.verb.as_str(), call.path.as_str())).collect();
    let (list, one) = ("repository/acme/app/notification", "repository/acme/app/notification/1");
    assert_eq!(paths, [("POST", list), ("DELETE", one)], "somebody is always told");
    assert_eq!(changed_fields(&step(json!([shown("1", "https://h/x", false)]))), ["config.secret"]);
    let mut extra = shown("1", "https://h/x", true);
    extra["config"]["template"] = "x".into();
    assert_eq!(changed_fields(&step(json!([extra]))), ["config.template"], "what it is told by belongs together");
    let twice = step(json!([shown("1", "https://h/x", true), shown("2", "https://h/x", true)]));
    assert_eq!(calls(&twice), [("DELETE", "repository/acme/app/notification/2", Value::Null)]);
    let foreign = step(json!([shown("../../../user", "https://h/y", true)]));
    assert_eq!(foreign.calls.len(), 1, "what is no id leads nowhere");
}

#[test]
fn what_is_not_declared_goes_only_if_asked_and_images_never() {
    let document = json!({
        "organizations": {"acme": {"robots": {"mirror": null}}},
        "repositories": {"acme/app": {"permissions": {"robots": {"acme+mirror": "write"}}}},
    });
    let declaration = declared(document);
    let mut app = mirror_view(json!({}));
    app["robot_username"] = "acme+mirror".into();
    let answers = [
        ("organization/acme", json!({"name": "acme", "teams": {"owners": {}, "old": {"role": "member"}}})),
        ("organization/acme/robots/mirror", json!({"name": "acme+mirror", "description": ""})),
        ("organization/acme/robots?token=false", json!({"robots": [{"name": "acme+mirror"}, {"name": "acme+old"}]})),
        (
            "repository?namespace=acme",
            json!({"repositories": [{"name": "app", "state": "MIRROR"}, {"name": "gone", "state": "MIRROR"},
                                     {"name": "own", "state": "NORMAL"}]}),
        ),
        (REPOSITORY, repository_view()),
        ("repository/acme/app/mirror", app),
        (
            "repository/acme/app/permissions/user/",
            json!({"permissions": {"acme+mirror": {"role": "write"}, "acme+old": {"role": "read"}}}),
        ),
        ("repository/acme/app/permissions/team/", json!({"permissions": {}})),
        ("repository/acme/app/notification/", json!({"notifications": [{"uuid": "7", "title": null}]})),
    ];
    let there = present(&declaration, &answers);
    assert!(compare(&declaration, &there, Options::default()).unwrap().iter().all(Step::is_nothing));
    let mut removed = undeclared::removals(&declaration, &there).unwrap();
    removed.sort_by_key(Step::rank);
    let names: Vec<_> = removed.iter().map(|step| step.key.to_string()).collect();
    assert_eq!(
        names,
        [
            "notification acme/app ",
            "mirror acme/gone",
            "mirror acme/app",
            "permission acme/app acme+old",
            "team acme/old",
            "robot acme+old",
        ]
    );
    assert_eq!(calls(&removed[1]), [("DELETE", "repository/acme/gone/mirror", Value::Null)]);
    assert!(removed[5].needs.contains(&removed[1].key), "a mirror's robot goes last");
}
