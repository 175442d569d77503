//! A call of the API. Whoever made it gets no answer, and makes it once more.

use moorage_tests::{
    lab::{Lab, gateway},
    world::World,
};
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::{SHORT, after_a_crash},
};

struct Change {
    world: World,
    call: (&'static str, String, Value),
}

impl Change {
    /// The schedules of mirrors: what they are for, when they fire, and whether they do.
    async fn schedules(&self, lab: &Lab) -> Vec<String> {
        let (scheduler, group) = (aws_sdk_scheduler::Client::new(&lab.stack.aws), &lab.stack.schedule_group);
        let mut listed = scheduler.list_schedules().group_name(group).into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(found) = listed.next().await {
            let name = found.unwrap().name.unwrap();
            let schedule = scheduler.get_schedule().group_name(group).name(name).send().await.unwrap();
            let input = schedule.target().unwrap().input().unwrap_or_default().to_owned();
            let (expression, state) = (schedule.schedule_expression().unwrap_or_default(), schedule.state().unwrap());
            all.push(format!("{input} {expression} {state}"));
        }
        all.sort();
        all
    }
}

impl Scenario for Change {
    const NAME: &str = "change";
    const SETTINGS: &[(&str, &str)] = SHORT;

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        let (method, path, body) = &self.call;
        let token = format!("Bearer {}", lab.stack.token);
        let headers = [("content-type", "application/json"), ("authorization", token.as_str())];
        let event = gateway::event(method, &format!("/api/v1/{path}"), "", &headers, &body.to_string());
        (lab.stack.api_function.clone(), event)
    }

    async fn check(&self, _: &Lab) {}

    async fn recover(&self, lab: &Lab) {
        after_a_crash(lab).await;
        let (method, path, body) = &self.call;
        let method = method.parse().unwrap();
        let (status, _) = self.world.at(&lab.stack).call(method, path, Some(body.clone())).await;
        // It may have been done the first time.
        assert!(matches!(status, 200..=204 | 400 | 404 | 409), "{status}");
        after_a_crash(lab).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        let world = self.world.at(&lab.stack);
        let mut seen = self.schedules(lab).await;
        for path in ["", "/mirror"] {
            let (status, mut found) =
                world.call(reqwest::Method::GET, &format!("repository/{}{path}", world.repository), None).await;
            if let Some(found) = found.as_object_mut() {
                found.retain(|name, _| !name.contains("date"));
            }
            seen.push(format!("{path} {status} {found}"));
        }
        seen
    }
}

async fn every_kill_of(name: &str, mirrored: bool, call: impl Fn(&World) -> (&'static str, String, Value)) {
    let world = World::new(name).await;
    if mirrored {
        world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    }
    let call = call(&world);
    let change = Change { world, call };
    every_kill(&change.world.stack, &change).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_may_be_created_by_a_call_that_is_killed() {
    let call = |world: &World| ("POST", world.mirror_path(""), world.mirror_body(&world.stack.upstream));
    every_kill_of("crash-create", false, call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_may_be_changed_by_a_call_that_is_killed() {
    let call = |world: &World| {
        let changes = json!({"sync_interval": 7_200, "is_enabled": false, "external_registry_username": "u", "external_registry_password": "p"});
        ("PUT", world.mirror_path(""), changes)
    };
    every_kill_of("crash-change", true, call).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_may_be_ended_by_a_call_that_is_killed() {
    every_kill_of("crash-end", true, |world| ("DELETE", world.mirror_path(""), Value::Null)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_may_be_deleted_by_a_call_that_is_killed() {
    every_kill_of("crash-delete", true, |world| ("DELETE", format!("repository/{}", world.repository), Value::Null))
        .await;
}
