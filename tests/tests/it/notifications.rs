//! Who is told of what happens to a mirror: Quay's API, with events and methods of ours.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use moorage_domain::{notification::SigningSecret, task::Task};
use moorage_tests::{
    eventually,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    receiver::{Delivery, Manner, Receiver},
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// How long a message may be on its way.
const DELIVERY: Duration = Duration::from_secs(20);
/// How long one waits for what is not to come.
const QUIET: Duration = Duration::from_secs(3);

/// Waits until something is so.
async fn until(limit: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    eventually("it is so", limit, async || is_so().await.then_some(())).await;
}

async fn push(world: &World, tag: &str) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image
}

fn path(world: &World, what: &str) -> String {
    format!("repository/{}/notification/{what}", world.repository)
}

async fn create(world: &World, event: &str, method: &str, config: Value, event_config: Value) -> (u16, Value) {
    let body =
        json!({"event": event, "method": method, "config": config, "eventConfig": event_config, "title": "ours"});
    world.call(Method::POST, &path(world, ""), Some(body)).await
}

/// Creates a webhook, and returns its name.
async fn webhook(world: &World, receiver: &Receiver, event: &str, event_config: Value) -> String {
    let (status, made) = create(world, event, "webhook", json!({"url": receiver.url}), event_config).await;
    assert_eq!(status, 201, "{made}");
    made["uuid"].as_str().unwrap().to_owned()
}

/// A queue that takes what anybody sends: its URL and its ARN.
async fn queue(sqs: &aws_sdk_sqs::Client, name: &str) -> (String, String) {
    let url = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let attributes = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let arn = attributes.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let set = sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::Policy, policy);
    set.send().await.unwrap();
    (url, arn)
}

/// Waits for so many deliveries of an event.
async fn told(receiver: &Receiver, event: &str, count: usize) -> Vec<Delivery> {
    until(DELIVERY, || async { receiver.of(event).len() >= count }).await;
    receiver.of(event)
}

#[tokio::test]
async fn quays_calls_have_quays_shapes() {
    let world = World::new("quayshape").await;
    let receiver = Receiver::start().await;
    let template = r#"{"text": "${message}"}"#;
    let config = json!({"url": receiver.url, "template": template});
    let (status, made) =
        create(&world, "repo_mirror_sync_failed", "webhook", config.clone(), json!({"level": 3})).await;
    assert_eq!(status, 201, "{made}");
    let uuid = made["uuid"].as_str().unwrap().to_owned();
    let expected = json!({
        "uuid": uuid, "title": "ours", "event": "repo_mirror_sync_failed", "method": "webhook", "config": config,
        "event_config": {"level": 3}, "number_of_failures": 0, "enabled": true, "signed": false,
    });
    assert_eq!(made, expected);
    assert_eq!(world.call(Method::GET, &path(&world, &uuid), None).await, (200, expected.clone()));
    let all = world.call(Method::GET, &path(&world, ""), None).await;
    assert_eq!(all, (200, json!({"notifications": [expected]})));

    assert_eq!(world.call(Method::POST, &path(&world, &format!("{uuid}/test")), None).await, (200, json!({})));
    until(DELIVERY, || async { receiver.seen().len() == 1 }).await;
    assert_eq!(receiver.seen()[0].body, json!({"text": "TEST NOTIFICATION"}));
    assert_eq!(receiver.seen()[0].header("content-type"), "application/json");

    assert_eq!(world.call(Method::POST, &path(&world, &uuid), None).await.0, 204, "reset");
    assert_eq!(world.call(Method::DELETE, &path(&world, &uuid), None).await.0, 204);
    assert_eq!(world.call(Method::GET, &path(&world, &uuid), None).await.0, 404);
    for (method, what) in
        [(Method::DELETE, uuid.clone()), (Method::POST, uuid.clone()), (Method::POST, format!("{uuid}/test"))]
    {
        let (status, answer) = world.call(method.clone(), &path(&world, &what), None).await;
        let said = format!(
            "No repository notification found for: {}, {}, {uuid}",
            world.repository.namespace(),
            world.repository.name()
        );
        assert_eq!((status, &answer["error_message"]), (400, &json!(said)), "{method} {what}");
    }
    let kinds: Vec<_> = world.log().await.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
    for kind in ["add_repo_notification", "reset_repo_notification", "delete_repo_notification"] {
        assert_eq!(kinds.iter().filter(|it| *it == kind).count(), 1, "{kind}: {kinds:?}");
    }
    let reader = world.token(Some(world.repository.namespace().as_str()), "read").await;
    assert_eq!(world.send(Method::GET, &path(&world, ""), Some(&reader), None).await.0, 403);
}

#[tokio::test]
async fn what_is_wrong_in_a_notification_is_told() {
    let world = World::new("badnotes").await;
    let url = json!({"url": "http://127.0.0.1:9/x"});
    for (event, method, config, event_config, says) in [
        ("repo_push", "webhook", url.clone(), json!({}), "event"),
        ("repo_mirror_sync_failed", "email", json!({"email": "a@example.com"}), json!({}), "sns"),
        ("repo_mirror_sync_failed", "hipchat", json!({}), json!({}), "method"),
        ("repo_mirror_sync_failed", "webhook", json!({}), json!({}), "Missing webhook URL"),
        ("repo_mirror_sync_failed", "webhook", json!({"url": "ftp://x"}), json!({}), "Invalid webhook URL"),
        ("repo_mirror_sync_failed", "webhook", json!({"url": "http://10.1.2.3/"}), json!({}), "Invalid webhook URL"),
        (
            "repo_mirror_sync_failed",
            "webhook",
            json!({"url": "http://127.0.0.1:9/x", "template": "{"}),
            json!({}),
            "template",
        ),
        (
            "repo_mirror_sync_failed",
            "webhook",
            json!({"url": "http://127.0.0.1:9/x", "secret": "short"}),
            json!({}),
            "config.secret",
        ),
        ("repo_mirror_sync_failed", "slack", json!({}), json!({}), "Missing Slack Callback URL"),
        ("repo_mirror_sync_failed", "sns", json!({"topic_arn": "topic"}), json!({}), "config.topic_arn"),
        ("repo_mirror_sync_failed", "eventbridge", json!({"bus": "default"}), json!({}), "config.bus"),
        ("repo_mirror_sync_failed", "webhook", url.clone(), json!({"only": "recovery"}), "eventConfig.only"),
    ] {
        let (status, answer) = create(&world, event, method, config.clone(), event_config).await;
        assert!(status == 400 && answer.to_string().contains(says), "{event} {method} {config}: {status} {answer}");
    }
    let (status, answer) = world.call(Method::POST, &path(&world, ""), Some(json!({"event": "x"}))).await;
    assert_eq!(status, 400, "{answer}");
}

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
async fn messages_are_signed_and_the_secret_is_never_shown() {
    let (world, receiver) = (World::new("signed").await, Receiver::start().await);
    let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let config = json!({"url": receiver.url, "secret": text});
    let (status, made) = create(&world, "repo_mirror_sync_success", "webhook", config, json!({})).await;
    assert_eq!((status, &made["signed"], &made["config"]), (201, &json!(true), &json!({"url": receiver.url})));
    let uuid = made["uuid"].as_str().unwrap();
    world.call(Method::POST, &path(&world, &format!("{uuid}/test")), None).await;
    until(DELIVERY, || async { receiver.seen().len() == 1 }).await;
    let delivery = receiver.seen().remove(0);
    let secret = SigningSecret::parse(text).unwrap();
    let (id, at) = (delivery.header("webhook-id"), delivery.header("webhook-timestamp").parse().unwrap());
    assert_eq!(delivery.header("webhook-signature"), secret.sign(id, at, &delivery.bytes).unwrap());
    let stored = table::all_of(&world.stack, &world.repository).await;
    assert!(!format!("{stored:?}").contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "the table has it encrypted only");
}

#[tokio::test]
async fn a_receiver_that_does_not_take_it_is_tried_again_and_delays_nobody() {
    let world = World::new("receivers").await;
    push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let other = Receiver::start().await;
    let receivers =
        [Receiver::start().await, Receiver::start().await, Receiver::start().await, Receiver::start().await];
    let manners = [
        Manner::Status(500),
        Manner::Redirect(other.url.clone()),
        Manner::Late(Duration::from_secs(30)),
        Manner::Large(10_000_000),
    ];
    let good = Receiver::start().await;
    let event = "repo_mirror_sync_success";
    for (receiver, manner) in receivers.iter().zip(manners) {
        receiver.answer_with(manner);
        webhook(&world, receiver, event, json!({})).await;
    }
    webhook(&world, &good, event, json!({})).await;
    world.sync().await;
    told(&good, event, 1).await;
    // Whoever answers a success has taken it, however much they say.
    for receiver in &receivers {
        told(receiver, event, 1).await;
    }
    receivers[0].answer_with(Manner::Status(200));
    let again = told(&receivers[0], event, 2).await;
    assert_eq!(again[0].header("webhook-id"), again[1].header("webhook-id"), "the same message");
    assert!(other.seen().is_empty(), "nobody is followed elsewhere");
    assert_eq!(receivers[3].of(event).len(), 1);
}

#[tokio::test]
async fn three_events_that_nobody_takes_switch_a_notification_off_until_it_is_reset() {
    let (world, receiver) = (World::new("switchedoff").await, Receiver::start().await);
    let event = "repo_mirror_sync_success";
    let uuid = webhook(&world, &receiver, event, json!({})).await;
    receiver.answer_with(Manner::Status(503));
    let failures = || async {
        let (_, shown) = world.call(Method::GET, &path(&world, &uuid), None).await;
        shown["number_of_failures"].as_u64().unwrap()
    };
    for count in 1..=3 {
        world.call(Method::POST, &path(&world, &format!("{uuid}/test")), None).await;
        until(Duration::from_secs(60), || async { failures().await == count }).await;
    }
    assert_eq!(receiver.seen().len(), 9, "each test is tried three times");
    let (_, shown) = world.call(Method::GET, &path(&world, &uuid), None).await;
    assert_eq!(shown["enabled"], false);
    push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    receiver.answer_with(Manner::Status(200));
    world.sync().await;
    tokio::time::sleep(QUIET).await;
    assert!(receiver.of(event).iter().all(|it| it.body["message"] == "TEST NOTIFICATION"), "it is off");
    world.call(Method::POST, &path(&world, &uuid), None).await;
    world.sync().await;
    until(DELIVERY, || async { receiver.of(event).iter().any(|it| it.body["status"] == "SUCCESS") }).await;
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
async fn topics_buses_slack_and_people_are_told_too() {
    let (world, receiver) = (World::new("methods").await, Receiver::start().await);
    let (sns, sqs) = (aws_sdk_sns::Client::new(&world.stack.aws), aws_sdk_sqs::Client::new(&world.stack.aws));
    let name = format!("told-{}", world.repository.namespace());
    let topic = sns.create_topic().name(&name).send().await.unwrap().topic_arn.unwrap();
    let (queue, arn) = queue(&sqs, &name).await;
    sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&arn).send().await.unwrap();
    let event = "repo_mirror_sync_success";
    let buses = aws_sdk_eventbridge::Client::new(&world.stack.aws);
    let bus = buses.create_event_bus().name(&name).send().await.unwrap().event_bus_arn.unwrap();
    let (bus_queue, bus_arn) = self::queue(&sqs, &format!("{name}-bus")).await;
    let pattern = json!({"source": ["moorage"]}).to_string();
    buses.put_rule().name(&name).event_bus_name(&name).event_pattern(pattern).send().await.unwrap();
    let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(&bus_arn).build().unwrap();
    buses.put_targets().rule(&name).event_bus_name(&name).targets(target).send().await.unwrap();
    for (method, config) in [
        ("sns", json!({"topic_arn": topic})),
        ("eventbridge", json!({"bus": bus})),
        ("slack", json!({"url": receiver.url})),
        ("quay_notification", json!({"target": {"kind": "org", "name": world.repository.namespace().as_str()}})),
    ] {
        let (status, made) = create(&world, event, method, config, json!({})).await;
        assert_eq!(status, 201, "{made}");
    }
    push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let run = world.sync().await;
    until(DELIVERY, || async { receiver.seen().len() == 1 }).await;
    let slack = receiver.seen().remove(0).body;
    assert!(slack["text"].as_str().unwrap().starts_with("Repository Mirror success for '"), "{slack}");
    assert_eq!((&slack["username"], &slack["attachments"][0]["color"]), (&json!("quayiobot"), &json!("good")));
    let notes = format!("organization/{}/notes", world.repository.namespace());
    until(DELIVERY, || async { world.call(Method::GET, &notes, None).await.1["notes"].as_array().unwrap().len() == 1 })
        .await;
    let (_, shown) = world.call(Method::GET, &notes, None).await;
    assert_eq!((&shown["notes"][0]["kind"], &shown["notes"][0]["metadata"]["run_id"]), (&json!(event), &run["run_id"]));
    let messages = sqs.receive_message().queue_url(&queue).wait_time_seconds(15).send().await.unwrap();
    let body: Value = serde_json::from_str(messages.messages()[0].body().unwrap()).unwrap();
    let message: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
    assert_eq!(message["run_id"], run["run_id"], "{body}");
    let messages = sqs.receive_message().queue_url(&bus_queue).wait_time_seconds(15).send().await.unwrap();
    let event: Value = serde_json::from_str(messages.messages()[0].body().unwrap()).unwrap();
    assert_eq!(
        (&event["detail-type"], &event["detail"]["run_id"]),
        (&json!("repo_mirror_sync_success"), &run["run_id"])
    );
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
