//! What a sync would do, told before it does it.

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{Image, layer},
    organization_mirror as whole,
    proxy::{Fault, Proxy, count},
    registry::{PASSWORD, USER},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

fn actions(preview: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    preview["tags"].as_array().unwrap().iter().map(|tag| (text(&tag["name"]), text(&tag["action"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, action)| ((*name).to_owned(), (*action).to_owned())).collect()
}

#[tokio::test]
async fn a_preview_tells_what_a_sync_does_and_does_nothing() {
    let world = World::new("preview").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let images: Vec<_> = (0..4).map(|_| Image::oci("amd64", &[layer(rand::random(), 500)])).collect();
    for (tag, image) in ["v1", "v2", "latest"].iter().zip(&images) {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    let rule = |patterns: &[&str]| json!({"rule_kind": "tag_glob_csv", "rule_value": patterns});
    world.create_mirror(&proxy.address, json!({"root_rule": rule(&["v*"])})).await;
    let path = world.mirror_path("/preview");
    let preview = async |body: Value| {
        let (status, preview) = world.call(Method::POST, &path, Some(body)).await;
        assert_eq!((status, &preview["failure"]), (200, &Value::Null), "{preview}");
        preview
    };
    let first = preview(json!({})).await;
    assert_eq!(actions(&first), pairs(&[("v1", "copy"), ("v2", "copy"), ("latest", "ignore")]));
    let digest = json!(Digest::sha256(&images[0].manifest));
    let tag = json!({
        "name": "v1", "action": "copy", "reason": "it is new", "matched_by": "v*", "digest": digest, "held_digest": null,
    });
    assert_eq!(first["tags"][0], tag);
    let counts = json!({
        "listed": 3, "selected": 2, "copy": 2, "keep": 0, "delete": 0, "hold": 0, "ignore": 1, "fail": 0, "unknown": 0,
        "deselected": 0, "vanished": 0,
    });
    assert_eq!((&first["counts"], &first["truncated"]), (&counts, &json!(false)));
    let seen = count(&proxy.take_seen());
    assert_eq!(seen.get("GET manifests"), None, "no pull is counted: {seen:?}");
    assert!(world.runs().await.is_empty(), "no run");
    assert_eq!(bucket::check(&world.stack, &world.repository).await, bucket::Held::default());

    assert_eq!(world.sync().await["status"], "SUCCESS");
    let before = (bucket::versions(&world.stack, &world.repository).await, world.mirror().await);
    assert_eq!(actions(&preview(json!({})).await), pairs(&[("latest", "ignore"), ("v1", "keep"), ("v2", "keep")]));
    images[3].push(&upstream, &world.path, "v1").await;
    let other = preview(json!({"root_rule": rule(&["v1", "latest"])})).await;
    assert_eq!(actions(&other), pairs(&[("latest", "copy"), ("v1", "copy"), ("v2", "delete")]));
    assert_eq!(other["tags"][1]["reason"], "it points to another image");
    assert_eq!((&other["tags"][2]["cause"], &other["counts"]["deselected"]), (&json!("deselected"), &json!(1)));
    let held = preview(json!({"root_rule": rule(&["none"]), "deletion_limit": 1})).await;
    assert_eq!(actions(&held), pairs(&[("v1", "hold"), ("v2", "hold"), ("latest", "ignore")]));
    let deleted = preview(json!({"root_rule": rule(&["none"])})).await;
    assert_eq!(actions(&deleted), pairs(&[("v1", "delete"), ("v2", "delete"), ("latest", "ignore")]));
    assert_eq!((bucket::versions(&world.stack, &world.repository).await, world.mirror().await), before);
    world.change_mirror(json!({"root_rule": rule(&["v1", "latest"])})).await;
    let run = world.sync().await;
    let done = |key: &str| run[key].as_u64().unwrap();
    assert_eq!((done("tags_copied"), done("tags_pruned")), (2, 1), "the sync does what was told");

    // One tag that the registry does not answer for, and then a registry that answers nothing.
    for method in ["HEAD", "GET"] {
        proxy.fault(method, "manifests/v1", 10, Fault::Status(404, vec![]));
    }
    let failing = preview(json!({})).await;
    assert_eq!(actions(&failing)[0], ("v1".to_owned(), "fail".to_owned()));
    assert_eq!(failing["tags"][0]["failure"]["reason"], "not_found", "{failing}");
    proxy.fault("GET", "tags/list", 10, Fault::Status(401, vec![]));
    let (status, failed) = world.call(Method::POST, &path, None).await;
    assert_eq!(
        (status, &failed["failure"]["reason"], &failed["tags"]),
        (200, &json!("auth_failed"), &json!([])),
        "{failed}"
    );

    let wrong = world.problem(
        400,
        "invalid_request",
        "validation failed: rule_value for TAG_GLOB_CSV must be a list with at least one rule",
    );
    assert_eq!(world.call(Method::POST, &path, Some(json!({"root_rule": rule(&[])}))).await, wrong);
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    assert_eq!(world.call(Method::POST, &path, Some(json!({"root_rule": rule(&["v1"])}))).await.0, 404, "of what?");
    assert_eq!(world.call(Method::POST, &path, None).await, world.problem(404, "not_found", "Not Found"));
}

#[tokio::test]
async fn a_preview_tells_what_a_mirror_would_do_that_is_not_there_yet() {
    let world = World::new("foresight").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in ["v1", "v2", "latest"] {
        Image::oci("amd64", &[layer(rand::random(), 100)]).push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    proxy.require_token(USER, PASSWORD);
    let path = world.mirror_path("/preview");
    let body = |more: Value| {
        let mut body = json!({
            "external_reference": format!("{}/{}", proxy.address, world.path),
            "external_registry_config": {"verify_tls": false},
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let preview = async |more: Value| world.call(Method::POST, &path, Some(body(more))).await;
    let (status, refused) = preview(json!({})).await;
    assert_eq!((status, &refused["failure"]["reason"]), (200, &json!("auth_failed")), "{refused}");
    let login = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    let (status, all) = preview(login.clone()).await;
    assert_eq!((status, &all["failure"]), (200, &Value::Null), "{all}");
    assert_eq!(actions(&all), pairs(&[("latest", "copy"), ("v1", "copy"), ("v2", "copy")]), "all tags without a rule");
    let mut some = login.clone();
    some["root_rule"] = json!({"rule_kind": "tag_glob_csv", "rule_value": ["v*"]});
    some["robot_username"] = json!(world.robot_name());
    let (_, some) = preview(some).await;
    assert_eq!(actions(&some), pairs(&[("v1", "copy"), ("v2", "copy"), ("latest", "ignore")]));

    // Nothing is left of it, and what is wrong is refused as it is of a mirror.
    assert_eq!(world.call(Method::GET, &world.mirror_path(""), None).await.0, 404);
    for (more, message) in [
        (json!({"external_reference": "10.0.0.1/a"}), "The provided registry location is not allowed"),
        (
            json!({"external_registry_config": {"proxy": {"http_proxy": "http://10.0.0.1:3128"}}}),
            "The provided mirror proxy location is not allowed",
        ),
        (json!({"architecture_filter": ["z80"]}), "Invalid architectures: z80"),
        (json!({"robot_username": "nobody+bot"}), "Could not find robot with specified username"),
    ] {
        let (status, answer) = preview(more).await;
        assert!(status == 400 && answer.to_string().contains(message), "{status} {answer}");
    }
    let token = world.token(Some(&world.namespace), "write").await;
    let sent = async |path: &str, token: &str| {
        world.send(Method::POST, path, Some(token), Some(body(json!({})).to_string().into_bytes())).await.0
    };
    assert_eq!(sent(&path, &token).await, 403, "it takes who may make a mirror");
    let nowhere = format!("repository/{}/nowhere/mirror/preview", world.namespace);
    assert_eq!(sent(&nowhere, &world.stack.token).await, 404);
}

#[tokio::test]
async fn a_preview_of_an_organizations_repository_is_of_its_own_source() {
    let world = World::empty("managed").await;
    whole::push(&world, "app", &["v1"]).await;
    whole::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    whole::sync_now(&world).await;
    whole::wait_for(&world, json!({"SUCCESS": 1})).await;
    let path = format!("repository/{}/mirror/preview", whole::named(&world, "app"));
    let (status, own) = world.call(Method::POST, &path, None).await;
    assert_eq!((status, actions(&own)), (200, pairs(&[("v1", "keep")])));
    let other = json!({"external_reference": format!("{}/elsewhere", world.stack.upstream)});
    let (status, refused) = world.call(Method::POST, &path, Some(other)).await;
    assert!(status == 400 && refused.to_string().contains("cannot be managed"), "{status} {refused}");
}
