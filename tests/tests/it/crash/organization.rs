//! A round of an organization's mirror: repositories are found, made, queued and synced; or one that turns them back.

use std::{collections::BTreeSet, time::Duration};

use moorage_tests::{
    bucket,
    image::{Image, layer},
    lab::Lab,
    organization_mirror as organization,
    registry::Registry,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::{SHORT, after_a_crash},
};

struct Round {
    world: World,
    _upstream: Registry,
}

impl Scenario for Round {
    const NAME: &str = "organization";
    const SETTINGS: &[(&str, &str)] = SHORT;

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        organization::sync_now(&self.world.at(&lab.stack)).await;
        lab.take_event().expect("Sync Now starts a discovery")
    }

    async fn check(&self, _: &Lab) {}

    async fn recover(&self, lab: &Lab) {
        lab.settle().await;
        after_a_crash(lab).await;
        if organization::mirror(&self.world.at(&lab.stack)).await["sync_status"] != "SUCCESS" {
            organization::sync_now(&self.world.at(&lab.stack)).await;
            lab.settle().await;
        }
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        let world = self.world.at(&lab.stack);
        let mirror = organization::mirror(&world).await;
        let mut seen: BTreeSet<String> = bucket::keys(&lab.stack, bucket::ROOT).await.into_iter().collect();
        seen.insert(format!("sync_status {}", mirror["sync_status"]));
        let counts = mirror["repo_sync_status_counts"].as_object().unwrap().iter();
        seen.extend(counts.map(|(status, count)| format!("{status}: {count}")));
        for found in organization::repositories(&world, "").await["repositories"].as_array().unwrap() {
            seen.insert(format!("{} {}", found["name"], found["sync_status"]));
        }
        seen.into_iter().collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_may_be_killed_at_any_of_its_requests() {
    let (world, upstream) = (World::empty("crash-round").await, Registry::plain());
    for name in ["one", "two"] {
        let path = format!("{}/{name}", world.namespace);
        Image::oci("amd64", &[layer(rand::random(), 900)]).push(&upstream.url, &path, "v1").await;
    }
    organization::create(&world, "distribution", &upstream.address, json!({})).await;
    let round = Round { world, _upstream: upstream };
    every_kill(&round.world.stack, &round).await;
}

struct Rollback {
    world: World,
    /// When the first round had ended.
    at: Value,
    _upstream: Registry,
}

impl Rollback {
    const NAMES: [&str; 3] = ["new", "one", "two"];

    async fn new() -> Self {
        let (world, upstream) = (World::empty("crash-org-rollback").await, Registry::plain());
        let push = async |name: &str| {
            let path = format!("{}/{name}", world.namespace);
            Image::oci("amd64", &[layer(rand::random(), 900)]).push(&upstream.url, &path, "v1").await;
        };
        push("one").await;
        push("two").await;
        organization::create(&world, "distribution", &upstream.address, json!({})).await;
        organization::sync_now(&world).await;
        organization::wait_for(&world, json!({"SUCCESS": 2})).await;
        let found = organization::repositories(&world, "").await;
        let ended = found["repositories"].as_array().unwrap().iter().map(|it| it["last_sync_date"].as_str().unwrap());
        let at = json!(ended.max().unwrap());
        // Moments are whole seconds.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        for name in Self::NAMES {
            push(name).await;
        }
        organization::sync_now(&world).await;
        organization::wait_for(&world, json!({"SUCCESS": 3})).await;
        Self { world, at, _upstream: upstream }
    }

    fn repository(&self, lab: &Lab, name: &str) -> World {
        World { repository: organization::named(&self.world, name), ..self.world.at(&lab.stack) }
    }
}

impl Scenario for Rollback {
    const NAME: &str = "organization-rollback";
    // What tags were is to be remembered.
    const SETTINGS: &[(&str, &str)] = &[("CLAIM_SECONDS", "120")];

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        let world = self.world.at(&lab.stack);
        let path = organization::path(&world, "/rollback");
        let (status, answer) = world.call(Method::POST, &path, Some(json!({"at": self.at}))).await;
        assert_eq!(status, 202, "{answer}");
        lab.take_event().expect("it begins at once")
    }

    async fn check(&self, lab: &Lab) {
        for name in Self::NAMES {
            bucket::check(&lab.stack, &organization::named(&self.world, name)).await;
        }
    }

    async fn recover(&self, lab: &Lab) {
        lab.settle().await;
        after_a_crash(lab).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        let mut seen = Vec::new();
        let shown = organization::mirror(&self.world.at(&lab.stack)).await;
        seen.push(format!("{} paused {}", shown["sync_status"], shown["paused"]["since"].is_string()));
        for name in Self::NAMES {
            let world = self.repository(lab, name);
            let mirror = world.mirror().await;
            seen.push(format!("{name} {} paused {}", mirror["sync_status"], mirror["paused"]["since"].is_string()));
            let held = bucket::check(&lab.stack, &world.repository).await;
            seen.extend(held.tags.iter().map(|(tag, digest)| format!("{name}:{tag} {digest}")));
            let runs = world.runs().await;
            seen.extend(runs.iter().map(|run| format!("{name} run {} {}", run["status"], run["trigger"])));
        }
        seen
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organizations_rollback_may_be_killed_at_any_of_its_requests() {
    let rollback = Rollback::new().await;
    every_kill(&rollback.world.stack, &rollback).await;
}
