//! Webhooks that come in: whoever pushes says which tags have moved, and the mirror asks its registry for them.

mod again;

use std::{collections::BTreeSet, time::Duration};

use aws_lc_rs::hmac;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use moorage_domain::{
    Digest,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    eventually,
    gate::{holds, served},
    http,
    image::{Image, delete, layer},
    logs,
    registry::Registry,
    table,
    world::{World, outcome},
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// How long a sync may take that a webhook has begun, with the pause after the one before.
const LIMIT: Duration = Duration::from_secs(60);

/// A webhook as it was made.
struct Hook {
    /// Its address, below the API's.
    path: String,
    secret: String,
}

impl Hook {
    async fn make(world: &World, body: Value) -> Self {
        let (status, made) = world.call(Method::POST, &world.mirror_path("/webhook"), Some(body)).await;
        assert_eq!(status, 201, "{made}");
        let path = made["url"].as_str().unwrap().split_once("/api/v1/").unwrap().1.to_owned();
        Self { path, secret: made["secret"].as_str().unwrap().to_owned() }
    }

    async fn send(&self, world: &World, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let request = http().post(format!("{}/api/v1/{}", world.stack.url, self.path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(body).send().await.unwrap()
    }

    async fn call(&self, world: &World, body: Value) -> (u16, Value) {
        let answer = self.send(world, &[("content-type", "application/json")], body.to_string().into_bytes()).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn signature(&self, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        format!("sha256={}", hex::encode(hmac::sign(&key, body)))
    }
}

async fn push(world: &World, tag: &str) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image
}

/// A mirror of what is pushed, synced once, with a webhook.
async fn mirrored(name: &str, tags: &[&str], changes: Value) -> (World, Hook) {
    let world = World::new(name).await;
    for tag in tags {
        push(&world, tag).await;
    }
    world.create_mirror(&world.stack.upstream, changes).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let hook = Hook::make(&world, json!({})).await;
    (world, hook)
}

async fn is_served(world: &World, tag: &str, image: &Image) {
    let what = format!("{tag} of {} moves", world.repository);
    eventually(&what, LIMIT, async || (served(world, tag).await? == image.digest()).then_some(())).await;
}

/// The runs that webhooks have begun, newest first, once they have ended.
async fn runs(world: &World, least: usize) -> Vec<Value> {
    eventually("runs by webhooks end", LIMIT, async || {
        let runs: Vec<_> = world.runs().await.into_iter().filter(|run| run["trigger"] == "webhook").collect();
        let is_over = runs.len() >= least && runs.iter().all(|run| run["status"] != "SYNCING");
        is_over.then_some(runs)
    })
    .await
}

/// Lets the pause after the last sync be over.
async fn skip_the_pause(world: &World) {
    let key = table::Key(format!("REPO#{}", world.repository), "WEBHOOK".to_owned());
    table::set(&world.stack, &key, [("taken_at", table::number(0))]).await;
}

#[tokio::test]
async fn each_sender_begins_a_sync_of_just_its_tags() {
    let (world, hook) = mirrored("senders", &["v1", "v2"], json!({})).await;
    let before = world.mirror().await;
    let path = world.path.as_str();
    let digest = Digest::sha256(b"whatever a sender says");
    let event = json!({"action": "push", "target": {"repository": path, "tag": "v1", "digest": digest}});
    let github = json!({
        "action": "published", "repository": {"full_name": "acme/app"},
        "registry_package": {
            "name": "app", "namespace": world.namespace, "package_type": "CONTAINER",
            "package_version": {"version": digest, "container_metadata": {"tag": {"name": "v1", "digest": digest}}},
        },
    });
    let harbor = json!({
        "type": "PUSH_ARTIFACT",
        "event_data": {
            "resources": [{"digest": digest, "tag": "v1"}],
            "repository": {"name": "app", "namespace": world.namespace, "repo_full_name": path},
        },
    });
    let bodies = [
        ("Docker Hub", json!({"push_data": {"tag": "v1"}, "repository": {"repo_name": path}})),
        ("Quay", json!({"docker_url": format!("quay.io/{path}"), "updated_tags": ["v1"]})),
        ("Harbor", harbor),
        ("GitHub", github),
        ("ACR", json!({"action": "push", "target": {"repository": path, "tag": "v1", "digest": digest}})),
        ("a registry", json!({"events": [event]})),
        ("anybody", json!({"tags": ["v1"]})),
    ];
    let untouched = served(&world, "v2").await;
    for (number, (sender, body)) in bodies.into_iter().enumerate() {
        skip_the_pause(&world).await;
        let (image, _) = (push(&world, "v1").await, push(&world, "v2").await);
        assert_eq!(hook.call(&world, body).await, (202, json!({"tags": 1})), "{sender}");
        is_served(&world, "v1", &image).await;
        let run = &runs(&world, number + 1).await[0];
        assert_eq!(
            (&run["status"], &run["hinted"], &run["tags_total"], &run["tags_copied"], &run["tags_pruned"]),
            (&json!("SUCCESS"), &json!(["v1"]), &json!(1), &json!(1), &json!(0)),
            "{sender}: {run}"
        );
        assert_eq!(served(&world, "v2").await, untouched, "{sender} has not named it");
    }
    let after = world.mirror().await;
    for field in ["sync_status", "sync_start_date", "sync_retries_remaining", "sync_warning"] {
        assert_eq!(after[field], before[field], "{field} says of the whole mirror");
    }
    let (status, shown) = world.call(Method::GET, &world.mirror_path("/webhook"), None).await;
    assert_eq!((status, &shown["last_delivery"]["outcome"]), (200, &json!("accepted")));
    assert!(!shown.to_string().contains(&hook.secret) && shown.get("url").is_none(), "{shown}");
}

#[tokio::test]
async fn what_lies_or_is_of_others_changes_nothing() {
    let changes = json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}});
    let (world, hook) = mirrored("liars", &["v1", "v2"], changes).await;
    let was = [served(&world, "v1").await, served(&world, "v2").await];
    let ignored = async |body: Value| {
        let (status, said) = hook.call(&world, body).await;
        assert_eq!((status, said.get("tags")), (202, None), "{said}");
        assert!(said["ignored"].is_string(), "{said}");
    };
    ignored(json!({"tags": ["v1"], "repository": "somebody/else"})).await;
    ignored(json!({"tags": []})).await;
    ignored(json!({"action": "ping"})).await;
    for (body, status) in [(json!({"tags": "v1"}), 400), (json!({"hello": 1}), 400)] {
        assert_eq!(hook.call(&world, body).await.0, status);
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(hook.send(&world, &form, b"payload={}".to_vec()).await.status(), 400);
    assert!(world.runs().await.iter().all(|run| run["trigger"] != "webhook"));

    // A tag that the rule does not select, one that has not moved whatever digest is named, and one that is gone.
    push(&world, "edge").await;
    let lost = was[1].clone().unwrap();
    delete(&format!("http://{}", world.stack.upstream), &world.path, &lost).await;
    let target = |tag: &str| {
        let digest = Digest::sha256(b"another image");
        json!({"action": "push", "target": {"repository": world.path, "tag": tag, "digest": digest}})
    };
    let events = json!({"events": [target("edge"), target("v1"), target("v2"), target("v9")]});
    assert_eq!(hook.call(&world, events).await, (202, json!({"tags": 4})));
    let run = runs(&world, 1).await.remove(0);
    let (_, run) =
        world.call(Method::GET, &world.mirror_path(&format!("/runs/{}", run["run_id"].as_str().unwrap())), None).await;
    assert_eq!((&run["status"], &run["tags_pruned"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0), &json!(0)));
    assert_eq!(outcome(&run, "v1")["outcome"], "unchanged");
    assert_eq!(
        [&outcome(&run, "v2")["outcome"], &outcome(&run, "v9")["outcome"]],
        [&json!("skipped"), &json!("skipped")]
    );
    assert_eq!(
        [served(&world, "v1").await, served(&world, "v2").await],
        was,
        "nothing is concluded and nothing deleted"
    );
    assert_eq!(served(&world, "edge").await, None);

    world.change_mirror(json!({"is_enabled": false})).await;
    ignored(json!({"tags": ["v1"]})).await;
}

#[tokio::test]
async fn ids_are_found_or_not_and_two_are_valid_while_rotating() {
    let (world, first) = mirrored("rotation", &["v1"], json!({})).await;
    let nothing = json!({"tags": []});
    let answer = async |hook: &Hook| hook.call(&world, nothing.clone()).await;
    let of = |path: String| Hook { path, secret: String::new() };
    let unknown = answer(&of(format!("webhooks/{}", "A".repeat(43)))).await;
    assert_eq!(unknown, world.problem(404, "not_found", "Not Found"));
    for garbled in ["x".to_owned(), "A".repeat(44), format!("{}%2F", "A".repeat(42))] {
        assert_eq!(answer(&of(format!("webhooks/{garbled}"))).await, unknown, "{garbled}");
    }
    let path = world.mirror_path("/webhook");
    let second = Hook::make(&world, json!({})).await;
    let valid = async |hooks: &[&Hook]| {
        let mut found = Vec::new();
        for hook in hooks {
            found.push(answer(hook).await.0);
        }
        found
    };
    assert_eq!(valid(&[&first, &second]).await, [202, 202]);
    assert_ne!(first.secret, second.secret);
    let third = Hook::make(&world, json!({})).await;
    assert_eq!(valid(&[&first, &second, &third]).await, [404, 202, 202]);
    assert_eq!(answer(&first).await, unknown);
    assert_eq!(world.call(Method::DELETE, &format!("{path}?previous=true"), None).await.0, 204);
    assert_eq!(world.call(Method::DELETE, &format!("{path}?previous=true"), None).await.0, 404);
    assert_eq!(valid(&[&second, &third]).await, [404, 202]);
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!((answer(&third).await, world.call(Method::GET, &path, None).await.0), (unknown.clone(), 404));

    // One that is left ends with its mirror, and a new mirror does not have it.
    let fourth = Hook::make(&world, json!({})).await;
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    assert_eq!(answer(&fourth).await, unknown);
    assert_eq!(world.call(Method::POST, &path, Some(json!({}))).await.0, 404, "there is no mirror");
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!((answer(&fourth).await, world.call(Method::GET, &path, None).await.0), (unknown, 404));

    let reader = world.token(Some(&world.namespace), "write").await;
    for method in [Method::GET, Method::POST, Method::DELETE] {
        assert_eq!(world.send(method, &path, Some(&reader), None).await.0, 403);
    }
    let name = &world.stack.api_function;
    for hook in [&first, &second, &third, &fourth] {
        let id = hook.path.strip_prefix("webhooks/").unwrap();
        assert!(logs::lines(&world.stack, name, id).await.is_empty(), "no log has an id");
        assert!(logs::lines(&world.stack, name, &hook.secret).await.is_empty(), "nor a secret");
    }
    assert!(!logs::lines(&world.stack, name, "webhooks/{id}").await.is_empty(), "deliveries are logged");
    let kinds: BTreeSet<_> = world.log().await.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
    assert!(kinds.contains("create_repo_mirror_webhook") && kinds.contains("delete_repo_mirror_webhook"), "{kinds:?}");
}

#[tokio::test]
async fn a_signature_is_right_or_the_delivery_refused() {
    let (world, any) = mirrored("signed", &["v1"], json!({})).await;
    let strict = Hook::make(&world, json!({"require_signature": true})).await;
    let body = json!({"tags": []}).to_string().into_bytes();
    for (hook, unsigned) in [(&any, 202), (&strict, 403)] {
        let right = hook.signature(&body);
        let another = hook.signature(b"another body");
        for (signature, status) in
            [(Some(right), 202), (Some(another), 403), (Some("sha256=00".into()), 403), (None, unsigned)]
        {
            let signed = signature.iter().map(|it: &String| ("x-hub-signature-256", it.as_str()));
            let headers: Vec<_> = std::iter::once(("content-type", "application/json")).chain(signed).collect();
            assert_eq!(hook.send(&world, &headers, body.clone()).await.status(), status, "{signature:?}");
        }
    }
    let swapped = any.signature(&body);
    let headers = [("content-type", "application/json"), ("x-hub-signature-256", swapped.as_str())];
    assert_eq!(strict.send(&world, &headers, body).await.status(), 403, "the secret is another one's");
}

#[tokio::test]
async fn too_many_and_too_large_deliveries_are_refused() {
    let (world, hook) = mirrored("flood", &["v1"], json!({})).await;
    let large = |size: usize| {
        let mut body = json!({"tags": [], "padding": ""}).to_string();
        body.insert_str(body.len() - 2, &"x".repeat(size - body.len()));
        body.into_bytes()
    };
    let json_type = [("content-type", "application/json")];
    assert_eq!(hook.send(&world, &json_type, large(256 * 1024)).await.status(), 202);
    assert_eq!(hook.send(&world, &json_type, large(256 * 1024 + 1)).await.status(), 413);
    // The minute may end meanwhile, once.
    let (mut taken, mut most) = (1, 0);
    for _ in 0..125 {
        let answer = hook.send(&world, &json_type, b"{\"tags\": []}".to_vec()).await;
        if answer.status() == 429 {
            let after: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&after), "{after}");
            most = taken;
            break;
        }
        assert_eq!(answer.status(), 202);
        taken += 1;
    }
    assert!(most >= 60, "{taken} were taken, and no more refused");
}

#[tokio::test]
async fn many_deliveries_are_few_syncs_and_none_is_lost() {
    let tags: Vec<_> = (0..20).map(|number| format!("t{number}")).collect();
    let (world, hook) = mirrored("burst", &["v1"], json!({})).await;
    let images = join_all(tags.iter().map(|tag| push(&world, tag))).await;
    let calls = join_all(tags.iter().map(|tag| hook.call(&world, json!({"tags": [tag]})))).await;
    assert!(calls.iter().all(|(status, _)| *status == 202), "{calls:?}");
    for (tag, image) in tags.iter().zip(&images) {
        is_served(&world, tag, image).await;
    }
    let runs = runs(&world, 1).await;
    assert!(runs.len() <= 3, "{} syncs", runs.len());

    // One that comes while another sync runs has its turn.
    let image = push(&world, "v1").await;
    world.sync_now().await;
    assert_eq!(hook.call(&world, json!({"tags": ["v1"]})).await.0, 202);
    is_served(&world, "v1", &image).await;
    let more = self::runs(&world, runs.len() + 1).await;
    assert_eq!(more[0]["hinted"], json!(["v1"]));
}

#[tokio::test]
async fn the_gate_is_asked_and_signatures_follow_their_images() {
    let (world, hook) = mirrored("guarded", &["v1"], json!({})).await;
    let image = push(&world, "v1").await;
    assert_eq!(hook.call(&world, json!({"tags": ["v1"]})).await.0, 202);
    is_served(&world, "v1", &image).await;
    // Cosign pushes what it has signed by itself, and no rule has to name it.
    let signature = format!("sha256-{}.sig", image.digest().hex());
    world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}})).await;
    let signed = push(&world, &signature).await;
    skip_the_pause(&world).await;
    assert_eq!(hook.call(&world, json!({"tags": [signature]})).await.0, 202);
    is_served(&world, &signature, &signed).await;

    world.change_mirror(json!({"min_age": {"mode": "enforce", "seconds": 86_400}})).await;
    runs(&world, 2).await;
    push(&world, "v1").await;
    skip_the_pause(&world).await;
    assert_eq!(hook.call(&world, json!({"tags": ["v1"]})).await.0, 202);
    let run = runs(&world, 3).await.remove(0);
    assert_eq!(
        (&run["status"], &run["tags_held"], &run["tags_copied"]),
        (&json!("SUCCESS"), &json!(1), &json!(0)),
        "{run}"
    );
    assert_eq!(holds(&world).await.len(), 1);
    assert_eq!(served(&world, "v1").await, Some(image.digest()), "what was there stays");
}

#[tokio::test]
async fn a_registry_tells_of_its_pushes_itself() {
    let (world, hook) = mirrored("telling", &["v1"], json!({})).await;
    let registry = Registry::that_tells(&format!("{}/api/v1/{}", world.stack.url, hook.path));
    let reference = format!("{}/{}", registry.address, world.path);
    world.change_mirror(json!({"external_reference": reference})).await;
    for tag in ["v1", "v2"] {
        let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
        image.push(&registry.url, &world.path, tag).await;
        is_served(&world, tag, &image).await;
    }
    assert_eq!(runs(&world, 2).await[0]["hinted"], json!(["v2"]));
}

#[tokio::test]
async fn what_waits_for_an_invocation_that_does_not_come_is_found() {
    let (world, _) = mirrored("lost", &["v1"], json!({})).await;
    let image = push(&world, "v1").await;
    // As a delivery leaves it whose function was killed before it asked for a sync.
    let map = |name: &str, value| AttributeValue::M([(name.to_owned(), value)].into());
    let tags = map("only", AttributeValue::L(vec![table::text("v1")]));
    let key = table::Key(format!("REPO#{}", world.repository), "WEBHOOK".to_owned());
    let left = [("pending", map("tags", tags)), ("asked_at", table::number(0)), ("active", table::text("WEBHOOKS"))];
    table::set(&world.stack, &key, left).await;
    let TaskAnswer::Watched { restarted } = world.task(&Task::Watch {}).await else { panic!() };
    assert!(restarted >= 1, "{restarted}");
    is_served(&world, "v1", &image).await;
    assert_eq!(runs(&world, 1).await[0]["hinted"], json!(["v1"]));
}
