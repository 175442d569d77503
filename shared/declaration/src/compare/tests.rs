//! What becomes of elements.

use serde_json::{Value, json};

use super::*;
use crate::{
    document::Document,
    present::Answer,
    reading::{self, Reading},
    step::To,
    undeclared,
};

fn declared(document: Value) -> Declaration {
    serde_json::from_value::<Document>(document).unwrap().declaration().unwrap()
}

/// What there is: these answers, and nothing else of what has to be read.
fn present(declaration: &Declaration, answers: &[(&str, Value)]) -> Present {
    let readings = reading::of_declared(declaration).into_iter().chain(reading::of_undeclared(declaration));
    let answer = |reading: Reading| {
        let found = answers.iter().find(|(path, _)| *path == reading.path);
        let (status, body) = found.map_or((404, json!({"detail": "Not Found"})), |(_, body)| (200, body.clone()));
        (reading, Answer { status, body, etag: Some("\"1-1\"".into()) })
    };
    readings.map(answer).collect()
}

fn steps(document: Value, answers: &[(&str, Value)]) -> Vec<Step> {
    let declaration = declared(document);
    compare(&declaration, &present(&declaration, answers), Options::default()).unwrap()
}

/// Its calls, as they are on the wire, with the places of secrets.
fn calls(step: &Step) -> Vec<(&'static str, &str, Value)> {
    step.calls
        .iter()
        .map(|call| (call.verb.as_str(), call.path.as_str(), call.body.clone().unwrap_or_default()))
        .collect()
}

fn changed_fields(step: &Step) -> Vec<&str> {
    step.action.changes().iter().map(|change| change.field.as_str()).collect()
}

fn mirror(fields: Value) -> Value {
    let mut mirror = json!({"external_reference": "quay.io/acme/app", "robot_username": "acme+mirror"});
    mirror.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"repositories": {"acme/app": {"mirror": mirror}}})
}

fn mirror_view(fields: Value) -> Value {
    let mut view = json!({
        "is_enabled": true, "external_reference": "quay.io/acme/app", "external_registry_username": null,
        "external_registry_config": {}, "sync_interval": 3600, "sync_start_date": "2026-03-01T05:00:00Z",
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}, "robot_username": "acme+mirror",
        "skopeo_timeout_interval": 300, "architecture_filter": [], "sync_status": "SUCCESS",
    });
    view.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    view
}

const REPOSITORY: &str = "repository/acme/app?includeTags=false";

fn repository_view() -> Value {
    json!({"namespace": "acme", "name": "app", "description": "", "is_public": false, "state": "MIRROR"})
}

/// The step of the mirror that is declared with these fields, against one that there is with those.
fn mirror_step(fields: Value, there: Value) -> Step {
    let answers = [(REPOSITORY, repository_view()), ("repository/acme/app/mirror", mirror_view(there))];
    steps(mirror(fields), &answers).into_iter().find(|step| step.key.kind() == Kind::Mirror).unwrap()
}

#[test]
fn what_is_not_there_is_made_in_the_order_of_its_needs() {
    let document = json!({
        "organizations": {"acme": {
            "email": "ops@example.com",
            "robots": {"mirror": {"description": "mirrors"}, "pull": null},
            "teams": {"readers": {"members": ["acme+pull"]}},
            "notifications": [{"title": "late", "event": "repo_mirror_late", "method": "sns",
                               "config": {"topic_arn": "arn:aws:sns:eu-west-1:1:t"}}],
        }},
        "repositories": {"acme/app": {
            "visibility": "public",
            "mirror": {"external_reference": "quay.io/acme/app", "robot_username": "acme+mirror", "sync_interval": 3600,
                       "external_registry_username": "u", "external_registry_password": {"env": "PASSWORD"}},
            "permissions": {"robots": {"acme+pull": "read"}, "teams": {"readers": "read"}},
        }},
    });
    let steps = steps(document, &[]);
    let kinds: Vec<_> = steps.iter().map(|step| (step.key.to_string(), step.action.as_str())).collect();
    let expected = [
        "organization acme",
        "robot acme+mirror",
        "robot acme+pull",
        "team acme/readers",
        "repository acme/app",
        "permission acme/app acme+pull",
        "permission acme/app team readers",
        "mirror acme/app",
        "notification acme late",
    ];
    assert_eq!(kinds, expected.map(|name| (name.to_owned(), "create")));
    assert!(steps.windows(2).all(|pair| pair[0].rank() <= pair[1].rank()));
    let by_name = |name: &str| steps.iter().find(|step| step.key.to_string() == name).unwrap();
    assert_eq!(
        calls(by_name("organization acme")),
        [("POST", "organization/", json!({"name": "acme", "email": "ops@example.com"}))]
    );
    assert_eq!(
        calls(by_name("team acme/readers")),
        [
            ("PUT", "organization/acme/team/readers", json!({"role": "member"})),
            ("PUT", "organization/acme/team/readers/members/acme+pull", Value::Null),
        ]
    );
    assert_eq!(
        calls(by_name("repository acme/app")),
        [(
            "POST",
            "repository",
            json!({"namespace": "acme", "repository": "app", "visibility": "public", "description": ""})
        )]
    );
    let mirror = by_name("mirror acme/app");
    let [call] = mirror.calls.as_slice() else { panic!() };
    let body = call.body.clone().unwrap();
    assert_eq!(body["external_registry_password"], Value::Null, "no secret is in a call");
    assert_eq!(body["root_rule"]["rule_value"], json!(["*"]));
    assert_eq!(body["skopeo_timeout_interval"], 300);
    let start = body["sync_start_date"].as_str().unwrap();
    assert!(start.starts_with("2026-01-01T00:"), "within its interval: {start}");
    let filled = call.filled(|source| {
        assert_eq!(source.to_string(), "the variable PASSWORD");
        Ok::<_, ()>("hunter2".to_owned())
    });
    assert_eq!(filled.unwrap().unwrap()["external_registry_password"], "hunter2");
    let names = |keys: &[Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&mirror.needs), ["repository acme/app", "robot acme+mirror"]);
}

#[test]
fn what_is_as_declared_is_left_alone() {
    for (declared, there) in [
        (json!({}), json!({"deletion_limit": 7, "is_enabled": false})),
        (json!({"deletion_limit": null, "selection": null, "digest_listing": "auto"}), json!({})),
        (json!({"architecture_filter": null, "external_registry_config": {"verify_tls": true}}), json!({})),
        // The API moves the start on.
        (json!({"sync_start_date": "2026-01-01T00:00:00Z"}), json!({})),
        (
            json!({"external_registry_username": "u", "external_registry_password": {"env": "P"}}),
            json!({"external_registry_username": "u"}),
        ),
        (
            json!({"external_registry_config": {"proxy": {"http_proxy": {"env": "PROXY"}}}}),
            json!({"external_registry_config": {"proxy": {"http_proxy": "http://u:********@p:1"}}}),
        ),
    ] {
        let step = mirror_step(declared.clone(), there);
        assert_eq!(step.action, Action::Unchanged, "{declared}");
        assert!(step.calls.is_empty());
    }
}

#[test]
fn a_change_sends_what_changes_and_no_more() {
    let step = mirror_step(
        json!({"is_enabled": true, "sync_interval": 7200, "min_age": null, "external_registry_config": {"verify_tls": false}}),
        json!({"min_age": {"mode": "enforce", "seconds": 60}, "external_registry_config": {"token_realms": ["a.example.com"]}}),
    );
    assert_eq!(changed_fields(&step), ["external_registry_config.verify_tls", "min_age", "sync_interval"]);
    let body = json!({
        "external_registry_config": {"verify_tls": false, "token_realms": ["a.example.com"]}, "min_age": null,
        "sync_interval": 7200,
    });
    assert_eq!(calls(&step), [("PUT", "repository/acme/app/mirror", body)]);
    assert_eq!(step.calls[0].if_match.as_deref(), Some("\"1-1\""), "nobody's change is undone");
    let change = &step.action.changes()[2];
    assert_eq!((&change.from, &change.to), (&Some(json!(3600)), &To::Value(json!(7200))));
}

#[test]
fn a_password_is_sent_again_when_it_would_be_dropped() {
    let with = |mut fields: Value| {
        fields["external_registry_password"] = json!({"file": "/run/secrets/p"});
        fields
    };
    for (declared, there) in [
        (json!({"external_reference": "quay.io/acme/other"}), json!({})),
        (json!({"external_registry_username": "other"}), json!({"external_registry_username": "u"})),
        (json!({"external_registry_config": {"verify_tls": false}}), json!({})),
        (json!({"external_registry_config": {"proxy": {"no_proxy": "*"}}}), json!({})),
        (json!({}), json!({"sync_warning": {"reason": "credentials_dropped", "message": ""}})),
    ] {
        let step = mirror_step(with(declared.clone()), there);
        assert!(changed_fields(&step).contains(&"external_registry_password"), "{declared}");
        assert_eq!(step.calls[0].secrets.len(), 1, "{declared}");
        assert_eq!(step.calls[0].secrets[0].pointer, "/external_registry_password");
    }
    let step = mirror_step(with(json!({"sync_interval": 60})), json!({}));
    assert_eq!(changed_fields(&step), ["sync_interval"], "and not for anything else");

    let document = mirror(with(json!({})));
    let declaration = declared(document);
    let answers = [(REPOSITORY, repository_view()), ("repository/acme/app/mirror", mirror_view(json!({})))];
    let there = present(&declaration, &answers);
    let rotated = compare(&declaration, &there, Options { rotate_secrets: true }).unwrap();
    let rotated = rotated.iter().find(|step| step.key.kind() == Kind::Mirror).unwrap();
    assert_eq!(changed_fields(rotated), ["external_registry_password"]);
}

#[test]
fn what_the_api_cannot_change_is_said() {
    let document = json!({"organizations": {"acme": {"robots": {"mirror": {"description": "new"}}}}});
    let robot = json!({"name": "acme+mirror", "description": "old", "token": "hunter2"});
    let answers = [
        ("organization/acme", json!({"name": "acme", "email": "", "teams": {}})),
        ("organization/acme/robots/mirror", robot),
    ];
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
            ("PUT", "organization/acme/team/t1/members/acme+b1", Value::Null),
            ("DELETE", "organization/acme/team/t1/members/acme+c1", Value::Null),
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

#[test]
fn what_cannot_be_read_is_no_reason_to_make_anything() {
    let declaration = declared(json!({"organizations": {"acme": null}}));
    let answer = |status, body| {
        let reading = Reading { path: "organization/acme".into(), list: None };
        let present = Present::from_iter([(reading, Answer { status, body, etag: None })]);
        compare(&declaration, &present, Options::default())
    };
    for (status, body) in [(503, json!({"message": "later"})), (403, json!({"detail": "no"})), (200, json!("<html>"))] {
        assert!(answer(status, body).is_err(), "{status}");
    }
    assert!(
        compare(&declaration, &Present::default(), Options::default()).is_err(),
        "and neither is what was not read"
    );
    assert_eq!(answer(404, json!({"detail": "Not Found"})).unwrap()[0].action.as_str(), "create");
}

#[test]
fn elements_that_contradict_each_other_are_refused() {
    let parse = |document: Value| serde_json::from_value::<Document>(document).unwrap().declaration();
    let mut other = mirror(json!({}));
    other["repositories"]["acme/app"]["mirror"]["robot_username"] = "other+mirror".into();
    assert!(parse(other).unwrap_err().to_string().contains("is none of acme"));
    let robots = parse(json!({"organizations": {"acme": {"robots": {"A b": null}}}}));
    assert!(robots.unwrap_err().to_string().contains("is no name of a robot"));
    let first = serde_json::from_value::<Document>(json!({"repositories": {"a/b": {"description": "x"}}})).unwrap();
    let second = serde_json::from_value::<Document>(json!({"repositories": {"a/b": null}})).unwrap();
    let both = first.clone().elements().unwrap().into_iter().chain(second.elements().unwrap());
    assert!(Declaration::new(both).unwrap_err().to_string().contains("declared twice"));
    let same = first.clone().elements().unwrap().into_iter().chain(first.elements().unwrap());
    assert_eq!(Declaration::new(same).unwrap().len(), 1);
}
