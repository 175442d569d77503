//! Work that takes more invocations than one: each goes on in the next one, comes to its end, and is ordered again if its
//! next invocation was lost.

use std::time::Duration;

use moorage_domain::task::{Task, TaskAnswer};
use moorage_tests::{
    aws::{
        self, Plan,
        fault::{Fault, Refusal},
    },
    bucket,
    function::Outcome,
    organization_mirror as organization, seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{PATIENT, Scene};

/// How much later AWS answers a write.
const LATER: Duration = Duration::from_millis(400);
/// How long an invocation has: two seconds less than that for its work.
const WITHIN: Duration = Duration::from_secs(5);
/// Repositories of an organization whose mirror is cancelled, or ends: the writes for these take longer than one
/// invocation works.
const REPOSITORIES: usize = 150;
/// Repositories of an organization that ends: each is some writes after one another.
const ENDING: usize = 40;
/// How long an invocation of that has.
const WITHIN_END: Duration = Duration::from_secs(8);
/// Tags of a repository that is purged: S3 deletes a thousand at once.
const TAGS: usize = 1_200;
/// How much later S3 answers when it has deleted some.
const DELETED_LATER: Duration = Duration::from_secs(3);
/// How long an invocation of its purge has.
const WITHIN_PURGE: Duration = Duration::from_secs(7);

fn slow_writes() -> Plan {
    Box::new(|request| if request.writes { Fault::Delay(LATER) } else { Fault::None })
}

fn slow_deletes() -> Plan {
    Box::new(|request| if request.operation == "POST delete" { Fault::Delay(DELETED_LATER) } else { Fault::None })
}

/// A world with a mirror of an organization in which there is a repository, and copies of it.
async fn organization(name: &str, count: usize) -> Scene {
    let world = World::empty(name).await;
    organization::push(&world, "app", &["v1"]).await;
    organization::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    organization::sync_now(&world).await;
    organization::wait_for(&world, json!({"SUCCESS": 1})).await;
    let scene = Scene::of(&world, PATIENT).await;
    seed::discovered(&scene.world, count).await;
    scene.lab.slow_down(WITHIN, slow_writes);
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_of_many_repositories_goes_on_until_all_are_cancelled() {
    let scene = organization("many-cancelled", REPOSITORIES).await;
    let cancel = organization::path(&scene.world, "/sync-cancel");
    assert_eq!(scene.world.call(Method::POST, &cancel, None).await.0, 204);
    let invocations = scene.lab.settle().await;
    assert!(invocations >= 2, "{invocations}: one was enough");
    let mirror = organization::mirror(&scene.world).await;
    assert_eq!(mirror["repo_sync_status_counts"]["CANCEL"], json!(REPOSITORIES + 1), "{mirror}");
    assert_eq!(scene.watch().await, 0, "nothing is left to be done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_mirror_of_many_repositories_goes_on_until_all_are_ordinary_ones() {
    let scene = organization("many-released", REPOSITORIES).await;
    let mirror = organization::path(&scene.world, "");
    assert_eq!(scene.world.call(Method::DELETE, &mirror, None).await.0, 204);
    let invocations = 1 + scene.lab.settle().await;
    assert!(invocations >= 2, "{invocations}: one was enough");
    assert_eq!(scene.world.call(Method::GET, &mirror, None).await.0, 404);
    for name in ["app", "m00000", "m00099"] {
        let path = format!("repository/{}/{name}", scene.world.namespace);
        let (status, repository) = scene.world.call(Method::GET, &path, None).await;
        assert_eq!((status, &repository["state"]), (200, &json!("NORMAL")), "{repository}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_organization_of_many_repositories_goes_on_until_its_name_is_free() {
    let scene = organization("many-ended", ENDING).await;
    scene.lab.slow_down(WITHIN_END, slow_writes);
    let organization = format!("organization/{}", scene.world.namespace);
    let status = scene.world.call(Method::DELETE, &organization, None).await.0;
    assert_eq!(status, 503, "it is not done while the call waits");
    let invocations = 1 + scene.lab.settle().await;
    assert!(invocations >= 2, "{invocations}: one was enough");
    assert_eq!(scene.world.call(Method::GET, &organization, None).await.0, 404);
    let body = json!({"name": scene.world.namespace});
    assert_eq!(scene.world.call(Method::POST, "organization/", Some(body)).await.0, 201, "the name is free");
}

/// A repository with an image.
async fn mirrored(name: &str) -> Scene {
    let world = World::new(name).await;
    organization::push(&world, "app", &["v1"]).await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    Scene::of(&world, PATIENT).await
}

/// Deletes the repository by a call that waits for a purge, which is killed at once.
async fn delete(scene: &Scene) {
    scene.lab.trouble_next(Box::new(|_| Fault::KillBefore));
    scene.world.call(Method::DELETE, &format!("repository/{}", scene.world.repository), None).await;
}

fn purge(scene: &Scene) -> Value {
    serde_json::to_value(Task::Purge { repository: scene.world.repository.clone() }).unwrap()
}

async fn assert_is_gone(scene: &Scene) {
    let prefix = format!("{}/repositories/{}/", bucket::ROOT, scene.world.repository);
    assert_eq!(bucket::keys(scene.stack(), &prefix).await, Vec::<String>::new());
    let body = json!({
        "namespace": scene.world.namespace, "repository": "app", "visibility": "private", "description": "",
        "repo_kind": "image",
    });
    assert_eq!(scene.world.call(Method::POST, "repository", Some(body)).await.0, 201, "the name is free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_of_many_tags_goes_on_until_nothing_is_left() {
    let scene = mirrored("many-purged").await;
    let repository = &scene.world.repository;
    let held = bucket::check(scene.stack(), repository).await;
    seed::tag_links(scene.stack(), repository, &held.tags["v1"], TAGS).await;
    seed::tags(scene.stack(), repository, "v1", 0..TAGS).await;
    delete(&scene).await;
    scene.lab.slow_down(WITHIN_PURGE, slow_deletes);
    scene.lab.run(&scene.stack().sync_function, &purge(&scene)).await;
    let invocations = 1 + scene.lab.settle().await;
    assert!(invocations >= 2, "{invocations}: one was enough");
    assert_is_gone(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_whose_next_invocation_was_lost_is_ordered_again_within_minutes() {
    let scene = mirrored("lost-purge").await;
    // One that nobody began.
    delete(&scene).await;
    scene.watch().await;
    assert_is_gone(&scene).await;

    let scene = mirrored("killed-purge").await;
    delete(&scene).await;
    let plan = aws::first(Fault::KillAfter, |request| request.operation == "POST delete");
    let ended = scene.lab.invoke(&scene.stack().sync_function, &purge(&scene), plan).await;
    assert_eq!(ended.outcome, Outcome::Killed);
    assert_eq!(scene.watch().await, 0, "as long as it has its lock, it may be at work");
    scene.minutes_pass().await;
    scene.watch().await;
    assert_is_gone(&scene).await;
    assert_eq!(scene.watch().await, 0, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_removed_is_told_of_each_time() {
    let scene = mirrored("never-purged").await;
    delete(&scene).await;
    let event = serde_json::to_value(Task::Reconcile { invocation: 0, after: None }).unwrap();
    let refuse = |request: &aws::request::Request| match request.operation.as_str() {
        "POST delete" => Fault::Refuse(Refusal::Internal),
        _ => Fault::None,
    };
    let told = async |plan: Plan| {
        let ended = scene.lab.invoke(&scene.stack().sync_function, &event, plan).await;
        let Outcome::Answer(answer) = &ended.outcome else { panic!("{}", ended.log) };
        match serde_json::from_value(answer.clone()).unwrap() {
            TaskAnswer::Reconciled { failed, .. } => failed,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(Box::new(refuse)).await, 1);
    scene.minutes_pass().await;
    assert_eq!(told(Box::new(refuse)).await, 1, "the alarm goes on");
    scene.minutes_pass().await;
    assert_eq!(told(Box::new(|_| Fault::None)).await, 0);
    assert_is_gone(&scene).await;
}
