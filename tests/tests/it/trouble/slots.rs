//! Slots of a namespace whose holders were killed.

use moorage_domain::task::Task;
use moorage_tests::{
    aws::{self, fault::Fault},
    function::Outcome,
    organization_mirror as organization,
    proxy::{self, Proxy},
    seed,
    world::World,
};
use serde_json::json;

use super::scene::{PATIENT, Scene};

const ALWAYS: usize = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_killed_before_it_gave_its_slot_up_to_wait_keeps_nobody_out() {
    let world = World::new("waiting-slot").await;
    let upstream = world.stack.upstream.clone();
    let repository = seed::repository(&world, "other", "private").await;
    let other = World { path: repository.to_string(), repository, ..world.clone() };
    for name in ["app", "other"] {
        organization::push(&world, name, &["v1"]).await;
    }
    let proxy = Proxy::start(&format!("http://{upstream}")).await;
    let limited = proxy::Fault::Status(429, vec![("retry-after", "3600".into())]);
    proxy.fault("GET", "/tags/list", ALWAYS, limited);
    world.create_mirror(&proxy.address, json!({})).await;
    other.create_mirror(&upstream, json!({})).await;
    let scene = Scene::of(&world, &[PATIENT, &[("NAMESPACE_SYNCS", "1")][..]].concat()).await;
    let other = World { stack: scene.stack().clone(), ..other };

    scene.world.sync_now().await;
    let (function, event) = scene.lab.take_event().unwrap();
    let plan = aws::first(Fault::KillBefore, |request| request.operation == "DeleteItem");
    let ended = scene.lab.invoke(&function, &event, plan).await;
    assert_eq!(ended.outcome, Outcome::Killed, "{}", ended.log);
    let waiting = scene.world.mirror().await;
    assert!(waiting.get("sync_waiting_until").is_some(), "{waiting}");

    scene.minutes_pass().await;
    other.sync_now().await;
    scene.lab.deliver_events().await;
    assert_eq!(other.mirror().await["sync_status"], "SUCCESS");
    let still = scene.world.mirror().await;
    assert!(still.get("sync_waiting_until").is_some(), "it waits still: {still}");
    scene.lab.task(&Task::Watch {}).await;
    assert_eq!(scene.lab.deliver_events().await, 0, "nobody is stuck");
}
