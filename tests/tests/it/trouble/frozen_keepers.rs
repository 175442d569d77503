//! Who has a repository to themselves, or a blob's sentence, and is frozen until that is over: when they go on, they delete
//! nothing that others have made since.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::join_all};
use moorage_domain::{Digest, task::Task};
use moorage_tests::{
    aws::{self, fault::Fault, request::Request, request::Service},
    bucket,
    image::{Image, layer},
    lab::running::Running,
    registry::Registry,
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::json;

use super::scene::{PATIENT, Scene};

/// How long they are frozen: until half of a lock is over, by the wall clock, which nobody can move. In the second half
/// they begin nothing.
const FROZEN: Duration = Duration::from_secs(32);
/// How long an invocation may take, with the time that it is frozen for.
const WITHIN: Duration = Duration::from_secs(180);
/// Past the grace of content, by the bucket's clock.
const GRACE: Duration = Duration::from_millis(2_100);

/// Lets whoever was frozen at `since` go on when it is time.
async fn thaw(frozen: Running, since: Instant) {
    tokio::time::sleep(FROZEN.saturating_sub(since.elapsed())).await;
    frozen.thaw();
    frozen.answer().await;
}

fn deletes_links(request: &Request) -> bool {
    request.service == Service::S3 && request.operation == "POST delete"
}

/// A mirror of `v1`, and what `v2` needs besides, which the mirror leaves out.
async fn mirror(name: &str) -> (World, Registry, Vec<u8>) {
    let (world, upstream, layer_of_v2) = (World::new(name).await, Registry::plain(), layer(rand::random(), 900));
    Image::oci("amd64", &[layer(rand::random(), 900)]).push(&upstream.url, &world.path, "v1").await;
    Image::oci("amd64", std::slice::from_ref(&layer_of_v2)).push(&upstream.url, &world.path, "v2").await;
    world
        .create_mirror(&upstream.address, json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v1"]}}))
        .await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    (world, upstream, layer_of_v2)
}

async fn want_all(scene: &Scene) {
    scene.world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}})).await;
}

/// A collector that is about to take a link away that no tag needs.
async fn a_collector_takes_no_link_away_that_is_needed_by_now() {
    let (world, _upstream, needless) = mirror("frozen-links").await;
    let scene = Scene::of(&world, PATIENT).await;
    seed::blob(scene.stack(), &world.repository, needless).await;
    tokio::time::sleep(GRACE).await;
    scene.minutes_pass().await;
    let plan = aws::first(Fault::FreezeBefore, deletes_links);
    let (function, since) = (scene.stack().gc_function.clone(), Instant::now());
    let frozen = scene.lab.begin(&function, &json!({"force": true}), plan, WITHIN).await;
    assert!(frozen.is_frozen().await, "there is a link to be taken away");
    scene.minutes_pass().await;
    want_all(&scene).await;
    scene.sync().await;
    let before = scene.picture().await;
    thaw(frozen, since).await;
    assert_eq!(before.difference(&scene.picture().await), Vec::<String>::new());
    bucket::check(scene.stack(), &world.repository).await;
}

/// A collector that has said of a blob that it is being deleted, and is about to do so. A sync that wants it comes to its
/// end once it is gone.
async fn a_collector_deletes_what_it_said_and_the_sync_that_wants_it_waits() {
    let (world, _upstream, condemned) = mirror("frozen-sentence").await;
    let scene = Scene::of(&world, PATIENT).await;
    let key = bucket::blob_key(&Digest::sha256(&condemned));
    seed::put(scene.stack(), &key, condemned).await;
    tokio::time::sleep(GRACE).await;
    let function = scene.stack().gc_function.clone();
    scene.lab.run(&function, &json!({})).await;
    scene.minutes_pass().await;
    let deletes = move |request: &Request| request.operation == "DELETE" && request.target.ends_with(&key);
    let plan = aws::first(Fault::FreezeBefore, deletes);
    let frozen = scene.lab.begin(&function, &json!({"force": true}), plan, WITHIN).await;
    assert!(frozen.is_frozen().await, "there is a blob to be deleted");
    scene.minutes_pass().await;
    want_all(&scene).await;
    scene.world.sync_now().await;
    scene.lab.deliver_events().await;
    assert_eq!(scene.world.mirror().await["sync_status"], "SYNCING", "it waits");
    bucket::check(scene.stack(), &world.repository).await;
    frozen.thaw();
    frozen.answer().await;
    bucket::check(scene.stack(), &world.repository).await;
    scene.minutes_pass().await;
    scene.minutes_pass().await;
    scene.lab.settle().await;
    assert_eq!(scene.world.mirror().await["sync_status"], "SUCCESS");
    let held = bucket::check(scene.stack(), &world.repository).await;
    assert_eq!(held.tags.len(), 2);
}

/// A purge that is about to delete, while another one does, and the name is taken anew.
async fn a_purge_deletes_nothing_of_who_has_the_name_next(at: fn(&Request) -> bool) {
    let (world, upstream, _) = mirror("frozen-purge").await;
    let scene = Scene::of(&world, PATIENT).await;
    let path = format!("repository/{}", world.repository);
    // Whoever deletes it waits for the purge, which does not get far.
    scene.lab.trouble_next(Box::new(|_| Fault::KillBefore));
    scene.world.call(Method::DELETE, &path, None).await;
    let purge = serde_json::to_value(Task::Purge { repository: world.repository.clone() }).unwrap();
    let (function, since) = (scene.stack().sync_function.clone(), Instant::now());
    let frozen = scene.lab.begin(&function, &purge, aws::first(Fault::FreezeBefore, at), WITHIN).await;
    assert!(frozen.is_frozen().await, "there is something to be deleted");
    scene.minutes_pass().await;
    scene.lab.run(&function, &purge).await;
    scene.lab.settle().await;
    let body = json!({
        "namespace": world.namespace, "repository": "app", "visibility": "private", "description": "", "repo_kind": "image",
    });
    assert_eq!(scene.world.call(Method::POST, "repository", Some(body)).await.0, 201, "the name is free");
    scene.world.create_mirror(&upstream.address, json!({})).await;
    scene.sync().await;
    let before = scene.picture().await;
    thaw(frozen, since).await;
    scene.lab.settle().await;
    assert_eq!(before.difference(&scene.picture().await), Vec::<String>::new());
    assert_eq!(bucket::check(scene.stack(), &world.repository).await.tags.len(), 2);
}

/// All at once: they mostly wait for the wall clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_frozen_deletes_nothing_that_others_have_made_since() {
    let cases = [
        a_collector_takes_no_link_away_that_is_needed_by_now().boxed_local(),
        a_collector_deletes_what_it_said_and_the_sync_that_wants_it_waits().boxed_local(),
        a_purge_deletes_nothing_of_who_has_the_name_next(deletes_links).boxed_local(),
        a_purge_deletes_nothing_of_who_has_the_name_next(|it| it.operation == "BatchWriteItem").boxed_local(),
    ];
    let ended = join_all(cases.map(|case| AssertUnwindSafe(case).catch_unwind())).await;
    let failed = ended.into_iter().filter(Result::is_err).count();
    assert_eq!(failed, 0, "each has told of itself");
}
