//! Tags that a sync has changed in the bucket, and had no time to record: the registry, or the rule, goes back to what the
//! table says, and nothing else tells the next sync that something is to be done.

use moorage_domain::Digest;
use moorage_tests::{
    aws::{
        self, Plan,
        fault::{Fault, Refusal},
        request::{Request, Service},
    },
    bucket,
    function::Outcome,
    image::{Image, layer},
    registry::Registry,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{PATIENT, Scene};

fn is_tag(request: &Request, method: &str, tag: &str) -> bool {
    let is_current = request.target.contains(&format!("/tags/{tag}/current/"));
    request.service == Service::S3 && request.operation.starts_with(method) && is_current
}

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 900)])
}

/// The tags that the bucket has.
async fn tags(scene: &Scene) -> Vec<(String, Digest)> {
    bucket::check(scene.stack(), &scene.world.repository).await.tags.into_iter().collect()
}

fn rule(tags: &[&str]) -> Value {
    json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": tags}})
}

/// A mirror of a tag, and then another image under that tag: what is held, and what is to come.
async fn moved(name: &str) -> (World, Registry, [Image; 2]) {
    let (world, upstream) = (World::new(name).await, Registry::plain());
    let [before, after] = [image(), image()];
    before.push(&upstream.url, &world.path, "v1").await;
    world.create_mirror(&upstream.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    after.push(&upstream.url, &world.path, "v1").await;
    (world, upstream, [before, after])
}

/// Runs a sync under a plan.
async fn troubled(scene: &Scene, plan: Plan) -> Outcome {
    scene.world.sync_now().await;
    let (function, event) = scene.lab.take_event().expect("Sync Now starts a sync");
    scene.lab.invoke(&function, &event, plan).await.outcome
}

/// The run that was broken off goes on, and the next one sees what is wanted by now.
async fn synced_again(scene: &Scene) {
    scene.minutes_pass().await;
    scene.watch().await;
    scene.settled().await;
    scene.sync().await;
}

/// What the next syncs make of it once the registry has gone back, so many of which look at the bucket's tags.
async fn after_going_back(scene: &Scene, upstream: &Registry, [before, after]: &[Image; 2], looks: usize) {
    assert_eq!(tags(scene).await, [("v1".to_owned(), after.digest())], "it was published");
    before.push(&upstream.url, &scene.world.path, "v1").await;
    let lists = || scene.lab.asked().iter().filter(|it| it.operation == "GET list-type").count();
    let begun = lists();
    synced_again(scene).await;
    assert_eq!(tags(scene).await, [("v1".to_owned(), before.digest())]);
    assert_eq!(lists() - begun, looks);
    scene.sync().await;
    assert_eq!(lists() - begun, looks, "nobody looks any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_sync_has_published_goes_back_with_the_registry() {
    let (world, upstream, images) = moved("unsettled-killed").await;
    let scene = Scene::of(&world, PATIENT).await;
    let killed = troubled(&scene, aws::first(Fault::KillAfter, |it| is_tag(it, "PUT", "v1"))).await;
    assert_eq!(killed, Outcome::Killed);
    after_going_back(&scene, &upstream, &images, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_table_does_not_take_goes_back_with_the_registry() {
    let (world, upstream, images) = moved("unsettled-refused").await;
    let scene = Scene::of(&world, PATIENT).await;
    let is_published = std::sync::atomic::AtomicBool::new(false);
    let plan: Plan = Box::new(move |request| {
        use std::sync::atomic::Ordering::SeqCst;
        let is_after = is_published.fetch_or(is_tag(request, "PUT", "v1"), SeqCst);
        let is_record = request.service == Service::DynamoDb && request.operation == "TransactWriteItems";
        if is_after && is_record { Fault::Refuse(Refusal::Internal) } else { Fault::None }
    });
    let answered = troubled(&scene, plan).await;
    assert!(!matches!(answered, Outcome::Killed), "{answered:?}");
    // The run that goes on keeps that it had failed, and leaves it to the next one.
    after_going_back(&scene, &upstream, &images, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cancelled_sync_has_published_goes_back_with_the_registry() {
    let (world, upstream, images) = moved("unsettled-cancelled").await;
    let scene = Scene::of(&world, PATIENT).await;
    scene.world.sync_now().await;
    let (function, event) = scene.lab.take_event().expect("Sync Now starts a sync");
    let plan = aws::first(Fault::FreezeAfter, |it| is_tag(it, "PUT", "v1"));
    let frozen = scene.lab.begin(&function, &event, plan, super::scene::MINUTES).await;
    assert!(frozen.is_frozen().await);
    let cancelled = scene.world.call(Method::POST, &scene.world.mirror_path("/sync-cancel"), None).await;
    assert_eq!(cancelled.0, 204, "{cancelled:?}");
    frozen.thaw();
    let ended = frozen.end().await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{}", ended.log);
    after_going_back(&scene, &upstream, &images, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_was_being_deleted_comes_back_with_the_rule() {
    let (world, upstream, [_, now]) = moved("unsettled-deleted").await;
    let other = image();
    other.push(&upstream.url, &world.path, "v2").await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    world.change_mirror(rule(&["v1"])).await;
    let scene = Scene::of(&world, PATIENT).await;
    let killed = troubled(&scene, aws::first(Fault::KillAfter, |it| is_tag(it, "DELETE", "v2"))).await;
    assert_eq!(killed, Outcome::Killed);
    scene.world.change_mirror(rule(&["*"])).await;
    synced_again(&scene).await;
    assert_eq!(tags(&scene).await, [("v1".to_owned(), now.digest()), ("v2".to_owned(), other.digest())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_nobody_has_recorded_goes_with_the_rule() {
    let (world, upstream, [_, now]) = moved("unsettled-new").await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    image().push(&upstream.url, &world.path, "v2").await;
    let scene = Scene::of(&world, PATIENT).await;
    let killed = troubled(&scene, aws::first(Fault::KillAfter, |it| is_tag(it, "PUT", "v2"))).await;
    assert_eq!(killed, Outcome::Killed);
    scene.world.change_mirror(rule(&["v1"])).await;
    synced_again(&scene).await;
    assert_eq!(tags(&scene).await, [("v1".to_owned(), now.digest())]);
}
