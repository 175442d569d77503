//! Registries that limit how often they are asked: a sync waits for them without running, and others learn from it.

use std::{sync::Arc, time::Duration};

use moorage_domain::{Digest, Timestamp, run::Trigger};
use moorage_tests::{
    bucket, eventually,
    image::{self, Image, layer},
    proxy::{Fault, Proxy, count},
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

const ALWAYS: usize = 1_000_000;
/// What a registry answers in one window of its limit.
const WINDOW: usize = 20;
/// For how long it wants to be left alone then: just longer than a sync waits without ending its invocation.
const PAUSE: u64 = 11;

fn seconds_from_now(date: &Value) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Timestamp::parse_iso(date.as_str().unwrap()).unwrap().unix() - i64::try_from(now).unwrap()
}

/// Syncs, and waits until the sync waits for its registry.
async fn sync_until_it_waits(world: &World) -> Value {
    world.sync_now().await;
    until_it_waits(world).await
}

async fn until_it_waits(world: &World) -> Value {
    eventually("the sync waits", Duration::from_secs(60), async || {
        let mirror = world.mirror().await;
        assert!(matches!(mirror["sync_status"].as_str(), Some("NEVER_RUN" | "SYNC_NOW" | "SYNCING")), "{mirror}");
        mirror.get("sync_waiting_until").is_some().then_some(mirror)
    })
    .await
}

/// Another repository of a world's namespace.
async fn sibling(world: &World, name: &str) -> World {
    let repository = seed::repository(world, name, "private").await;
    World { path: repository.to_string(), repository, ..world.clone() }
}

async fn push_tags(world: &World, tags: usize) {
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in 0..tags {
        Image::oci("amd64", &[layer(1, 10), layer(rand::random(), 10)])
            .push(&upstream, &world.path, &format!("t{tag:02}"))
            .await;
    }
}

#[tokio::test]
async fn a_registry_that_asks_for_patience_is_left_alone_by_all_who_share_the_identity() {
    let world = World::new("patience").await;
    let (other, stranger) = (sibling(&world, "other").await, sibling(&world, "stranger").await);
    for world in [&world, &other, &stranger] {
        push_tags(world, 40).await;
    }
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let heads = format!("{}/manifests/", world.path);
    proxy.fault("HEAD", &heads, ALWAYS, Fault::Status(429, vec![("retry-after", "3600".into())]));
    world.create_mirror(&proxy.address, json!({})).await;
    let mirror = sync_until_it_waits(&world).await;
    assert_eq!(mirror["sync_status"], "SYNCING");
    assert_eq!(mirror["sync_expiration_date"], mirror["sync_waiting_until"], "nobody takes over before");
    let waits = seconds_from_now(&mirror["sync_waiting_until"]);
    assert!((3_550..=3_601).contains(&waits), "{waits}");
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["waiting_until"]), (&json!("SYNCING"), &mirror["sync_waiting_until"]));
    assert_eq!((&run["waits"], &run["tags_done"]), (&json!(1), &json!(0)), "{run}");
    let log = world.log().await;
    let entry = log.iter().find(|entry| entry["metadata"]["verb"] == "wait").unwrap();
    assert!(entry["metadata"]["stderr"].as_str().unwrap().contains(run["waiting_until"].as_str().unwrap()), "{entry}");
    let asked = proxy.take_seen().into_iter().filter(|seen| seen.method == "HEAD").count();
    assert!(asked <= 32, "{asked} requests after the first refusal");

    // Another mirror with the same identity does not even ask when it is due.
    other.create_mirror(&proxy.address, json!({"sync_start_date": "2026-01-01T00:00:00Z"})).await;
    other.invoke(Trigger::Schedule).await;
    let waiting = until_it_waits(&other).await;
    assert_eq!(waiting["sync_waiting_until"], mirror["sync_waiting_until"]);
    assert!(proxy.take_seen().is_empty());
    // Somebody else's allowance is their own.
    let credentials = json!({"external_registry_username": "somebody", "external_registry_password": "else"});
    stranger.create_mirror(&proxy.address, credentials).await;
    assert_eq!(stranger.sync().await["tags_copied"], 40);
    proxy.take_seen();

    // Whoever waits can be cancelled, and asked again.
    assert_eq!(other.call(Method::POST, &other.mirror_path("/sync-cancel"), None).await.0, 204);
    let cancelled = other.mirror().await;
    assert_eq!((&cancelled["sync_status"], cancelled.get("sync_waiting_until")), (&json!("CANCEL"), None));
    assert_eq!(other.last_run().await["status"], "CANCEL");
}

#[tokio::test]
async fn a_sync_that_waited_goes_on_where_it_was() {
    let world = World::new("goeson").await;
    push_tags(&world, 6).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let (_, _, manifest) = image::get_manifest(&format!("http://{}", world.stack.upstream), &world.path, "t05").await;
    // The refusal comes when all other images are there: those that it interrupts are begun anew.
    let others_are_there = Arc::new(Notify::new());
    let limited = Fault::Status(429, vec![("retry-after", "14".into())]);
    let limited = Fault::Held(others_are_there.clone(), Box::new(limited));
    proxy.fault("GET", &format!("manifests/{}", Digest::sha256(&manifest)), 1, limited);
    world.sync_now().await;
    eventually("the others are there", Duration::from_secs(60), async || {
        (bucket::check(&world.stack, &world.repository).await.tags.len() == 5).then_some(())
    })
    .await;
    others_are_there.notify_one();
    let mirror = until_it_waits(&world).await;
    assert!((1..=15).contains(&seconds_from_now(&mirror["sync_waiting_until"])), "{mirror}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 5);
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    let run = world.last_run().await;
    assert_eq!(
        (&run["status"], &run["waits"], &run["invocations"]),
        (&json!("SUCCESS"), &json!(1), &json!(2)),
        "{run}"
    );
    assert_eq!((run.get("waiting_until"), &run["tags_copied"]), (None, &json!(6)), "{run}");
    assert!(world.mirror().await.get("sync_waiting_until").is_none());
    let requests = count(&proxy.take_seen());
    assert_eq!(requests["GET manifests"], 7, "one was refused, none came twice: {requests:?}");
    assert_eq!(run["upstream"]["manifest_gets"], 7, "{run}");
    assert_eq!(world.runs().await.len(), 1);
}

#[tokio::test]
async fn each_window_of_a_limit_moves_tags_and_a_first_sync_takes_as_many_as_its_requests_fill() {
    let (world, tags) = (World::new("windows").await, 40);
    push_tags(&world, tags).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    world.create_mirror(&proxy.address, json!({})).await;
    proxy.open_window(WINDOW, PAUSE);
    world.sync_now().await;
    let (mut arrived, mut windows, mut waited) = (0, 1, Value::Null);
    loop {
        let mirror = eventually("the window is used up, or all is there", Duration::from_secs(90), async || {
            let mirror = world.mirror().await;
            let until = mirror.get("sync_waiting_until").filter(|until| **until != waited);
            (until.is_some() || mirror["sync_status"] == "SUCCESS" || mirror["sync_status"] == "FAIL").then_some(mirror)
        })
        .await;
        let there = bucket::check(&world.stack, &world.repository).await.tags.len();
        let Some(until) = mirror.get("sync_waiting_until") else { break };
        assert!(there > arrived, "window {windows} moved no tag beyond {arrived}");
        (arrived, waited, windows) = (there, until.clone(), windows + 1);
        proxy.open_window(WINDOW, PAUSE);
        // The emulator's schedules come some seconds late.
        tokio::time::sleep(Duration::from_secs(seconds_from_now(&waited).max(0).unsigned_abs() + 1)).await;
        world.invoke(Trigger::Continuation).await;
    }
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(tags)), "{run}");
    // A HEAD, a manifest, a config and a layer of each; whether it is a registry, its list, the layer of all, and whether
    // there are referrers.
    let asked = proxy.answered();
    assert!(asked <= tags * 4 + 4, "something was asked for twice: {asked} requests, {:?}", count(&proxy.take_seen()));
    assert_eq!(windows, asked.div_ceil(WINDOW), "{asked} requests: {run}");
}

#[tokio::test]
async fn short_waits_are_waited_for_whether_seconds_or_a_date() {
    let world = World::new("short").await;
    push_tags(&world, 3).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let in_two_seconds = std::time::SystemTime::now() + Duration::from_secs(6);
    let date = httpdate(in_two_seconds);
    proxy.fault("GET", "tags/list", 1, Fault::Status(503, vec![("retry-after", date)]));
    proxy.fault("HEAD", "manifests/", 1, Fault::Status(429, vec![("retry-after", "2".into())]));
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!(
        (&run["status"], &run["waits"], &run["invocations"]),
        (&json!("SUCCESS"), &json!(0), &json!(1)),
        "{run}"
    );
    assert_eq!(run["upstream"]["retries"], 2, "{run}");
    assert!(run["upstream"]["waited_ms"].as_u64().unwrap() >= 2_000, "{run}");
}

/// HTTP's form of a date (RFC 9110, 5.6.7).
fn httpdate(moment: std::time::SystemTime) -> String {
    let seconds = moment.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let rfc2822 = Timestamp::from_unix(i64::try_from(seconds).unwrap()).rfc2822();
    rfc2822.replace("-0000", "GMT")
}

#[tokio::test]
async fn a_registry_that_asks_for_years_fails_the_sync_and_nothing_else() {
    let world = World::new("years").await;
    push_tags(&world, 2).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    proxy.fault("GET", "tags/list", ALWAYS, Fault::Status(429, vec![("retry-after", "99999999".into())]));
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("rate_limited")), "{run}");
    proxy.heal();
    assert_eq!(world.sync().await["status"], "SUCCESS", "nobody remembers it");
}

#[tokio::test]
async fn an_allowance_is_used_down_to_the_floor_and_no_further() {
    let world = World::new("floor").await;
    let other = sibling(&world, "other").await;
    for world in [&world, &other] {
        push_tags(world, 12).await;
    }
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    proxy.allow_manifests(9);
    let floor = json!({"rate_limit_floor": 4});
    world.create_mirror(&proxy.address, floor).await;
    assert_eq!(world.mirror().await["rate_limit_floor"], 4);
    let mirror = sync_until_it_waits(&world).await;
    assert!(seconds_from_now(&mirror["sync_waiting_until"]) > 3_000, "a window that slides: {mirror}");
    let requests = count(&proxy.take_seen());
    assert_eq!(requests["GET manifests"], 5, "{requests:?}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 5);

    // Another mirror knows, before it has fetched any; heads are free.
    let due = json!({"rate_limit_floor": 4, "sync_start_date": "2026-01-01T00:00:00Z"});
    other.create_mirror(&proxy.address, due).await;
    other.invoke(Trigger::Schedule).await;
    until_it_waits(&other).await;
    let requests = count(&proxy.take_seen());
    assert!(requests["HEAD manifests"] >= 1 && !requests.contains_key("GET manifests"), "{requests:?}");
    other.call(Method::POST, &other.mirror_path("/sync-cancel"), None).await;
    other.change_mirror(json!({"rate_limit_floor": null})).await;
    let mirror = sync_until_it_waits(&other).await;
    assert!(mirror.get("rate_limit_floor").is_none());
    let requests = count(&proxy.take_seen());
    assert_eq!(requests["GET manifests"], 4, "without a floor all is used up: {requests:?}");
}
