//! One sync at a time, whatever happens to it.

use std::time::Duration;

use moorage_domain::{
    run::Trigger,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    bucket, eventually,
    image::{Image, layer},
    process::kill_functions_connected_to,
    proxy::{Fault, Proxy, count},
    table,
    world::World,
};
use serde_json::json;

#[tokio::test]
async fn of_two_syncs_at_once_one_runs() {
    let world = World::new("twice").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", "tags/list", 1, Fault::Delay(Duration::from_secs(3)));
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync_now().await;
    for trigger in [Trigger::SyncNow, Trigger::Schedule, Trigger::SyncNow] {
        world.invoke(trigger).await;
    }
    world.wait_for(&["SYNCING"]).await;
    let refused = world.call(reqwest::Method::POST, &world.mirror_path("/sync-now"), None).await;
    assert_eq!(refused.0, 404, "as in Quay");
    let refused = world.call(reqwest::Method::POST, &world.mirror_path("/verify"), None).await;
    assert_eq!(
        (refused.0, refused.1["detail"].as_str().is_some_and(|it| it.contains("runs"))),
        (409, true),
        "{refused:?}"
    );
    world.wait_for(&["SUCCESS"]).await;
    // Late deliveries find nothing to do either.
    world.invoke(Trigger::SyncNow).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.runs().await.len(), 1);
    assert_eq!(count(&proxy.take_seen())["GET tags"], 1);
}

#[tokio::test]
async fn a_killed_sync_is_started_again_and_nothing_is_copied_twice() {
    let world = World::new("killed").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (first, second) = (layer(rand::random(), 900_000), layer(rand::random(), 900_000));
    let finished = Image::oci("amd64", std::slice::from_ref(&first));
    finished.push(&upstream, &world.path, "a").await;
    Image::oci("amd64", &[first, second.clone()]).push(&upstream, &world.path, "b").await;
    let proxy = Proxy::start(&upstream).await;
    let stalled = moorage_domain::Digest::sha256(&second);
    proxy.fault("GET", &format!("blobs/{stalled}"), 1, Fault::Stall);
    world.create_mirror(&proxy.address, json!({"is_enabled": false})).await;
    world.sync_now().await;
    eventually("the first tag is there", Duration::from_secs(30), async || {
        let held = bucket::check(&world.stack, &world.repository).await;
        (held.tags.get("a") == Some(&finished.digest())).then_some(())
    })
    .await;
    assert_eq!(kill_functions_connected_to(proxy.port), 1, "the sync runs in one process");
    proxy.take_seen();

    let interrupted = eventually("the claim expires", Duration::from_secs(60), async || {
        let mirror = world.mirror().await;
        (mirror["sync_status"] != "SYNCING").then_some(mirror)
    })
    .await;
    if interrupted["sync_status"] == "SYNC_NOW" {
        assert_eq!(interrupted["sync_warning"]["reason"], "interrupted", "{interrupted}");
    }
    // The stack's own schedule does so every five minutes.
    assert!(matches!(world.task(&Task::Watch {}).await, TaskAnswer::Watched { .. }));
    world.wait_for(&["SUCCESS"]).await;
    assert!(world.mirror().await["sync_warning"].is_null());
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.len(), 2);
    let run = world.last_run().await;
    assert_eq!((world.runs().await.len(), &run["invocations"]), (1, &json!(2)), "it is the same run");
    let blobs: Vec<_> = proxy.take_seen().into_iter().filter(|seen| seen.path.contains("/blobs/")).collect();
    let config = blobs.iter().filter(|seen| !seen.path.contains(&stalled.to_string())).count();
    assert!(blobs.len() - config == 1 && config <= 1, "only what was not finished is fetched: {blobs:?}");
}

#[tokio::test]
async fn a_sync_now_that_was_lost_is_made_good() {
    let world = World::new("asked").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(2, 100)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({"is_enabled": false})).await;
    // As the API writes it, whose invocation of the function did not arrive.
    let asked = [
        ("sync_status", table::text("SYNC_NOW")),
        ("active", table::text("MIRRORS")),
        ("sync_requested_at", table::number(1_790_000_000)),
    ];
    table::set(&world.stack, &table::Key::mirror(&world.repository), asked).await;
    assert!(matches!(world.task(&Task::Watch {}).await, TaskAnswer::Watched { .. }));
    world.wait_for(&["SUCCESS"]).await;
    let runs = world.runs().await;
    assert_eq!((runs.len(), &runs[0]["trigger"]), (1, &json!("sync_now")));
}

#[tokio::test]
async fn a_sync_that_is_killed_each_time_fails() {
    let world = World::new("each-time").await;
    world.create_mirror(&world.stack.upstream, json!({"is_enabled": false})).await;
    // Killed for the fifth time, and nobody has come since.
    let killed = [
        ("sync_status", table::text("SYNCING")),
        ("active", table::text("MIRRORS")),
        ("sync_expiration_date", table::number(1_790_000_000)),
        ("sync_interruptions", table::number(4)),
    ];
    table::set(&world.stack, &table::Key::mirror(&world.repository), killed).await;
    assert_eq!(world.mirror().await["sync_status"], "SYNC_NOW", "it is going to be started");
    assert!(matches!(world.task(&Task::Watch {}).await, TaskAnswer::Watched { .. }));
    world.wait_for(&["FAIL"]).await;
    let run = world.last_run().await;
    assert!(run["failure"]["message"].as_str().unwrap().contains("killed 5 times"), "{run}");
}

#[tokio::test]
async fn a_sync_that_outlasts_its_function_goes_on_in_the_next_invocation() {
    let world = World::new("long").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in 0..96 {
        Image::oci("amd64", &[layer(rand::random(), 5_000)]).push(&upstream, &world.path, &format!("t{tag}")).await;
    }
    let proxy = Proxy::start(&upstream).await;
    // Thirty-two blobs at a time, four seconds each: 24 seconds and more for a function that is ended after 20.
    proxy.fault("GET", "/blobs/", 1_000, Fault::Delay(Duration::from_secs(4)));
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(96)), "{run}");
    assert!(run["invocations"].as_u64().unwrap() >= 2, "{run}");
    assert_eq!(run["bytes_total"], run["bytes_done"]);
    assert_eq!(run["tags"].as_array().unwrap().len(), 96, "each tag has one outcome");
    assert_eq!(world.runs().await.len(), 1, "it is one run");
    let requests = count(&proxy.take_seen());
    // Two of each tag; and at most what was on its way when an invocation ended.
    let handovers = usize::try_from(run["invocations"].as_u64().unwrap() - 1).unwrap();
    let fetched = requests["GET blobs"];
    assert!((192..=192 + 32 * handovers).contains(&fetched), "what is stored is not fetched again: {requests:?}");
    assert_eq!(requests["GET manifests"], 96, "{requests:?}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 96);
    let started = world.log().await.into_iter().filter(|entry| entry["kind"] == "repo_mirror_sync_started").count();
    assert_eq!(started, 1, "a run is logged once");
}

#[tokio::test]
async fn a_sync_that_gets_nowhere_ends() {
    let world = World::new("nowhere").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 5_000)]);
    image.push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    let blob = moorage_domain::Digest::sha256(&image.blobs[1]);
    proxy.fault("GET", &format!("blobs/{blob}"), 1_000, Fault::Stall);
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("network_timeout")), "{run}");
    assert!(run["invocations"].as_u64().unwrap() <= 3, "{run}");
    assert!(bucket::check(&world.stack, &world.repository).await.tags.is_empty());
}

#[tokio::test]
async fn cancel_stops_a_running_sync_and_sync_now_starts_again() {
    let world = World::new("cancel").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let slow = layer(rand::random(), 100_000);
    Image::oci("amd64", std::slice::from_ref(&slow)).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", &format!("blobs/{}", moorage_domain::Digest::sha256(&slow)), 1, Fault::Stall);
    world.create_mirror(&proxy.address, json!({})).await;
    let idle = world.call(reqwest::Method::POST, &world.mirror_path("/sync-cancel"), None).await;
    assert_eq!(idle.0, 404);
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    let cancelled = world.call(reqwest::Method::POST, &world.mirror_path("/sync-cancel"), None).await;
    assert_eq!(cancelled.0, 204);
    let mirror = world.mirror().await;
    assert_eq!((&mirror["sync_status"], &mirror["sync_retries_remaining"]), (&json!("CANCEL"), &json!(0)));
    eventually("the run is shown as cancelled", Duration::from_secs(20), async || {
        (world.last_run().await["status"] == "CANCEL").then_some(())
    })
    .await;
    // The API shows the run as cancelled at once; the function notices within seconds, and says so.
    eventually("the function notices", Duration::from_secs(20), async || {
        (cancelled_entries(&world).await == 1).then_some(())
    })
    .await;
    assert!(bucket::check(&world.stack, &world.repository).await.tags.is_empty());
    // The schedule does not start a cancelled mirror.
    world.invoke(Trigger::Schedule).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.mirror().await["sync_status"], "CANCEL");
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_eq!(cancelled_entries(&world).await, 1);
}

async fn cancelled_entries(world: &World) -> usize {
    world.log().await.into_iter().filter(|entry| entry["metadata"]["verb"] == "Cancelled").count()
}
