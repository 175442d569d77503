//! Turns of an organization's repositories that are lost: an invocation that never comes.

use std::{collections::BTreeSet, time::Duration};

use moorage_domain::task::Task;
use moorage_tests::{aws::fault::Fault, organization_mirror as organization, seed, world::World};
use reqwest::Method;
use serde_json::json;

use super::scene::{PATIENT, Scene};

/// Repositories of the organization: more than are synced at once, so that there is a queue.
const REPOSITORIES: usize = 30;
/// How long an invocation has.
const WITHIN: Duration = Duration::from_secs(60);

/// A copy of a world in which the mirror of an organization has found one repository.
async fn organization_of(name: &str) -> Scene {
    let world = World::empty(name).await;
    organization::push(&world, "app", &["v1"]).await;
    organization::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    organization::sync_now(&world).await;
    organization::wait_for(&world, json!({"SUCCESS": 1})).await;
    Scene::of(&world, PATIENT).await
}

/// Loses all invocations that are on their way, and tells of which repositories they were.
fn lose(scene: &Scene) -> BTreeSet<String> {
    let events = std::iter::from_fn(|| scene.lab.take_event());
    events.map(|(_, event)| event["repository"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_sync_of_an_organizations_repository_waits_for_no_queue() {
    let scene = organization_of("lost-turns").await;
    seed::discovered(&scene.world, REPOSITORIES).await;
    organization::sync_now(&scene.world).await;
    let (function, discovery) = scene.lab.take_event().expect("Sync Now starts a discovery");
    scene.lab.invoke_within(&function, &discovery, Box::new(|_| Fault::None), WITHIN).await;
    let mut lost = lose(&scene);
    assert!(!lost.is_empty() && lost.len() < REPOSITORIES, "{lost:?}: there are turns, and a queue");

    // Who asks for one that is queued waits for no turn; and that one is lost, too.
    let all = (0..REPOSITORIES).map(|number| format!("{}/m{number:05}", scene.world.namespace));
    let queued = all.into_iter().find(|name| !lost.contains(name)).expect("there is a queue");
    let path = format!("repository/{queued}/mirror/sync-now");
    assert_eq!(scene.world.call(Method::POST, &path, None).await.0, 204);
    assert_eq!(lose(&scene), BTreeSet::from([queued.clone()]));
    lost.insert(queued);

    scene.minutes_pass().await;
    scene.lab.task(&Task::Watch {}).await;
    let started = lose(&scene);
    assert!(started.is_superset(&lost), "{started:?} lacks some of {lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_whose_invocation_was_lost_can_be_asked_for_again() {
    let scene = organization_of("lost-cancel").await;
    let asked = format!("repository/{}/app/mirror/sync-now", scene.world.namespace);
    assert_eq!(scene.world.call(Method::POST, &asked, None).await.0, 204);
    let cancel = organization::path(&scene.world, "/sync-cancel");
    assert_eq!(scene.world.call(Method::POST, &cancel, None).await.0, 204);
    lose(&scene);
    assert_eq!(scene.world.call(Method::POST, &cancel, None).await.0, 204, "its repository is not cancelled");
    scene.lab.settle().await;
    let mirror = organization::mirror(&scene.world).await;
    assert_eq!(mirror["repo_sync_status_counts"]["CANCEL"], json!(1), "{mirror}");
    assert_eq!(scene.world.call(Method::POST, &cancel, None).await.0, 400, "nothing is left to be cancelled");
}
