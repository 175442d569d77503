//! A collection that has everything to do: links to take away, blobs to condemn, and condemned ones to delete.

use std::time::Duration;

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{Image, layer},
    lab::Lab,
    registry::Registry,
    seed,
    table::let_pass,
    world::World,
};
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::{SHORT, after_a_crash, collect},
};

struct Collection {
    world: World,
    /// What nothing links to, and was condemned.
    condemned: Vec<u8>,
    /// What nothing links to, as nobody has noticed.
    orphan: Vec<u8>,
    /// What the repository links to, and no tag needs.
    needless: Vec<u8>,
    _upstream: Registry,
}

impl Scenario for Collection {
    const NAME: &str = "collection";
    const SETTINGS: &[(&str, &str)] = SHORT;

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        let stack = &lab.stack;
        seed::put(stack, &bucket::blob_key(&Digest::sha256(&self.condemned)), self.condemned.clone()).await;
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        lab.run(&stack.gc_function, &json!({})).await;
        seed::put(stack, &bucket::blob_key(&Digest::sha256(&self.orphan)), self.orphan.clone()).await;
        seed::blob(stack, &self.world.repository, self.needless.clone()).await;
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let_pass(stack, Duration::from_secs(60)).await;
        (stack.gc_function.clone(), json!({"force": true}))
    }

    async fn check(&self, lab: &Lab) {
        bucket::check(&lab.stack, &self.world.repository).await;
    }

    async fn recover(&self, lab: &Lab) {
        after_a_crash(lab).await;
        collect(lab).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        let keys = bucket::keys(&lab.stack, bucket::ROOT).await;
        for gone in [&self.condemned, &self.orphan, &self.needless] {
            let digest = Digest::sha256(gone);
            assert!(!keys.iter().any(|key| key.contains(&*digest.hex())), "{digest} is left");
        }
        keys
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_may_be_killed_at_any_of_its_requests() {
    let (world, upstream) = (World::new("crash-collection").await, Registry::plain());
    for tag in ["a", "b"] {
        Image::oci("amd64", &[layer(rand::random(), 900)]).push(&upstream.url, &world.path, tag).await;
    }
    world.create_mirror(&upstream.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let [condemned, orphan, needless] = [10, 20, 30].map(|size| layer(rand::random(), size));
    let collection = Collection { world, condemned, orphan, needless, _upstream: upstream };
    every_kill(&collection.world.stack, &collection).await;
}
