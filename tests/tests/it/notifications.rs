//! Who is told of what happens to a mirror: Quay's API, with events and methods of ours.

mod runs;

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use moorage_domain::notification::SigningSecret;
use moorage_tests::{
    eventually,
    image::{Image, layer},
    receiver::{Delivery, Manner, Receiver},
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

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
