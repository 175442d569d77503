//! Schedules: made from the mirror's configuration, and really firing.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_scheduler::{operation::get_schedule::GetScheduleError, types::ScheduleState};
use moorage_domain::{
    Timestamp,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use serde_json::json;

fn in_seconds(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_unix(i64::try_from(now).unwrap() + seconds).iso()
}

/// The mirror's schedule: expression, state, input and start.
async fn schedule(world: &World) -> (String, ScheduleState, serde_json::Value, Option<i64>) {
    find(world).await.unwrap_or_else(|| panic!("{} has no schedule", world.repository))
}

async fn find(world: &World) -> Option<(String, ScheduleState, serde_json::Value, Option<i64>)> {
    let scheduler = aws_sdk_scheduler::Client::new(&world.stack.aws);
    let get = scheduler.get_schedule().group_name(&world.stack.schedule_group).name(name(world));
    let schedule = match get.send().await {
        Ok(schedule) => schedule,
        Err(error) if error.as_service_error().is_some_and(GetScheduleError::is_resource_not_found_exception) => {
            return None;
        }
        Err(error) => panic!("{error:?}"),
    };
    let input: serde_json::Value = serde_json::from_str(schedule.target().unwrap().input().unwrap()).unwrap();
    assert_eq!(input["repository"], world.repository.as_str());
    let expression = schedule.schedule_expression().unwrap().to_owned();
    let start = schedule.start_date().map(aws_sdk_scheduler::primitives::DateTime::secs);
    Some((expression, schedule.state().unwrap().clone(), input, start))
}

fn name(world: &World) -> String {
    let hash = moorage_domain::Digest::sha256(world.repository.as_str().as_bytes());
    format!("mirror-{}", &hash.hex()[..32])
}

#[tokio::test]
async fn a_schedule_ends_with_its_mirror() {
    let world = World::new("with").await;
    for _ in 0..2 {
        world.create_mirror(&world.stack.upstream, json!({})).await;
        assert!(find(&world).await.is_some());
        assert_eq!(world.call(reqwest::Method::DELETE, &world.mirror_path(""), None).await.0, 204);
        assert!(find(&world).await.is_none());
        assert_eq!(world.call(reqwest::Method::DELETE, &world.mirror_path(""), None).await.0, 404);
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let repository = format!("repository/{}", world.repository);
    assert_eq!(world.call(reqwest::Method::DELETE, &repository, None).await.0, 204);
    assert!(find(&world).await.is_none());
}

#[tokio::test]
async fn schedules_that_went_astray_are_mended() {
    let (lost, wrong, orphan) = (World::new("lost").await, World::new("wrong").await, World::new("orphan").await);
    let scheduler = aws_sdk_scheduler::Client::new(&lost.stack.aws);
    for world in [&lost, &wrong, &orphan] {
        world.create_mirror(&world.stack.upstream, json!({"sync_interval": 7_200})).await;
    }
    // One schedule is gone; one is as the configuration before was; one has lost its mirror.
    let delete = scheduler.delete_schedule().group_name(&lost.stack.schedule_group).name(name(&lost));
    delete.send().await.unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(&lost.stack.aws);
    let key = |world: &World| aws_sdk_dynamodb::types::AttributeValue::S(format!("REPO#{}", world.repository));
    let sk = aws_sdk_dynamodb::types::AttributeValue::S("MIRROR".into());
    let number = |number: u64| aws_sdk_dynamodb::types::AttributeValue::N(number.to_string());
    let update = dynamodb.update_item().table_name(&wrong.stack.table).key("pk", key(&wrong)).key("sk", sk.clone());
    let update = update.update_expression("SET sync_interval = :interval, config_revision = :revision");
    let update = update.expression_attribute_values(":interval", number(3_600));
    update.expression_attribute_values(":revision", number(2)).send().await.unwrap();
    let forget = dynamodb.delete_item().table_name(&orphan.stack.table).key("pk", key(&orphan)).key("sk", sk);
    forget.send().await.unwrap();

    let TaskAnswer::Reconciled { mended, removed, .. } =
        lost.task(&Task::Reconcile { invocation: 0, after: None }).await
    else {
        panic!()
    };
    assert!(mended >= 2 && removed >= 1, "{mended} {removed}");
    assert_eq!(schedule(&lost).await.0, "rate(120 minutes)");
    assert_eq!(schedule(&wrong).await.0, "rate(60 minutes)");
    assert!(find(&orphan).await.is_none());

    // Once more there is nothing to do; and a change is seen at once.
    let TaskAnswer::Reconciled { .. } = lost.task(&Task::Reconcile { invocation: 0, after: None }).await else {
        panic!()
    };
    lost.change_mirror(json!({"is_enabled": false})).await;
    assert_eq!(schedule(&lost).await.1, ScheduleState::Disabled);
    let before = schedule(&wrong).await;
    wrong.change_mirror(json!({"external_registry_username": "x"})).await;
    assert_eq!(schedule(&wrong).await, before, "what does not concern the schedule leaves it alone");
}

#[tokio::test]
async fn the_schedule_fires_at_the_start_date() {
    let world = World::new("fires").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let start = in_seconds(5);
    world.create_mirror(&world.stack.upstream, json!({"sync_start_date": start})).await;
    assert_eq!(world.mirror().await["sync_status"], "NEVER_RUN");
    world.wait_for(&["SUCCESS"]).await;
    assert_eq!(world.last_run().await["trigger"], "schedule");
    let mirror = world.mirror().await;
    let (start, next) = (start.parse_iso(), mirror["sync_start_date"].as_str().unwrap().to_owned().parse_iso());
    assert_eq!(next - start, 86_400, "the next start is the grid's next point");
}

#[tokio::test]
async fn a_start_in_the_past_syncs_soon_and_a_disabled_mirror_does_not() {
    let (past, off) = (World::new("past").await, World::new("off").await);
    let upstream = format!("http://{}", past.stack.upstream);
    for world in [&past, &off] {
        Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    }
    let start = json!({"sync_start_date": "2024-05-05T05:05:05Z", "sync_interval": 3_600});
    let mut disabled = start.clone();
    disabled["is_enabled"] = json!(false);
    off.create_mirror(&off.stack.upstream, disabled).await;
    past.create_mirror(&past.stack.upstream, start).await;
    past.wait_for(&["SUCCESS"]).await;
    assert!(past.mirror().await["sync_start_date"].as_str().unwrap().ends_with(":05:05Z"), "the grid is kept");

    assert_eq!(schedule(&off).await.1, ScheduleState::Disabled);
    assert_eq!(off.mirror().await["sync_status"], "NEVER_RUN");
    assert_eq!(off.sync().await["status"], "SUCCESS", "Sync Now works all the same");

    // A repository that is something else for a while is left alone.
    let state = format!("repository/{}/changestate", past.repository);
    let normal = past.call(reqwest::Method::PUT, &state, Some(json!({"state": "NORMAL"}))).await;
    assert_eq!(normal.0, 200);
    for what in ["/sync-now", "/verify"] {
        let refused = past.call(reqwest::Method::POST, &past.mirror_path(what), Some(json!({}))).await;
        assert_eq!(refused.0, 409, "it would stay pending: {}", refused.1);
        assert!(refused.1["detail"].as_str().unwrap().contains("MIRROR"), "{}", refused.1);
    }
    assert_eq!((past.mirror().await["sync_status"].as_str(), past.runs().await.len()), (Some("SUCCESS"), 1));
}

#[tokio::test]
async fn sync_now_before_a_far_start_moves_it_along_the_grid_as_in_quay() {
    let world = World::new("ahead").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({"sync_start_date": "2099-01-01T00:30:00Z"})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let next = world.mirror().await["sync_start_date"].as_str().unwrap().to_owned();
    assert!(next.ends_with("T00:30:00Z") && next.parse_iso() - in_seconds(0).parse_iso() <= 86_400, "{next}");
    assert_eq!(schedule(&world).await.3, Some(next.parse_iso()), "the schedule goes with it");
}

#[tokio::test]
async fn a_change_while_a_sync_runs_harms_neither() {
    let world = World::new("meanwhile").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 100)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", "/blobs/", 1, Fault::Delay(std::time::Duration::from_secs(3)));
    let start = "2024-05-05T05:05:05Z".to_owned();
    let slow = json!({"sync_start_date": start, "sync_interval": 86_400, "is_enabled": false});
    world.create_mirror(&proxy.address, slow).await;
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    world
        .change_mirror(
            json!({"sync_interval": 7_200, "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v1"]}}),
        )
        .await;
    assert_eq!(world.mirror().await["sync_status"], "SYNCING");
    world.wait_for(&["SUCCESS"]).await;
    let mirror = world.mirror().await;
    let next = mirror["sync_start_date"].as_str().unwrap().to_owned();
    assert_eq!(
        (&mirror["sync_interval"], (next.parse_iso() - start.parse_iso()) % 7_200),
        (&json!(7_200), 0),
        "the grid is kept"
    );
    assert!(next.parse_iso() > in_seconds(0).parse_iso(), "{next} lies ahead");
    assert_eq!(schedule(&world).await.0, "rate(120 minutes)");
}

#[tokio::test]
async fn changes_of_the_mirror_reach_the_schedule() {
    let world = World::new("reach").await;
    world.create_mirror(&world.stack.upstream, json!({"sync_interval": 90})).await;
    let (expression, state, input, _) = schedule(&world).await;
    assert_eq!((expression.as_str(), state), ("rate(2 minutes)", ScheduleState::Enabled), "Scheduler knows no seconds");
    assert_eq!(input["trigger"], "schedule");
    world.change_mirror(json!({"sync_interval": 7_200})).await;
    assert_eq!(schedule(&world).await.0, "rate(120 minutes)");
    world.change_mirror(json!({"is_enabled": false})).await;
    let (expression, state, ..) = schedule(&world).await;
    assert_eq!(
        (expression.as_str(), state),
        ("rate(120 minutes)", ScheduleState::Disabled),
        "an update keeps the rest"
    );
    world.change_mirror(json!({"is_enabled": true})).await;
    assert_eq!(schedule(&world).await.1, ScheduleState::Enabled);
}

trait ParseIso {
    fn parse_iso(&self) -> i64;
}

impl ParseIso for String {
    fn parse_iso(&self) -> i64 {
        Timestamp::parse_iso(self).unwrap().unix()
    }
}
