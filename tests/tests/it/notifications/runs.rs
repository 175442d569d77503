//! What is told of runs: each once, by itself or for its organization, and never lost.

use std::time::Duration;

use moorage_domain::task::Task;
use moorage_tests::{
    proxy::{Fault, Proxy},
    receiver::Receiver,
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DELIVERY, QUIET, push, queue, told, until, webhook};

#[tokio::test]
async fn a_run_is_told_of_once_as_quay_does_and_what_it_changed() {
    let (world, receiver) = (World::new("told").await, Receiver::start().await);
    let image = push(&world, "v1").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let events =
        ["sync_started", "sync_success", "sync_failed", "changed", "recovered"].map(|it| format!("repo_mirror_{it}"));
    for event in &events {
        webhook(&world, &receiver, event, json!({})).await;
    }
    let run = world.sync().await;
    let success = told(&receiver, "repo_mirror_sync_success", 1).await.remove(0);
    let started = told(&receiver, "repo_mirror_sync_started", 1).await.remove(0);
    let changed = told(&receiver, "repo_mirror_changed", 1).await.remove(0);
    let (reference, name) = (format!("{}/{}", proxy.address, world.path), world.repository.to_string());
    for delivery in [&started, &success] {
        let body = &delivery.body;
        assert_eq!(body["message"], format!("'{reference}' with tag pattern '*'"), "{body}");
        assert_eq!((&body["repository"], &body["name"]), (&json!(name), &json!(world.repository.name())));
        assert_eq!(body["namespace"], world.repository.namespace().as_str());
        let host = world.stack.url.split_once("://").unwrap().1.trim_end_matches('/');
        assert_eq!(body["docker_url"], format!("{host}/{name}"));
        assert_eq!(body["homepage"], format!("http://{host}/repository/{name}"));
        assert_eq!(body["run_id"], run["run_id"]);
    }
    assert_eq!((&success.body["tags"]["copied"], &success.body["status"]), (&json!(1), &json!("SUCCESS")));
    let expected = json!([{"tag": "v1", "change": "created", "to": image.digest()}]);
    assert_eq!(changed.body["changed_tags"], expected, "{}", changed.body);

    // A failure is told when it is the last try, and once.
    proxy.fault("GET", "tags/list", 1_000, Fault::Status(500, Vec::new()));
    let run = world.sync().await;
    assert_eq!(run["status"], "FAIL", "{run}");
    let failed = told(&receiver, "repo_mirror_sync_failed", 1).await.remove(0);
    assert_eq!(failed.body["failure"]["reason"], "registry_error", "{}", failed.body);
    assert_eq!(failed.body["run_id"], run["run_id"]);
    proxy.heal();
    let moved = push(&world, "v1").await;
    world.sync().await;
    told(&receiver, "repo_mirror_recovered", 1).await;
    let changed = told(&receiver, "repo_mirror_changed", 2).await.remove(1);
    let expected = json!([{"tag": "v1", "change": "moved", "from": image.digest(), "to": moved.digest()}]);
    assert_eq!(changed.body["changed_tags"], expected, "{}", changed.body);
    tokio::time::sleep(QUIET).await;
    let counts = events.map(|event| receiver.of(&event).len());
    assert_eq!((counts[1], counts[2], counts[3], counts[4]), (2, 1, 2, 1), "each once");
}

#[tokio::test]
async fn what_was_lost_between_a_run_and_its_notification_is_told_by_the_watch() {
    let (world, receiver) = (World::new("lostnotice").await, Receiver::start().await);
    push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let run = world.sync().await;
    let id: Uuid = run["run_id"].as_str().unwrap().parse().unwrap();
    let key = table::Key(format!("REPO#{}", world.repository), format!("RUN#{id}"));
    // The run of a sync that was killed just then is as this one was before anybody was told.
    until(DELIVERY, || async { !table::get(&world.stack, &key).await.unwrap().contains_key("active") }).await;
    webhook(&world, &receiver, "repo_mirror_sync_success", json!({})).await;
    table::set(&world.stack, &key, [("active", table::text("UNTOLD"))]).await;
    world.task(&Task::Watch {}).await;
    let told = told(&receiver, "repo_mirror_sync_success", 1).await;
    assert_eq!(told[0].body["run_id"], run["run_id"]);
    until(DELIVERY, || async { !table::get(&world.stack, &key).await.unwrap().contains_key("active") }).await;
}

#[tokio::test]
async fn silence_is_told_once() {
    let (world, receiver) = (World::new("silence").await, Receiver::start().await);
    push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    webhook(&world, &receiver, "repo_mirror_late", json!({"intervals": 3})).await;
    let key = table::Key::mirror(&world.repository);
    let before = table::number(now() - 4 * 86_400);
    // Its first start lies ahead: it is not late, however long ago it was made.
    table::set(&world.stack, &key, [("created", before.clone())]).await;
    world.task(&Task::Reconcile { invocation: 0, after: None }).await;
    world.sync().await;
    assert!(receiver.seen().is_empty(), "{:?}", receiver.seen());
    table::set(&world.stack, &key, [("last_success", before)]).await;
    world.task(&Task::Reconcile { invocation: 0, after: None }).await;
    let late = told(&receiver, "repo_mirror_late", 1).await;
    assert!(late[0].body["intervals"].as_u64().unwrap() >= 3, "{}", late[0].body);
    world.task(&Task::Reconcile { invocation: 0, after: None }).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(receiver.of("repo_mirror_late").len(), 1);
}

#[tokio::test]
async fn a_cancelled_sync_is_no_failure() {
    let (world, receiver) = (World::new("cancelled").await, Receiver::start().await);
    push(&world, "v1").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    proxy.fault("GET", "manifests", 1_000, Fault::Delay(Duration::from_secs(4)));
    world.create_mirror(&proxy.address, json!({})).await;
    webhook(&world, &receiver, "repo_mirror_sync_failed", json!({"every_attempt": true})).await;
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    let (status, _) = world.call(Method::POST, &world.mirror_path("/sync-cancel"), None).await;
    assert_eq!(status, 204);
    until(DELIVERY, || async { world.last_run().await["status"] == "CANCEL" }).await;
    tokio::time::sleep(QUIET).await;
    assert!(receiver.seen().is_empty(), "{:?}", receiver.seen());
}

#[tokio::test]
async fn an_organization_is_told_of_all_its_mirrors() {
    let (world, receiver) = (World::new("orgnotes").await, Receiver::start().await);
    let organization = world.repository.namespace();
    let notifications = format!("organization/{organization}/notifications");
    let config = json!({"event": "repo_mirror_changed", "method": "webhook", "config": {"url": receiver.url}, "eventConfig": {"tags": ["v*"]}});
    let (status, made) = world.call(Method::POST, &notifications, Some(config)).await;
    assert_eq!(status, 201, "{made}");
    push(&world, "v1").await;
    push(&world, "edge").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    world.sync().await;
    let changed = told(&receiver, "repo_mirror_changed", 1).await;
    assert_eq!(changed[0].body["repository"], world.repository.as_str());
    push(&world, "edge").await;
    world.sync().await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(receiver.seen().len(), 1, "tags that nobody asked about are not told of");
    let uuid = made["uuid"].as_str().unwrap();
    assert_eq!(world.call(Method::DELETE, &format!("{notifications}/{uuid}"), None).await.0, 204);
    assert_eq!(world.call(Method::GET, &notifications, None).await.1, json!({"notifications": []}));
}

#[tokio::test]
async fn every_run_is_an_event_on_the_accounts_bus() {
    let world = World::new("busevents").await;
    let (rules, sqs) = (aws_sdk_eventbridge::Client::new(&world.stack.aws), aws_sdk_sqs::Client::new(&world.stack.aws));
    let name = format!("heard-{}", world.repository.namespace());
    let (queue, arn) = queue(&sqs, &name).await;
    let pattern = json!({"source": ["moorage"], "detail": {"repository": [world.repository.as_str()]}});
    rules.put_rule().name(&name).event_pattern(pattern.to_string()).send().await.unwrap();
    let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(&arn).build().unwrap();
    rules.put_targets().rule(&name).targets(target).send().await.unwrap();
    push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let run = world.sync().await;
    let messages = sqs.receive_message().queue_url(&queue).wait_time_seconds(15).send().await.unwrap();
    let event: Value = serde_json::from_str(messages.messages()[0].body().unwrap()).unwrap();
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("moorage"), &json!("Mirror Sync Ended")), "{event}");
    assert_eq!(
        (&event["detail"]["run_id"], &event["detail"]["tags"]["copied"]),
        (&run["run_id"], &json!(1)),
        "{event}"
    );
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
