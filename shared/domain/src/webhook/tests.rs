use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Reads a delivery to a mirror of `acme/app`.
fn heard(content_type: Option<&str>, body: &[u8]) -> Result<Option<Hint>, WebhookError> {
    Hint::read(content_type, body, &"quay.io/acme/app".parse().unwrap())
}

fn read(body: &Value) -> Result<Hint, WebhookError> {
    let read = heard(Some("application/json; charset=utf-8"), body.to_string().as_bytes());
    read.map(|hint| hint.expect("it is not of other repositories"))
}

fn hint(repository: Option<&str>, tags: &[&str]) -> Hint {
    let tags = HintedTags::Only(tags.iter().map(|tag| tag.parse().unwrap()).collect());
    Hint { repository: repository.map(str::to_owned), tags }
}

const DIGEST: &str = "sha256:954b378c375d852eb3c63ab88978f640b4348b01c1b3456a024a81536dafbbf4";

fn docker_hub() -> Value {
    json!({
        "callback_url": "https://registry.hub.docker.com/u/acme/app/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",
        "push_data": {"pushed_at": 1_790_000_000, "pusher": "builder", "tag": "v1.2", "images": []},
        "repository": {
            "name": "app", "namespace": "acme", "owner": "acme", "repo_name": "acme/app", "status": "Active",
            "repo_url": "https://hub.docker.com/r/acme/app", "is_private": false, "star_count": 0,
        },
    })
}

fn quay() -> Value {
    json!({
        "repository": "acme/app", "namespace": "acme", "name": "app", "docker_url": "quay.io/acme/app",
        "homepage": "https://quay.io/repository/acme/app", "updated_tags": ["v1.2", "latest"],
    })
}

fn harbor(kind: &str) -> Value {
    json!({
        "type": kind, "occur_at": 1_790_000_000, "operator": "admin",
        "event_data": {
            "resources": [
                {"digest": DIGEST, "tag": "v1.2", "resource_url": "harbor.example.com/acme/app:v1.2"},
                {"digest": DIGEST, "tag": DIGEST, "resource_url": "harbor.example.com/acme/app@sha256"},
            ],
            "repository": {
                "date_created": 1_780_000_000, "name": "app", "namespace": "acme", "repo_full_name": "acme/app",
                "repo_type": "private",
            },
        },
    })
}

fn github(key: &str, action: &str) -> Value {
    let mut body = json!({"action": action, "repository": {"full_name": "acme/app"}, "sender": {"login": "builder"}});
    body[key] = json!({
        "id": 1, "name": "app", "namespace": "acme", "ecosystem": "CONTAINER", "package_type": "CONTAINER",
        "package_version": {
            "id": 2, "version": DIGEST, "package_url": "ghcr.io/acme/app:v1.2",
            "container_metadata": {"tag": {"name": "v1.2", "digest": DIGEST}, "labels": {}, "manifest": {}},
        },
    });
    body
}

fn azure(action: &str) -> Value {
    json!({
        "id": "cb8c3971-9adc-488b-bdd8-43cbb4974ff5", "timestamp": "2026-11-17T16:52:01.343145347Z", "action": action,
        "target": {
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "size": 524, "digest": DIGEST,
            "length": 524, "repository": "acme/app", "tag": "v1.2",
        },
        "request": {"id": "3cbb6949-7549-4fa1-86cd-a6d5451dffc7", "host": "acme.azurecr.io", "method": "PUT"},
    })
}

fn event(action: &str, repository: &str, tag: Option<&str>) -> Value {
    let mut target = json!({"mediaType": "application/octet-stream", "digest": DIGEST, "repository": repository});
    if let Some(tag) = tag {
        target["tag"] = json!(tag);
    }
    json!({"id": "1", "timestamp": "2026-11-17T16:52:01Z", "action": action, "target": target, "source": {}})
}

fn ecr(action: &str, result: &str) -> Value {
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": "123456789012", "time": "2026-11-16T01:54:34Z", "region": "eu-west-1",
        "resources": [],
        "detail": {
            "result": result, "repository-name": "acme/app", "image-digest": DIGEST, "action-type": action,
            "image-tag": "v1.2",
        },
    })
}

#[test]
fn each_sender_is_understood() {
    let cloud_event = json!({
        "specversion": "1.0", "id": "66e18103-09c1-41f6-982f-37df223f3eeb", "type": "harbor.artifact.pushed",
        "source": "/projects/2/webhook/policies/15", "datacontenttype": "application/json",
        "data": harbor("")["event_data"],
    });
    let mut older_quay = quay();
    older_quay["updated_tags"] = json!({"v1.2": "b750fe79269d"});
    let mut ours = quay();
    ours["changed_tags"] =
        json!([{"tag": "v1.2", "change": "moved", "to": DIGEST}, {"tag": "v1", "change": "deleted"}]);
    ours.as_object_mut().unwrap().remove("updated_tags");
    let one = hint(Some("acme/app"), &["v1.2"]);
    for (body, expected) in [
        (docker_hub(), one.clone()),
        (quay(), hint(Some("quay.io/acme/app"), &["latest", "v1.2"])),
        (older_quay, hint(Some("quay.io/acme/app"), &["v1.2"])),
        (ours, hint(Some("quay.io/acme/app"), &["v1.2"])),
        (harbor("PUSH_ARTIFACT"), one.clone()),
        (cloud_event, one.clone()),
        (github("registry_package", "published"), one.clone()),
        (github("registry_package", "updated"), one.clone()),
        (github("package", "published"), one.clone()),
        (azure("push"), one.clone()),
        (ecr("PUSH", "SUCCESS"), one.clone()),
        (json!({"events": [event("push", "acme/app", None), event("push", "acme/app", Some("v1.2"))]}), one),
        (json!({"tags": ["v1.2", "v1.2", "latest"]}), hint(None, &["latest", "v1.2"])),
        (json!({"tags": ["v1"], "repository": "quay.io/acme/app"}), hint(Some("quay.io/acme/app"), &["v1"])),
    ] {
        assert_eq!(read(&body), Ok(expected), "{body}");
    }
}

#[test]
fn what_is_of_no_tag_is_a_hint_at_none() {
    let mut untagged = github("registry_package", "published");
    untagged["registry_package"]["package_version"]["container_metadata"]["tag"]["name"] = json!("");
    let mut npm = github("registry_package", "published");
    npm["registry_package"]["package_version"]["container_metadata"] = Value::Null;
    let mut scanned = quay();
    scanned["updated_tags"] = Value::Null;
    scanned["tags"] = json!(["v1"]);
    for body in [
        harbor("DELETE_ARTIFACT"),
        harbor("SCANNING_COMPLETED"),
        github("registry_package", "deleted"),
        untagged,
        npm,
        json!({"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {}}),
        azure("delete"),
        json!({"id": "1", "timestamp": "2026-11-17T16:52:01Z", "action": "ping"}),
        ecr("DELETE", "SUCCESS"),
        ecr("PUSH", "FAILURE"),
        json!({"detail-type": "ECR Image Scan", "source": "aws.ecr", "detail": {}}),
        json!({"events": []}),
        json!({"events": [event("pull", "acme/app", Some("v1")), event("delete", "acme/app", Some("v1"))]}),
        json!({"tags": []}),
        json!({"tags": ["not a tag", "a/b", DIGEST, ""]}),
        scanned,
    ] {
        assert!(read(&body).unwrap().is_empty(), "{body}");
    }
}

#[test]
fn an_envelope_is_known_by_its_content_type_and_of_several_repositories_only_ours_is_heard() {
    let of = |pushed: &[(&str, &str)]| {
        let events: Vec<_> = pushed.iter().map(|(repository, tag)| event("push", repository, Some(tag))).collect();
        json!({"events": events}).to_string()
    };
    let v1 = "application/vnd.docker.distribution.events.v1+json";
    for content_type in [Some(v1), None] {
        let heard = |pushed: &[(&str, &str)]| heard(content_type, of(pushed).as_bytes()).unwrap();
        assert_eq!(heard(&[("acme/app", "v1"), ("acme/web", "v2")]), Some(hint(Some("acme/app"), &["v1"])));
        let ours = [("acme/app", "v1"), ("quay.io/acme/app", "v2"), ("acme/web", "v3")];
        assert_eq!(heard(&ours), Some(hint(None, &["v1", "v2"])));
        assert_eq!(heard(&[("acme/web", "v1"), ("acme/tools", "v2")]), None, "all of it is of others");
    }
    assert_eq!(heard(Some(v1), b"{\"tags\": []}"), Err(WebhookError::Broken(Sender::Distribution)));
    let many: Vec<_> = (0..=MAX_TAGS).map(|number| format!("t{number}")).collect();
    let many: Vec<_> = many.iter().map(|tag| ("acme/web", tag.as_str())).chain([("acme/app", "v1")]).collect();
    assert_eq!(
        heard(None, of(&many).as_bytes()),
        Ok(Some(hint(Some("acme/app"), &["v1"]))),
        "not all, for others' tags"
    );
}

#[test]
fn what_is_broken_or_unknown_is_refused() {
    use WebhookError as E;
    let changed = |mut body: Value, key: &str, value: Value| {
        body[key] = value;
        body
    };
    for (body, error) in [
        (json!({}), E::Unknown),
        (json!([]), E::Unknown),
        (json!("tags"), E::Unknown),
        (json!({"hello": "world"}), E::Unknown),
        (changed(docker_hub(), "push_data", json!("v1")), E::Broken(Sender::DockerHub)),
        (changed(docker_hub(), "push_data", json!({"tag": 7})), E::Broken(Sender::DockerHub)),
        (changed(quay(), "updated_tags", json!("v1")), E::Broken(Sender::Quay)),
        (changed(harbor("PUSH_ARTIFACT"), "event_data", json!([])), E::Broken(Sender::Harbor)),
        (changed(github("package", "published"), "package", json!(1)), E::Broken(Sender::GitHub)),
        (changed(azure("push"), "target", json!("v1")), E::Broken(Sender::Azure)),
        (changed(ecr("PUSH", "SUCCESS"), "detail", json!(null)), E::Broken(Sender::Ecr)),
        (json!({"events": [{"action": 1}]}), E::Broken(Sender::Distribution)),
        (json!({"tags": "v1"}), E::Broken(Sender::Plain)),
        (json!({"tags": [1]}), E::Broken(Sender::Plain)),
        (json!({"tags": ["v1"], "repository": "x".repeat(MAX_REPOSITORY + 1)}), E::Broken(Sender::Plain)),
    ] {
        assert_eq!(read(&body), Err(error), "{body}");
    }
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(heard(form, b"payload=%7B%7D"), Err(E::Form));
    assert_eq!(heard(None, b"{\"tags\": ["), Err(E::Json));
    assert_eq!(heard(None, "[".repeat(MAX_BODY).as_bytes()), Err(E::Json));
    assert_eq!(heard(None, &vec![b' '; MAX_BODY + 1]), Err(E::Large));
    assert!(E::Broken(Sender::Azure).to_string().contains("Azure") && E::Unknown.to_string().contains("{\"tags\""));
}

#[test]
fn many_tags_are_all() {
    let tags = |count: usize| (0..count).map(|n| format!("v{n}")).collect::<Vec<_>>();
    let of = |count: usize| read(&json!({"tags": tags(count)})).unwrap();
    assert!(matches!(of(MAX_TAGS).tags, HintedTags::Only(tags) if tags.len() == MAX_TAGS));
    assert_eq!(of(MAX_TAGS + 1).tags, HintedTags::All);
    assert!(!of(MAX_TAGS + 1).is_empty());
    assert_eq!(of(MAX_TAGS).and(hint(None, &["x"])).tags, HintedTags::All);
    assert_eq!(of(MAX_TAGS + 1).and(hint(None, &[])).tags, HintedTags::All);
}

#[test]
fn other_repositories_are_told_apart() {
    let of = |reference: &str, sent: Option<&str>| {
        let mut body = json!({"tags": ["v1"]});
        if let Some(sent) = sent {
            body["repository"] = json!(sent);
        }
        Hint::read(None, body.to_string().as_bytes(), &reference.parse().unwrap()).unwrap().is_some()
    };
    for (reference, sent, may_be) in [
        ("quay.io/acme/app", None, true),
        ("quay.io/acme/app", Some("acme/app"), true),
        ("quay.io/acme/app", Some("quay.io/acme/app"), true),
        ("registry.internal:5000/acme/app", Some("quay.io/acme/app"), true),
        ("ghcr.io/acme/app", Some("Acme/app"), true),
        ("docker.io/nginx", Some("library/nginx"), true),
        ("quay.io/acme/app", Some("acme/web"), false),
        ("quay.io/acme/app", Some("app"), false),
        ("quay.io/app", Some("acme/app"), false),
        ("quay.io/app", Some("localhost/app"), true),
        ("quay.io/app", Some("other/acme/app"), false),
        ("quay.io/acme/app", Some("macme/app"), false),
        ("quay.io/acme/app", Some("quay.io/other/acme/app"), false),
        ("quay.io/acme/app", Some(""), false),
        ("quay.io/acme/app", Some("ééééé/app"), false),
    ] {
        assert_eq!(of(reference, sent), may_be, "{reference}: {sent:?}");
    }
}

#[test]
fn hints_come_together() {
    let (one, other) = (hint(Some("acme/app"), &["v1", "v2"]), hint(Some("acme/app"), &["latest", "v1"]));
    assert_eq!(one.clone().and(other), hint(Some("acme/app"), &["latest", "v1", "v2"]));
    assert_eq!(one.and(hint(Some("acme/web"), &[])), hint(None, &["v1", "v2"]));
    let stored = json!({"repository": null, "tags": {"only": ["v1"]}});
    assert_eq!(serde_json::to_value(hint(None, &["v1"])).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Hint>(stored).unwrap(), hint(None, &["v1"]));
}

proptest! {
    #[test]
    fn whatever_comes_is_a_bounded_hint_or_an_error(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = heard(None, &body);
    }

    #[test]
    fn samples_with_one_field_replaced_break_nothing(
        which in 0..6_usize,
        key in proptest::sample::select(vec!["push_data", "docker_url", "event_data", "action", "target", "detail", "tags"]),
        value in proptest::sample::select(vec![json!(null), json!(1), json!("x"), json!([]), json!({}), json!([{}])]),
    ) {
        let samples = [docker_hub(), quay(), harbor("PUSH_ARTIFACT"), github("package", "published"), azure("push"), ecr("PUSH", "SUCCESS")];
        let mut body = samples[which].clone();
        body[key] = value;
        if let Ok(Some(Hint { tags: HintedTags::Only(tags), .. })) = heard(None, body.to_string().as_bytes()) {
            prop_assert!(tags.len() <= MAX_TAGS);
        }
    }
}
