//! What a webhook told of, and one sync could not get: it is asked for again, and what was refused is let in.

use moorage_tests::{
    gate::served,
    image::Image,
    proxy::{Fault, Proxy},
    signing::{SigningKey, simple_tag},
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Hook, is_served, mirrored, push, runs, skip_the_pause};

/// Until the test lets it be.
const ALWAYS: usize = 1_000_000;
/// What signers call the repository.
const NAME: &str = "registry.example.com/library/app";

async fn run(world: &World, least: usize) -> Value {
    let run = runs(world, least).await.remove(0);
    world.call(Method::GET, &world.mirror_path(&format!("/runs/{}", run["run_id"].as_str().unwrap())), None).await.1
}

#[tokio::test]
async fn what_the_registry_could_not_give_or_did_not_show_yet_is_asked_for_again() {
    let (world, hook) = mirrored("again", &["v1"], json!({})).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    world.change_mirror(json!({"external_reference": format!("{}/{}", proxy.address, world.path)})).await;

    // It was pushed, and another server of the registry does not know of it yet.
    assert_eq!(hook.call(&world, json!({"tags": ["v2"]})).await.0, 202);
    let early = run(&world, 1).await;
    let tag = outcome(&early, "v2");
    assert_eq!(
        (&early["status"], &tag["outcome"], &tag["cause"]),
        (&json!("SUCCESS"), &json!("skipped"), &json!("vanished"))
    );
    let image = push(&world, "v2").await;
    is_served(&world, "v2", &image).await;

    // It is down for a moment.
    skip_the_pause(&world).await;
    let before = runs(&world, 2).await.len();
    let image = push(&world, "v1").await;
    for method in ["HEAD", "GET"] {
        proxy.fault(method, "manifests/v1", ALWAYS, Fault::Status(503, vec![]));
    }
    assert_eq!(hook.call(&world, json!({"tags": ["v1"]})).await.0, 202);
    let failed = run(&world, before + 1).await;
    assert_eq!(
        (&failed["status"], &failed["failure"]["reason"]),
        (&json!("FAIL"), &json!("registry_error")),
        "{failed}"
    );
    proxy.heal();
    is_served(&world, "v1", &image).await;
    let last = run(&world, before + 2).await;
    assert_eq!(
        (&last["status"], &last["hinted"], &last["trigger"]),
        (&json!("SUCCESS"), &json!(["v1"]), &json!("webhook"))
    );
}

#[tokio::test]
async fn a_signature_lets_in_the_image_that_was_refused_before_it_came() {
    let (world, hook) = mirrored("signed-later", &["v1"], json!({})).await;
    let key = SigningKey::generate();
    world.change_mirror(json!({"signature_policy": key.policy("enforce")})).await;
    let is_let_in = async |tag: &str, image: &Image| {
        assert_eq!(served(&world, tag).await, None, "{tag} is not signed");
        let signature = simple_tag(&image.digest());
        let upstream = format!("http://{}", world.stack.upstream);
        key.simple(&image.digest(), NAME).push(&upstream, &world.path, &signature).await;
        skip_the_pause(&world).await;
        assert_eq!(hook.call(&world, json!({"tags": [signature]})).await.0, 202);
        is_served(&world, tag, image).await;
        assert!(served(&world, &signature).await.is_some(), "whoever pulls {tag} can verify it");
    };
    // By a hint, whether the rule names what is attached to images or not; and by a sync of all tags.
    for (number, (tag, rule)) in [("v2", "*"), ("v3", "v*")].into_iter().enumerate() {
        world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": [rule]}})).await;
        let image = push(&world, tag).await;
        skip_the_pause(&world).await;
        assert_eq!(hook.call(&world, json!({"tags": [tag]})).await.0, 202);
        let refused = run(&world, 2 * number + 1).await;
        assert_eq!(outcome(&refused, tag)["outcome"], "refused", "{refused}");
        is_let_in(tag, &image).await;
        assert_eq!(runs(&world, 2 * number + 2).await[0]["status"], "SUCCESS");
    }
    let image = push(&world, "v4").await;
    assert_eq!(world.sync().await["failure"]["reason"], "signature_refused");
    is_let_in("v4", &image).await;
}

#[tokio::test]
async fn another_address_is_as_strict_as_the_one_before() {
    let (world, _) = mirrored("strict", &["v1"], json!({})).await;
    let path = world.mirror_path("/webhook");
    let make = async |body: Value| world.call(Method::POST, &path, Some(body)).await;
    let strict = json!({"require_signature": true});
    for (body, expected) in [(strict, true), (json!({}), true), (json!({"require_signature": false}), false)] {
        let (status, answer) = make(body).await;
        assert_eq!((status, &answer["require_signature"]), (201, &json!(expected)));
        let (_, shown) = world.call(Method::GET, &path, None).await;
        assert_eq!(shown["require_signature"], expected);
    }
    let before = world.call(Method::GET, &path, None).await.1["created"].clone();
    let (status, said) = make(json!({"require_signatures": true})).await;
    assert_eq!(status, 400);
    assert!(said.to_string().contains("require_signatures"), "{said}");
    assert_eq!(world.call(Method::GET, &path, None).await.1["created"], before, "nothing was made");
    let loose = Hook::make(&world, json!({})).await;
    assert_eq!(loose.call(&world, json!({"tags": []})).await.0, 202);
}

/// Before, it looked no further back than that run, which had asked for nothing.
#[tokio::test]
async fn a_signature_finds_what_was_refused_before_a_sync_that_came_to_nothing() {
    let (world, hook) = mirrored("signed-after-failure", &["v1"], json!({})).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let key = SigningKey::generate();
    let reference = format!("{}/{}", proxy.address, world.path);
    let rule = json!({"rule_kind": "tag_glob_csv", "rule_value": ["v*"]});
    let policy = key.policy("enforce");
    world.change_mirror(json!({"external_reference": reference, "root_rule": rule, "signature_policy": policy})).await;
    let image = push(&world, "v2").await;
    assert_eq!(hook.call(&world, json!({"tags": ["v2"]})).await.0, 202);
    let refused = run(&world, 1).await;
    assert_eq!(outcome(&refused, "v2")["outcome"], "refused", "{refused}");

    proxy.fault("GET", "tags/list", ALWAYS, Fault::Status(403, vec![]));
    let failed = world.sync().await;
    assert_eq!((&failed["status"], &failed["tags_total"]), (&json!("FAIL"), &json!(0)), "{failed}");
    let signature = simple_tag(&image.digest());
    key.simple(&image.digest(), NAME).push(&format!("http://{}", world.stack.upstream), &world.path, &signature).await;
    skip_the_pause(&world).await;
    assert_eq!(hook.call(&world, json!({"tags": [signature]})).await.0, 202);
    is_served(&world, "v2", &image).await;
}
