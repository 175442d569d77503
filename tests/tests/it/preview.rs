//! What a sync would do, told before it does it.

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{Image, layer},
    proxy::{Fault, Proxy, count},
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
    assert_eq!(world.call(Method::POST, &path, None).await, world.problem(404, "not_found", "Not Found"));
}
