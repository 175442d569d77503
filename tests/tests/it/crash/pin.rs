//! Pinning a run, and unpinning it. Whoever asked gets no answer, and asks once more.

use std::time::Duration;

use moorage_domain::{
    run::RunId,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    function::Outcome,
    image::{Image, layer},
    lab::{Lab, gateway},
    registry::Registry,
    table::{self, Key, let_pass},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::after_a_crash,
};

/// Longer than anybody who makes a pin needs.
const HOURS: Duration = Duration::from_secs(2 * 3_600);
/// What expires later than this, in Unix seconds, never does.
const FAR: i64 = 100_000_000_000;

struct Pin {
    world: World,
    run: RunId,
    /// Whether it is pinned before, and unpinned.
    ends: bool,
    _upstream: Registry,
}

impl Pin {
    /// A run of which one tag has moved since.
    async fn new(name: &str, ends: bool) -> Self {
        let (world, upstream) = (World::new(name).await, Registry::plain());
        let (url, path) = (&upstream.url, &world.path);
        let push = async |tag: &str| Image::oci("amd64", &[layer(rand::random(), 500)]).push(url, path, tag).await;
        push("moves").await;
        push("stays").await;
        world.create_mirror(&upstream.address, json!({})).await;
        let first = world.sync().await;
        assert_eq!(first["status"], "SUCCESS", "{first}");
        // Moments are whole seconds.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        push("moves").await;
        assert_eq!(world.sync().await["status"], "SUCCESS");
        let pin =
            Self { run: serde_json::from_value(first["run_id"].clone()).unwrap(), world, ends, _upstream: upstream };
        if ends {
            pin.ask(&pin.world, Method::PUT).await;
        }
        pin
    }

    fn path(&self) -> String {
        self.world.mirror_path(&format!("/runs/{}/pin", self.run))
    }

    async fn ask(&self, world: &World, method: Method) {
        let (status, said) = world.call(method, &self.path(), None).await;
        assert!(matches!(status, 200 | 204), "{status} {said}");
    }
}

impl Scenario for Pin {
    const NAME: &str = "pin";
    // What tags were is to be remembered.
    const SETTINGS: &[(&str, &str)] = &[("CLAIM_SECONDS", "120")];

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        if self.ends {
            let token = format!("Bearer {}", lab.stack.token);
            let event = gateway::event(
                "DELETE",
                &format!("/api/v1/{}", self.path()),
                "",
                &[("authorization", token.as_str())],
                "",
            );
            return (lab.stack.api_function.clone(), event);
        }
        let task =
            Task::PinRun { repository: self.world.repository.clone(), run_id: self.run, reason: None, log: None };
        (lab.stack.sync_function.clone(), serde_json::to_value(task).unwrap())
    }

    /// A pin is whole from the moment on in which it is one.
    async fn check(&self, lab: &Lab) {
        let world = self.world.at(&lab.stack);
        if world.runs().await.iter().any(|run| run["pinned"] != Value::Null) {
            let task = Task::PinRun { repository: world.repository.clone(), run_id: self.run, reason: None, log: None };
            let Outcome::Answer(answer) = lab.task(&task).await else { panic!("it is not answered") };
            let answer: TaskAnswer = serde_json::from_value(answer).unwrap();
            assert!(matches!(&answer, TaskAnswer::Pinned { is_new: false, pin } if pin.unverified == 0), "{answer:?}");
        }
    }

    async fn recover(&self, lab: &Lab) {
        after_a_crash(lab).await;
        self.ask(&self.world.at(&lab.stack), if self.ends { Method::DELETE } else { Method::PUT }).await;
        // What somebody has left who was killed is taken away by whoever comes hours later.
        let_pass(&lab.stack, HOURS).await;
        lab.task(&Task::Reconcile { invocation: 0, after: None }).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        let world = self.world.at(&lab.stack);
        let runs = world.runs().await;
        let mut seen: Vec<_> =
            runs.iter().map(|run| format!("{} {} {}", run["trigger"], run["status"], run["pinned"]["tags"])).collect();
        let items = table::all_of(&world.stack, &world.repository).await;
        for kind in ["PIN#", "PINNEDTAGS#", "LOOSEPIN#"] {
            seen.push(format!("{} {kind}", items.keys().filter(|sk| sk.starts_with(kind)).count()));
        }
        // The run, and what it tells of its tags.
        for sk in [format!("RUN#{}", self.run), format!("OUTCOMES#{}#{1:010}#{1:010}", self.run, 0)] {
            let item = table::get(&world.stack, &Key(format!("REPO#{}", world.repository), sk)).await.unwrap();
            let expires: i64 = item["expires_at"].as_n().unwrap().parse().unwrap();
            seen.push(format!(
                "expires: {}, {:?}",
                expires < FAR,
                item.get("pinned").map(|of| of.as_ss().unwrap().len())
            ));
        }
        seen
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_may_be_pinned_by_one_who_is_killed_at_any_request() {
    let pin = Pin::new("crash-pin", false).await;
    every_kill(&pin.world.stack, &pin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_may_be_unpinned_by_one_who_is_killed_at_any_request() {
    let pin = Pin::new("crash-unpin", true).await;
    every_kill(&pin.world.stack, &pin).await;
}
