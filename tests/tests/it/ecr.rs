//! ECR, which calls no webhooks: what EventBridge says of it reaches the mirrors of what was pushed.

use std::time::Duration;

use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use moorage_domain::task::Task;
use moorage_tests::{
    eventually,
    gate::served,
    image::{Image, layer},
    process::free_port,
    proxy::Proxy,
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// How long a sync may take that an event has begun, with the pause after the one before.
const LIMIT: Duration = Duration::from_secs(60);
/// A registry of ECR, which is reached by a proxy alone here.
const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// Pushes to the stack's registry, which is ECR to those who come by the proxy.
async fn push(world: &World, path: &str, tag: &str) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), path, tag).await;
    image
}

/// What EventBridge says of a push.
fn event(path: &str, tag: &str) -> Value {
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": "123456789012", "time": "2026-11-16T01:54:34Z", "region": "eu-west-1",
        "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": path, "action-type": "PUSH", "image-tag": tag,
            "image-digest": "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234abcd",
        },
    })
}

/// Invokes the sync function as EventBridge does: whoever it is does not wait for an answer.
async fn tell(world: &World, event: &Value) {
    let invoke = aws_sdk_lambda::Client::new(&world.stack.aws).invoke().function_name(&world.stack.sync_function);
    let invoke = invoke.invocation_type(InvocationType::Event).payload(Blob::new(event.to_string()));
    assert_eq!(invoke.send().await.unwrap().status_code, 202);
}

/// How a mirror reaches ECR here.
fn through(proxy: &Proxy) -> Value {
    // Nobody speaks for ECR by https.
    let https = format!("http://127.0.0.1:{}", free_port());
    json!({"http_proxy": format!("http://{}", proxy.address), "https_proxy": https, "no_proxy": null})
}

/// A mirror of a path of ECR, which has not been synced.
async fn mirror(name: &str, reference: &str, proxy: &Proxy) -> World {
    let world = World::new(name).await;
    let config = json!({"verify_tls": false, "proxy": through(proxy)});
    world.create_mirror(reference, json!({"external_reference": reference, "external_registry_config": config})).await;
    world
}

async fn hinted(world: &World) -> Vec<Value> {
    world.runs().await.into_iter().filter(|run| run["trigger"] == "webhook").collect()
}

async fn is_served(world: &World, tag: &str, image: &Image) {
    let what = format!("{tag} of {} moves", world.repository);
    eventually(&what, LIMIT, async || (served(world, tag).await? == image.digest()).then_some(())).await;
}

#[tokio::test]
async fn a_push_reaches_the_mirrors_of_its_repository_and_no_others() {
    let proxy = Proxy::start(&format!("http://{}", World::empty("ecr").await.stack.upstream)).await;
    let path = format!("ecr{:x}/app", rand::random::<u64>());
    let reference = format!("{REGISTRY}/{path}");
    let one = mirror("ecrone", &reference, &proxy).await;
    let two = mirror("ecrtwo", &reference.replace(".dkr.ecr.", ".dkr.ecr-fips."), &proxy).await;
    let elsewhere = mirror("ecrelsewhere", &reference.replace("eu-west-1", "us-east-1"), &proxy).await;
    let disabled = mirror("ecrdisabled", &reference, &proxy).await;
    disabled.change_mirror(json!({"is_enabled": false})).await;
    let moved = mirror("ecrmoved", &format!("{REGISTRY}/{path}/other"), &proxy).await;
    moved.change_mirror(json!({"external_reference": reference})).await;
    let gone = mirror("ecrgone", &reference, &proxy).await;
    assert_eq!(gone.call(Method::DELETE, &gone.mirror_path(""), None).await.0, 204);

    let partition = format!("ECR#123456789012/eu-west-1/{path}");
    let entered = async |world: &World| {
        let key = table::Key(partition.clone(), format!("REPOSITORY#{}", world.repository));
        table::is_there(&world.stack, &key).await
    };
    for (world, is_entered) in
        [(&one, true), (&two, true), (&elsewhere, false), (&disabled, true), (&moved, true), (&gone, false)]
    {
        assert_eq!(entered(world).await, is_entered, "{}", world.repository);
    }

    // As an earlier release has left it.
    table::delete(&one.stack, &table::Key(partition.clone(), format!("REPOSITORY#{}", two.repository))).await;
    one.task(&Task::Reconcile { invocation: 0, after: None }).await;
    assert!(entered(&two).await);

    let (image, _) = (push(&one, &path, "v1").await, push(&one, &path, "v2").await);
    // Twice, as EventBridge may.
    tell(&one, &event(&path, "v1")).await;
    tell(&one, &event(&path, "v1")).await;
    for world in [&one, &two, &moved] {
        is_served(world, "v1", &image).await;
        let run = eventually("the run ends", LIMIT, async || {
            hinted(world).await.into_iter().find(|run| run["status"] != "SYNCING")
        })
        .await;
        assert_eq!((&run["status"], &run["hinted"]), (&json!("SUCCESS"), &json!(["v1"])), "{run}");
        assert_eq!(served(world, "v2").await, None, "nobody has told of it");
    }
    for world in [&elsewhere, &disabled] {
        assert!(world.runs().await.is_empty(), "{}", world.repository);
    }
    // Nobody was given an address, and whoever asks for one has only that.
    let path_of = one.mirror_path("/webhook");
    assert_eq!(one.call(Method::GET, &path_of, None).await.0, 404);
    assert_eq!(one.call(Method::DELETE, &path_of, None).await.0, 404);
    let (status, made) = one.call(Method::POST, &path_of, Some(json!({}))).await;
    assert_eq!((status, &made["previous_is_valid"]), (201, &json!(false)), "{made}");
    let moved_again = push(&one, &path, "v1").await;
    tell(&one, &event(&path, "v1")).await;
    is_served(&one, "v1", &moved_again).await;

    moved.change_mirror(json!({"external_reference": format!("{REGISTRY}/{path}/other")})).await;
    assert_eq!(one.call(Method::DELETE, &format!("repository/{}", one.repository), None).await.0, 204);
    for (world, is_entered) in [(&one, false), (&moved, false), (&two, true)] {
        assert_eq!(entered(world).await, is_entered, "{}", world.repository);
    }
}

#[tokio::test]
async fn what_eventbridge_says_of_anything_else_changes_nothing() {
    let proxy = Proxy::start(&format!("http://{}", World::empty("ecr").await.stack.upstream)).await;
    let path = format!("ecr{:x}/app", rand::random::<u64>());
    let world = mirror("ecrelse", &format!("{REGISTRY}/{path}"), &proxy).await;
    let image = push(&world, &path, "v1").await;
    for (field, value) in [("action-type", json!("DELETE")), ("result", json!("FAILURE")), ("image-tag", Value::Null)] {
        let mut other = event(&path, "v1");
        other["detail"][field] = value;
        tell(&world, &other).await;
    }
    tell(&world, &event(&format!("{path}/other"), "v1")).await;
    tell(&world, &event(&path, "v1")).await;
    is_served(&world, "v1", &image).await;
    assert_eq!(hinted(&world).await.len(), 1);
}

/// The emulator takes no events in AWS's name, as AWS does not: so the rule's pattern is tried, and its target.
#[tokio::test]
async fn the_rule_is_for_pushes_and_invokes_the_sync_function() {
    let world = World::empty("ecrrule").await;
    let events = aws_sdk_eventbridge::Client::new(&world.stack.aws);
    let function = aws_sdk_lambda::Client::new(&world.stack.aws).get_function();
    let function = function.function_name(&world.stack.sync_function).send().await.unwrap();
    let arn = function.configuration.unwrap().function_arn.unwrap();
    let rules = events.list_rule_names_by_target().target_arn(&arn).send().await.unwrap().rule_names.unwrap();
    let [rule] = rules.as_slice() else { panic!("{rules:?}") };
    let rule = events.describe_rule().name(rule).send().await.unwrap();
    let pattern = rule.event_pattern.unwrap();
    let matches = async |event: Value| {
        let test = events.test_event_pattern().event_pattern(&pattern).event(event.to_string());
        test.send().await.unwrap().result
    };
    assert!(matches(event("acme/app", "v1")).await);
    for (field, value) in [
        ("/source", "aws.ecs"),
        ("/detail-type", "ECR Image Scan"),
        ("/detail/action-type", "DELETE"),
        ("/detail/result", "FAILURE"),
    ] {
        let mut other = event("acme/app", "v1");
        *other.pointer_mut(field).unwrap() = json!(value);
        assert!(!matches(other).await, "{field} {value}");
    }
}
