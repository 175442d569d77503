//! What becomes of elements.

mod kinds;
mod people;

use serde_json::{Value, json};

use super::*;
use crate::{
    document::Document,
    present::Answer,
    reading::{self, Reading},
    step::To,
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

fn extend(object: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("{fields} are no fields") };
    object.as_object_mut().unwrap().extend(fields);
}

fn mirror(fields: Value) -> Value {
    let mut mirror = json!({"external_reference": "quay.io/acme/app", "robot_username": "acme+mirror"});
    extend(&mut mirror, fields);
    json!({"repositories": {"acme/app": {"mirror": mirror}}})
}

fn mirror_view(fields: Value) -> Value {
    let mut view = json!({
        "is_enabled": true, "external_reference": "quay.io/acme/app", "external_registry_username": null,
        "external_registry_config": {}, "sync_interval": 3600, "sync_start_date": "2026-03-01T05:00:00Z",
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}, "robot_username": "acme+mirror",
        "skopeo_timeout_interval": 300, "architecture_filter": [], "sync_status": "SUCCESS",
    });
    extend(&mut view, fields);
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
        (json!({"sync_start_date": "2099-01-01T00:00:00Z"}), json!({})),
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
    let trusting = with(json!({"external_registry_config": {"tls": {"ca_bundle": {"file": "ca.pem"}}}}));
    let step = mirror_step(trusting.clone(), json!({}));
    assert_eq!(changed_fields(&step), ["external_registry_config.tls.ca_bundle", "external_registry_password"]);
    let trusted = json!({"external_registry_config": {"tls": {"ca_subjects": ["CN=x"]}}});
    assert_eq!(mirror_step(trusting, trusted).action, Action::Unchanged);
    let off = mirror_step(json!({"sync_start_date": "2026-01-01T00:30:00Z"}), json!({}));
    assert_eq!(changed_fields(&off), ["sync_start_date"]);
    let step = mirror_step(with(json!({"sync_interval": 60})), json!({}));
    assert_eq!(changed_fields(&step), ["sync_interval"], "and not for anything else");

    let document = mirror(with(json!({})));
    let declaration = declared(document);
    let answers = [(REPOSITORY, repository_view()), ("repository/acme/app/mirror", mirror_view(json!({})))];
    let there = present(&declaration, &answers);
    let rotated = compare(&declaration, &there, Options { rotate_secrets: true }).unwrap();
    let rotated = rotated.iter().find(|step| step.key.kind() == Kind::Mirror).unwrap();
    assert_eq!(changed_fields(rotated), ["external_registry_password"]);
    let body = rotated.calls[0].body.as_ref().unwrap();
    assert!(body.get("external_registry_username").is_some(), "the API takes no password without a user: {body}");
}

#[test]
fn what_tls_goes_by_is_sent_where_it_is_missing() {
    let config = |tls: Value| json!({"external_registry_config": {"tls": tls}});
    let declared = config(json!({
        "ca_bundle": {"file": "ca.pem"}, "client_certificate": {"file": "c.pem"}, "client_key": {"env": "KEY"},
    }));
    let names =
        ["ca_bundle", "client_certificate", "client_key"].map(|name| format!("external_registry_config.tls.{name}"));
    let [authorities, client] = [json!({"ca_subjects": ["CN=x"]}), json!({"client_subject": "CN=y"})].map(config);
    let both = config(json!({"ca_subjects": ["CN=x"], "client_subject": "CN=y"}));
    for (there, missing) in [(json!({}), &names[..]), (authorities, &names[1..]), (client.clone(), &names[..1])] {
        let step = mirror_step(declared.clone(), there.clone());
        assert_eq!(changed_fields(&step), missing, "{there}");
        let pointers: Vec<_> = step.calls[0].secrets.iter().map(|slot| slot.pointer.replace('/', ".")).collect();
        assert_eq!(pointers, missing.iter().map(|name| format!(".{name}")).collect::<Vec<_>>());
    }
    assert_eq!(mirror_step(declared, both.clone()).action, Action::Unchanged);
    for (gone, field) in [(json!(null), "tls"), (json!({"ca_bundle": null}), "tls.ca_bundle")] {
        let step = mirror_step(config(gone.clone()), both.clone());
        assert_eq!(changed_fields(&step), [format!("external_registry_config.{field}")]);
        let body = step.calls[0].body.as_ref().unwrap();
        let sent = &body["external_registry_config"]["tls"];
        assert_eq!((sent.is_null(), sent.get("ca_bundle")), (gone.is_null(), gone.get("ca_bundle")));
        assert_eq!(mirror_step(config(gone), json!({})).action, Action::Unchanged);
    }
    assert_eq!(mirror_step(config(json!({"ca_bundle": null})), client).action, Action::Unchanged);
    let plain = json!({"external_reference": "quay.io/a/b", "robot_username": "acme+mirror", "external_registry_config": {"tls": {"client_key": "hunter2"}}});
    let error = serde_json::from_value::<crate::Mirror>(plain).unwrap_err().to_string();
    assert!(error.contains("named") && !error.contains("hunter2"), "{error}");
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
