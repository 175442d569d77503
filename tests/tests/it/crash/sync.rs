//! A small sync with everything in it: an image that is new, one that is as it was, one whose tag moved, one that is gone,
//! and a referrer.

use moorage_tests::{
    bucket,
    image::{Image, layer},
    lab::Lab,
    registry::Registry,
    world::World,
};
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::{SHORT, after_a_crash, collect},
};

struct Sync {
    world: World,
    _upstream: Registry,
}

impl Scenario for Sync {
    const NAME: &str = "sync";
    const SETTINGS: &[(&str, &str)] = SHORT;

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        begin(&self.world.at(&lab.stack), lab).await
    }

    async fn check(&self, lab: &Lab) {
        check(&self.world.at(&lab.stack)).await;
    }

    async fn recover(&self, lab: &Lab) {
        recover(&self.world.at(&lab.stack), lab).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        observe(&self.world.at(&lab.stack)).await
    }
}

/// Asks for a sync, and returns the invocation that does it.
pub(super) async fn begin(world: &World, lab: &Lab) -> (String, Value) {
    world.sync_now().await;
    lab.take_event().expect("Sync Now starts a sync")
}

/// What holds of a mirror at any moment: the bucket is sound, and no content was stored that was there.
pub(super) async fn check(world: &World) {
    bucket::check(&world.stack, &world.repository).await;
    let twice = bucket::stored_twice(&world.stack).await;
    assert!(twice.is_empty(), "stored twice: {twice:?}");
}

/// The mirror is synced, by itself or because somebody asks, and what nobody needs goes.
pub(super) async fn recover(world: &World, lab: &Lab) {
    after_a_crash(lab).await;
    if world.mirror().await["sync_status"] != "SUCCESS" {
        world.sync_now().await;
        lab.settle().await;
    }
    check(world).await;
    collect(lab).await;
}

/// What is stored, and what the mirror says of itself.
pub(super) async fn observe(world: &World) -> Vec<String> {
    let mut seen = bucket::keys(&world.stack, bucket::ROOT).await;
    let mirror = world.mirror().await;
    for field in ["sync_status", "sync_warning", "sync_retries_remaining"] {
        seen.push(format!("{field} {}", mirror[field]));
    }
    let (runs, log) = (world.runs().await, world.log().await);
    for run in &runs {
        assert_ne!(run["status"], "SYNCING", "{run}");
        let is_whole = ["tags", "bytes"].iter().all(|it| run[format!("{it}_done")] == run[format!("{it}_total")]);
        assert!(is_whole || run["status"] != "SUCCESS", "{run}");
    }
    let started = log.iter().filter(|entry| entry["kind"] == "repo_mirror_sync_started").count();
    assert_eq!(started, runs.len(), "each run has begun once");
    let mut log: Vec<String> = log.iter().map(logged).collect();
    log.sort();
    log.dedup();
    seen.extend(log);
    seen
}

/// What is the same of an entry of the log, however often it was tried.
fn logged(entry: &Value) -> String {
    format!("{} {} {}", entry["kind"], entry["metadata"]["tag"], entry["metadata"]["manifest_digest"])
}

impl Sync {
    async fn new() -> Self {
        let (world, upstream) = (World::new("crash-sync").await, Registry::plain());
        let (url, path) = (&upstream.url, &world.path);
        let image = |size| Image::oci("amd64", &[layer(rand::random(), size)]);
        let (same, gone) = (image(2_000), image(3_000));
        same.push(url, path, "same").await;
        image(1_000).push(url, path, "moves").await;
        gone.push(url, path, "gone").await;
        world.create_mirror(&upstream.address, json!({})).await;
        assert_eq!(world.sync().await["status"], "SUCCESS");
        let new = Image::index(vec![image(4_000), image(5_000)]);
        new.push(url, path, "new").await;
        Image::referrers(vec![Image::referrer(&new, layer(rand::random(), 70))])
            .push(url, path, &new.referrers_tag())
            .await;
        image(6_000).push(url, path, "moves").await;
        let manifest = format!("{url}/v2/{path}/manifests/{}", gone.digest());
        assert_eq!(moorage_tests::http().delete(manifest).send().await.unwrap().status().as_u16(), 202);
        Self { world, _upstream: upstream }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_may_be_killed_at_any_of_its_requests() {
    let sync = Sync::new().await;
    every_kill(&sync.world.stack, &sync).await;
}
