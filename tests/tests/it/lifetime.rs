//! Nothing outlives its right to be there: no claim its holder, no word of a registry its meaning.

use std::{sync::Arc, time::Duration};

use moorage_domain::{Digest, Timestamp, run::Trigger};
use moorage_tests::{
    bucket, eventually,
    image::{Image, layer},
    organization_mirror as organization,
    process::Frozen,
    proxy::{Fault, Proxy},
    table::{self, Key},
    world::{SYNC_LIMIT, World},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

const ALWAYS: usize = 1_000_000;
/// How long a sync that was frozen has to do what it should not: several of its renewals.
const AFTERMATH: Duration = Duration::from_secs(5);

fn is_past(date: &Value) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Timestamp::parse_iso(date.as_str().unwrap()).unwrap().unix() <= i64::try_from(now).unwrap()
}

/// Two tags, of which the second one's layer comes when the test lets it: to the first who asks.
async fn held_in_the_middle(world: &World) -> (Proxy, Arc<Notify>) {
    let upstream = format!("http://{}", world.stack.upstream);
    let (first, second) = (layer(rand::random(), 5_000), layer(rand::random(), 5_000));
    Image::oci("amd64", &[first]).push(&upstream, &world.path, "a").await;
    Image::oci("amd64", std::slice::from_ref(&second)).push(&upstream, &world.path, "b").await;
    let proxy = Proxy::start(&upstream).await;
    let release = Arc::new(Notify::new());
    let held = Fault::Held(release.clone(), Box::new(Fault::Delay(Duration::ZERO)));
    proxy.fault("GET", &format!("blobs/{}", Digest::sha256(&second)), 1, held);
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync_now().await;
    eventually("the first tag is there", Duration::from_secs(30), async || {
        (bucket::check(&world.stack, &world.repository).await.tags.len() == 1).then_some(())
    })
    .await;
    (proxy, release)
}

async fn sync_now_once_the_claim_has_expired(world: &World) {
    eventually("the claim expires", Duration::from_secs(30), async || {
        let asked = world.call(Method::POST, &world.mirror_path("/sync-now"), None).await;
        (asked.0 == 204).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sync_that_was_frozen_changes_nothing_after_another_one_took_over() {
    let world = World::new("zombie").await;
    let (proxy, release) = held_in_the_middle(&world).await;
    let frozen = Frozen::function_connected_to(proxy.port);
    let moved = Image::oci("amd64", &[layer(rand::random(), 10)]);
    moved.push(&format!("http://{}", world.stack.upstream), &world.path, "b").await;
    sync_now_once_the_claim_has_expired(&world).await;
    world.wait_for(&["SUCCESS"]).await;
    let seen = async || (world.mirror().await, world.runs().await, world.last_run().await, world.log().await);
    let before = seen().await;
    assert_eq!((&before.2["status"], &before.2["invocations"]), (&json!("SUCCESS"), &json!(2)), "{:?}", before.2);

    drop(frozen);
    release.notify_one();
    tokio::time::sleep(AFTERMATH).await;
    assert_eq!(seen().await, before);
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.get("b"), Some(&moved.digest()));
    assert_eq!(world.sync().await["status"], "SUCCESS", "and the mirror goes on");
}

#[tokio::test]
async fn a_claim_that_has_expired_is_not_renewed() {
    let world = World::new("expired").await;
    let (proxy, release) = held_in_the_middle(&world).await;
    let frozen = Frozen::function_connected_to(proxy.port);
    eventually("the claim expires", Duration::from_secs(30), async || {
        is_past(&world.mirror().await["sync_expiration_date"]).then_some(())
    })
    .await;
    let before = (world.mirror().await, world.last_run().await);
    drop(frozen);
    release.notify_one();
    tokio::time::sleep(AFTERMATH).await;
    assert_eq!((world.mirror().await, world.last_run().await), before, "it is as if it had been killed");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 1);
    sync_now_once_the_claim_has_expired(&world).await;
    world.wait_for(&["SUCCESS"]).await;
    assert_eq!(world.last_run().await["invocations"], 2, "whoever comes next goes on");
}

#[tokio::test]
async fn the_claim_of_a_discovery_that_has_expired_is_not_renewed_either() {
    let world = World::empty("expires").await;
    organization::push(&world, "one", &["v1"]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let release = Arc::new(Notify::new());
    proxy.fault("GET", "_catalog", 1, Fault::Held(release.clone(), Box::new(Fault::Delay(Duration::ZERO))));
    organization::create(&world, "distribution", &proxy.address, json!({})).await;
    organization::sync_now(&world).await;
    let asked = async || proxy.take_seen().iter().any(|seen| seen.path.contains("_catalog")).then_some(());
    eventually("it asks", Duration::from_secs(30), asked).await;
    let frozen = Frozen::function_connected_to(proxy.port);
    eventually("the claim expires", Duration::from_secs(30), async || {
        is_past(&organization::mirror(&world).await["sync_expiration_date"]).then_some(())
    })
    .await;
    let seen = async || (organization::mirror(&world).await, organization::log(&world).await);
    let before = seen().await;
    drop(frozen);
    release.notify_one();
    tokio::time::sleep(AFTERMATH).await;
    assert_eq!(seen().await, before, "it is as if it had been killed");
    organization::sync_now(&world).await;
    organization::wait_for(&world, json!({"SUCCESS": 1})).await;
}

#[tokio::test]
async fn what_a_registry_tells_one_namespace_keeps_no_other_one_waiting() {
    let (victim, attacker) = (World::new("victim").await, World::new("attacker").await);
    let upstream = format!("http://{}", victim.stack.upstream);
    for world in [&victim, &attacker] {
        Image::oci("amd64", &[layer(rand::random(), 10)]).push(&upstream, &world.path, "v1").await;
    }
    let proxy = Proxy::start(&upstream).await;
    let poison = vec![
        ("retry-after", "86000".to_owned()),
        ("ratelimit-remaining", "0".to_owned()),
        ("ratelimit-reset", "86000".to_owned()),
    ];
    for method in ["GET", "HEAD"] {
        proxy.fault(method, &attacker.path, ALWAYS, Fault::Status(429, poison.clone()));
    }
    attacker.create_mirror(&proxy.address, json!({})).await;
    attacker.sync_now().await;
    until_it_waits(&attacker).await;
    victim.create_mirror(&proxy.address, json!({"sync_start_date": "2026-01-01T00:00:00Z"})).await;
    victim.invoke(Trigger::Schedule).await;
    victim.wait_for(&["SUCCESS"]).await;
    assert_eq!(victim.last_run().await["waits"], 0);
}

async fn until_it_waits(world: &World) {
    eventually("the sync waits", Duration::from_secs(60), async || {
        world.mirror().await.get("sync_waiting_until").is_some().then_some(())
    })
    .await;
}

/// A mirror whose registry refused to answer for a day, and is well again.
async fn waiting(name: &str) -> (World, Proxy) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 10)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", "tags/list", ALWAYS, Fault::Status(429, vec![("retry-after", "80000".into())]));
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync_now().await;
    until_it_waits(&world).await;
    proxy.heal();
    (world, proxy)
}

#[tokio::test]
async fn sync_now_and_verify_end_a_wait() {
    for what in ["/sync-now", "/verify"] {
        let (world, _proxy) = waiting("impatient").await;
        let (status, answer) = world.call(Method::POST, &world.mirror_path(what), None).await;
        assert!(matches!(status, 202 | 204), "{what}: {answer}");
        world.wait_for(&["SUCCESS"]).await;
        let run = world.last_run().await;
        assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");
        assert!(world.mirror().await.get("sync_waiting_until").is_none());
    }
}

#[tokio::test]
async fn an_admin_has_a_limit_forgotten() {
    let (world, _proxy) = waiting("forget").await;
    let path = world.mirror_path("/rate-limit");
    for role in ["read", "write"] {
        let token = world.token(Some(&world.namespace), role).await;
        assert_eq!(world.send(Method::DELETE, &path, Some(&token), None).await.0, 403, "{role}");
    }
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    world.wait_for(&["SUCCESS"]).await;
    let run = world.last_run().await;
    assert_eq!((&run["waits"], &run["invocations"]), (&json!(1), &json!(2)), "the run that waited goes on: {run}");
    let told =
        |entry: &Value| entry["metadata"]["changed"] == "rate_limit" && entry["performer"]["name"] != Value::Null;
    assert!(world.log().await.iter().any(told));
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204, "nothing waits");
    assert_eq!(world.mirror().await["sync_status"], "SUCCESS");
    let elsewhere = format!("repository/{}/nothing/mirror/rate-limit", world.namespace);
    assert_eq!(world.call(Method::DELETE, &elsewhere, None).await.0, 404);
}

#[tokio::test]
async fn an_admin_has_a_limit_forgotten_of_an_organization() {
    let world = World::empty("forgets").await;
    organization::push(&world, "one", &["v1"]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let refused = || Fault::Status(429, vec![("retry-after", "80000".into())]);
    proxy.fault("GET", "_catalog", ALWAYS, refused());
    organization::create(&world, "distribution", &proxy.address, json!({})).await;
    let until_it_waits = async || {
        eventually("the discovery waits", Duration::from_secs(60), async || {
            organization::mirror(&world).await.get("sync_waiting_until").is_some().then_some(())
        })
        .await;
    };
    organization::sync_now(&world).await;
    until_it_waits().await;
    // Asked again, it asks again.
    proxy.take_seen();
    organization::sync_now(&world).await;
    eventually("it asks", Duration::from_secs(30), async || (!proxy.take_seen().is_empty()).then_some(())).await;
    until_it_waits().await;

    // A repository's limit is forgotten with its organization's.
    proxy.heal();
    proxy.fault("GET", "tags/list", ALWAYS, refused());
    let path = organization::path(&world, "/rate-limit");
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    let repositories = async || organization::repositories(&world, "").await["repositories"][0]["sync_status"].clone();
    let one = World { repository: organization::named(&world, "one"), ..world.clone() };
    let until_one_waits = async || {
        eventually("the repository's sync waits", Duration::from_secs(60), async || {
            (repositories().await == "SYNCING" && one.mirror().await.get("sync_waiting_until").is_some()).then_some(())
        })
        .await;
    };
    until_one_waits().await;
    // What waits is no reason to refuse Sync Now, and is asked for with all others.
    proxy.take_seen();
    organization::sync_now(&world).await;
    eventually("it is asked for", Duration::from_secs(30), async || {
        proxy.take_seen().iter().any(|seen| seen.path.contains("tags/list")).then_some(())
    })
    .await;
    until_one_waits().await;
    proxy.heal();
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    one.wait_for(&["SUCCESS"]).await;
    assert!(organization::log(&world).await.iter().any(|entry| entry["metadata"]["updated_fields"][0] == "rate_limit"));
}

#[tokio::test]
async fn a_table_that_fails_ends_the_run_with_its_log_and_gives_the_claim_up() {
    // What is read by the steps, and what is read before them.
    let filtered = json!({"architecture_filter": ["amd64"]});
    for (name, what, changes) in [("step", "TAG#broken", json!({})), ("begun", "SKIPPED#broken", filtered)] {
        let world = World::new(name).await;
        let image = Image::oci("amd64", &[layer(rand::random(), 10)]);
        image.push(&format!("http://{}", world.stack.upstream), &world.path, "v1").await;
        world.create_mirror(&world.stack.upstream, changes).await;
        // It lacks what each such item has.
        let broken = Key(format!("REPO#{}", world.repository), what.to_owned());
        table::set(&world.stack, &broken, [("tag", table::text("broken"))]).await;
        world.sync_now().await;
        let failed = eventually("the sync fails", SYNC_LIMIT, async || {
            let mirror = world.mirror().await;
            (mirror["sync_status"] == "FAIL").then_some(mirror)
        })
        .await;
        assert_eq!(failed["sync_expiration_date"], Value::Null, "the claim is nobody's: {failed}");
        // The first; another one may have begun since.
        let run = world.runs().await.pop().unwrap();
        assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("storage_error")), "{run}");
        assert_ne!(run["ended_at"], Value::Null);
        let log = world.log().await;
        assert!(log.iter().any(|entry| entry["kind"] == "repo_mirror_sync_failed"), "{log:?}");
        assert!(bucket::check(&world.stack, &world.repository).await.tags.is_empty());

        table::delete(&world.stack, &broken).await;
        sync_now_once_the_claim_has_expired(&world).await;
        world.wait_for(&["SUCCESS"]).await;
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
    }
}
