//! Turning tags back: one that moved, one that is new, one that is gone, and what is attached to them.

use std::time::Duration;

use moorage_tests::{
    bucket,
    image::{self, Image, layer},
    lab::Lab,
    registry::Registry,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::after_a_crash,
};

struct Rollback {
    world: World,
    /// The run whose end the tags are turned back to.
    first: Value,
    _upstream: Registry,
}

impl Scenario for Rollback {
    const NAME: &str = "rollback";
    // What tags were is to be remembered.
    const SETTINGS: &[(&str, &str)] = &[("CLAIM_SECONDS", "120")];

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        let world = self.world.at(&lab.stack);
        let body = json!({"run_id": self.first["run_id"]});
        let (status, answer) = world.call(Method::POST, &world.mirror_path("/rollback"), Some(body)).await;
        assert_eq!(status, 202, "{answer}");
        lab.take_event().expect("it begins at once")
    }

    async fn check(&self, lab: &Lab) {
        bucket::check(&lab.stack, &self.world.repository).await;
    }

    async fn recover(&self, lab: &Lab) {
        after_a_crash(lab).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        let world = self.world.at(&lab.stack);
        let mut seen = bucket::keys(&world.stack, bucket::ROOT).await;
        let mirror = world.mirror().await;
        seen.push(format!("{} paused {}", mirror["sync_status"], mirror["paused"]["since"].is_string()));
        let (status, tags) =
            world.call(Method::GET, &format!("repository/{}/tag/?onlyActiveTags=true", world.repository), None).await;
        assert_eq!(status, 200, "{tags}");
        let tag = |tag: &Value| format!("{} {} {}", tag["name"], tag["manifest_digest"], tag["reversion"]);
        // They come in the order of their last changes.
        let mut tags: Vec<_> = tags["tags"].as_array().unwrap().iter().map(tag).collect();
        tags.sort();
        seen.extend(tags);
        let runs = world.runs().await;
        seen.extend(
            runs.iter()
                .map(|run| format!("run {} {} {}", run["run_id"] == runs[0]["run_id"], run["status"], run["trigger"])),
        );
        let log = world.log().await;
        let mut log: Vec<_> = log.iter().map(|it| format!("{} {}", it["kind"], it["metadata"]["tag"])).collect();
        log.sort();
        log.dedup();
        seen.extend(log);
        seen
    }
}

impl Rollback {
    async fn new() -> Self {
        let (world, upstream) = (World::new("crash-rollback").await, Registry::plain());
        let (url, path) = (&upstream.url, &world.path);
        let image = |size| Image::oci("amd64", &[layer(rand::random(), size)]);
        let signed = async |tag: &str| {
            let image = image(500);
            image.push(url, path, tag).await;
            let list = Image::referrers(vec![Image::referrer(&image, layer(rand::random(), 70))]);
            list.push(url, path, &image.referrers_tag()).await;
            [image, list]
        };
        let gone = signed("gone").await;
        signed("moves").await;
        world.create_mirror(&upstream.address, json!({})).await;
        let first = world.sync().await;
        assert_eq!(first["status"], "SUCCESS", "{first}");
        // Moments are whole seconds.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        signed("moves").await;
        image(700).push(url, path, "new").await;
        for image in &gone {
            image::delete(url, path, &image.digest()).await;
        }
        let second = world.sync().await;
        assert_eq!(second["status"], "SUCCESS", "{second}");
        Self { world, first, _upstream: upstream }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_may_be_killed_at_any_of_its_requests() {
    let rollback = Rollback::new().await;
    every_kill(&rollback.world.stack, &rollback).await;
}
