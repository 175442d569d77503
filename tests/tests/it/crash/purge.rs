//! The end of a repository with images.

use moorage_domain::task::Task;
use moorage_tests::{
    aws::fault::Fault,
    bucket,
    image::{Image, layer},
    lab::Lab,
    registry::Registry,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::{SHORT, after_a_crash, collect},
};

struct Purge {
    world: World,
    _upstream: Registry,
}

impl Purge {
    fn path(&self) -> String {
        format!("repository/{}", self.world.repository)
    }
}

impl Scenario for Purge {
    const NAME: &str = "purge";
    const SETTINGS: &[(&str, &str)] = SHORT;

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        // Whoever deletes it waits for the purge, which does not get far.
        lab.trouble_next(Box::new(|_| Fault::KillBefore));
        self.world.at(&lab.stack).call(Method::DELETE, &self.path(), None).await;
        let purge = Task::Purge { repository: self.world.repository.clone() };
        (lab.stack.sync_function.clone(), serde_json::to_value(purge).unwrap())
    }

    async fn check(&self, lab: &Lab) {
        assert_eq!(self.world.at(&lab.stack).call(Method::GET, &self.path(), None).await.0, 404);
    }

    async fn recover(&self, lab: &Lab) {
        after_a_crash(lab).await;
        collect(lab).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        let keys = bucket::keys(&lab.stack, bucket::ROOT).await;
        let name = format!("/{}/", self.world.repository);
        assert!(!keys.iter().any(|key| key.contains(&name)), "nothing of the repository is left");
        // The name may be taken again, and what comes is new.
        let body = json!({
            "namespace": self.world.namespace, "repository": "app", "visibility": "private", "description": "",
            "repo_kind": "image",
        });
        assert_eq!(self.world.at(&lab.stack).call(Method::POST, "repository", Some(body)).await.0, 201);
        keys
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_may_be_killed_at_any_of_its_requests() {
    let (world, upstream) = (World::new("crash-purge").await, Registry::plain());
    for tag in ["a", "b", "c"] {
        Image::oci("amd64", &[layer(rand::random(), 900)]).push(&upstream.url, &world.path, tag).await;
    }
    world.create_mirror(&upstream.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let purge = Purge { world, _upstream: upstream };
    every_kill(&purge.world.stack, &purge).await;
}
