//! Syncs of a repository that is not a mirror's any more.

use moorage_domain::task::Task;
use moorage_tests::{organization_mirror as organization, world::World};
use reqwest::Method;
use serde_json::json;

use super::scene::{PATIENT, Scene};

async fn change_state(scene: &Scene, state: &str) {
    let path = format!("repository/{}/changestate", scene.world.repository);
    assert_eq!(scene.world.call(Method::PUT, &path, Some(json!({"state": state}))).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_for_does_not_stay_pending_where_no_sync_begins() {
    let world = World::new("withdrawn").await;
    organization::push(&world, "app", &["v1"]).await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let scene = Scene::of(&world, PATIENT).await;

    // Asked for, and not begun.
    scene.world.sync_now().await;
    change_state(&scene, "NORMAL").await;
    assert_eq!(scene.world.mirror().await["sync_status"], "CANCEL");
    scene.lab.deliver_events().await;
    assert_eq!(scene.world.mirror().await["sync_status"], "CANCEL", "the order comes late");
    scene.lab.task(&Task::Watch {}).await;
    assert_eq!(scene.lab.deliver_events().await, 0, "nobody is stuck");

    // It is a mirror again, and so is asked for what it is for.
    change_state(&scene, "MIRROR").await;
    scene.sync().await;
    assert_eq!(scene.world.mirror().await["sync_status"], "SUCCESS");
    change_state(&scene, "READ_ONLY").await;
    assert_eq!(scene.world.mirror().await["sync_status"], "SUCCESS", "what has ended stays as it ended");
}
