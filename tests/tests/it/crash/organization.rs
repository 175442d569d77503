//! A round of an organization's mirror: repositories are found, made, queued and synced.

use std::collections::BTreeSet;

use moorage_tests::{
    bucket,
    image::{Image, layer},
    lab::Lab,
    organization_mirror as organization,
    registry::Registry,
    world::World,
};
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
