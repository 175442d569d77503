//! Requests as CloudFormation sends them and the emulator does not: of what could not be made, a second time, back from a
//! replacement; and answers that are hard to give.

use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use moorage_tests::{
    function::{Function, Outcome},
    lab, logs,
    receiver::{Manner, Receiver},
    stack::Stack,
    world::World,
};
use serde_json::{Value, json};

use super::{name, shown};

/// A stack that is played.
struct Played {
    world: World,
    receiver: Receiver,
    stack_id: String,
}

/// What the function answered.
#[derive(Debug)]
struct Said {
    is_success: bool,
    physical_id: String,
    reason: String,
    body: Value,
}

fn function() -> String {
    std::env::var("MOORAGE_RESOURCE_FUNCTION").unwrap()
}

fn said(body: &Value) -> Said {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    Said {
        is_success: body["Status"] == "SUCCESS",
        physical_id: text("PhysicalResourceId"),
        reason: text("Reason"),
        body: body.clone(),
    }
}

/// Invokes the deployed function, and returns the failure that it says it had.
async fn invoke(stack: &Stack, event: &Value) -> Option<Value> {
    let invoke = aws_sdk_lambda::Client::new(&stack.aws).invoke().function_name(function());
    let answer = invoke.payload(Blob::new(event.to_string())).send().await.unwrap();
    answer.function_error.map(|_| serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap())
}

impl Played {
    async fn new(test: &str) -> Self {
        let stack_id = format!("arn:aws:cloudformation:us-east-1:000000000000:stack/{}/1", name(test));
        Self { world: World::empty(test).await, receiver: Receiver::start().await, stack_id }
    }

    fn event(
        &self,
        request: &str,
        kind: &str,
        physical_id: Option<&str>,
        properties: &Value,
        old: Option<&Value>,
    ) -> Value {
        let mut event = json!({
            "RequestType": request, "RequestId": name("request"), "StackId": self.stack_id, "LogicalResourceId": "It",
            "ResponseURL": format!("{}/answer?X-Amz-Signature=hunter2", self.receiver.url), "ResourceType": format!("Custom::Moorage{kind}"),
            "ResourceProperties": properties,
        });
        if let Some(id) = physical_id {
            event["PhysicalResourceId"] = id.into();
        }
        if let Some(old) = old {
            event["OldResourceProperties"] = old.clone();
        }
        event
    }

    /// Sends a request, and returns the answer to it.
    async fn send(&self, event: &Value) -> Said {
        let before = self.receiver.seen().len();
        assert_eq!(invoke(&self.world.stack, event).await, None);
        let seen = self.receiver.seen();
        assert_eq!(seen.len(), before + 1, "one answer");
        let answer = &seen[before];
        assert!(answer.bytes.len() <= 4096 && answer.header("content-type").is_empty(), "{answer:?}");
        assert_eq!(answer.path, "/answer?X-Amz-Signature=hunter2");
        for field in ["StackId", "RequestId", "LogicalResourceId"] {
            assert_eq!(answer.body[field], event[field]);
        }
        said(&answer.body)
    }

    async fn ask(
        &self,
        request: &str,
        kind: &str,
        physical_id: Option<&str>,
        properties: &Value,
        old: Option<&Value>,
    ) -> Said {
        self.send(&self.event(request, kind, physical_id, properties, old)).await
    }
}

#[tokio::test]
async fn what_was_never_made_is_deleted_without_touching_anything() {
    let played = Played::new("nevermade").await;
    let there = json!({"name": played.world.namespace, "OnDelete": "remove"});
    let refused = played.ask("Create", "Organization", None, &there, None).await;
    assert!(!refused.is_success && refused.reason.contains("exists already"), "{refused:?}");
    assert!(played.ask("Delete", "Organization", Some(&refused.physical_id), &there, None).await.is_success);
    // Nor by the name that it would have, of another stack, of another type, or of one that there is not.
    for (kind, id) in [
        ("Organization", format!("moorage/{}/organization", played.world.namespace)),
        ("Organization", "moorage/nobody/organization".to_owned()),
        ("Organization", "else".to_owned()),
        ("Team", "moorage/acme/team".to_owned()),
    ] {
        assert!(played.ask("Delete", kind, Some(&id), &there, None).await.is_success, "{kind} {id}");
    }
    assert!(shown(&played.world, &format!("organization/{}", played.world.namespace)).await.is_ok());
}

#[tokio::test]
async fn a_request_that_comes_twice_does_no_harm() {
    let played = Played::new("twice").await;
    let robot = json!({"organization": played.world.namespace, "robot_shortname": "bot2", "description": "d"});
    let create = played.event("Create", "Robot", None, &robot, None);
    let (first, second) = (played.send(&create).await, played.send(&create).await);
    assert!(first.is_success && second.is_success, "{first:?} {second:?}");
    assert_eq!(first.body, second.body);
    assert!(!first.body.to_string().contains("token"), "no token is among the attributes");
    let notification = json!({
        "organization": played.world.namespace, "event": "repo_mirror_late", "method": "webhook", "config": {"url": played.receiver.url},
    });
    let create = played.event("Create", "Notification", None, &notification, None);
    let (first, second) = (played.send(&create).await, played.send(&create).await);
    assert_eq!(first.body["Data"]["uuid"], second.body["Data"]["uuid"], "{second:?}");
    for kind in ["Notification", "Robot"] {
        let id = if kind == "Robot" {
            format!("moorage/{}+bot2/robot", played.world.namespace)
        } else {
            first.physical_id.clone()
        };
        let delete = played.event("Delete", kind, Some(&id), &json!({}), None);
        assert!(played.send(&delete).await.is_success && played.send(&delete).await.is_success, "{kind}");
    }
    let path = format!("organization/{}/notifications", played.world.namespace);
    assert_eq!(shown(&played.world, &path).await.unwrap()["notifications"], json!([]));
}

#[tokio::test]
async fn a_stack_goes_back_from_a_replacement_to_what_it_had() {
    let played = Played::new("goesback").await;
    let repository =
        |name: &str| json!({"repository": format!("{}/{name}", played.world.namespace), "description": name});
    let (before, after) = (repository("before"), repository("after"));
    let first = played.ask("Create", "Repository", None, &before, None).await;
    let second = played.ask("Update", "Repository", Some(&first.physical_id), &after, Some(&before)).await;
    assert!(second.is_success && second.physical_id != first.physical_id, "{second:?}");
    let back = played.ask("Update", "Repository", Some(&second.physical_id), &before, Some(&after)).await;
    assert_eq!((back.is_success, &back.physical_id), (true, &first.physical_id), "{back:?}");
    assert!(played.ask("Delete", "Repository", Some(&second.physical_id), &after, None).await.is_success);
    let path = |name: &str| format!("repository/{}/{name}", played.world.namespace);
    assert_eq!(shown(&played.world, &path("before")).await.unwrap()["description"], "before");
    assert_eq!(shown(&played.world, &path("after")).await, Err(404));

    // A failed update keeps its name, whatever it was to become: CloudFormation would delete the one that it does not know.
    let failed =
        played.ask("Update", "Repository", Some(&first.physical_id), &json!({"repository": "x"}), Some(&before)).await;
    assert_eq!((failed.is_success, &failed.physical_id), (false, &first.physical_id));
    // What another stack has taken over since is that one's.
    let other = Played {
        stack_id: format!("{}-other", played.stack_id),
        world: played.world.clone(),
        receiver: Receiver::start().await,
    };
    let mut adopting = before.clone();
    adopting["Adopt"] = "true".into();
    assert!(other.ask("Create", "Repository", None, &adopting, None).await.is_success);
    let lost = played.ask("Update", "Repository", Some(&first.physical_id), &before, Some(&before)).await;
    assert!(lost.reason.contains("belongs to another stack by now"), "{lost:?}");
    let mut removing = before.clone();
    removing["OnDelete"] = "remove".into();
    assert!(played.ask("Delete", "Repository", Some(&first.physical_id), &removing, None).await.is_success);
    assert!(shown(&played.world, &path("before")).await.is_ok());
}

#[tokio::test]
async fn answers_are_given_whatever_is_wrong_and_only_where_they_may_be() {
    let played = Played::new("answered").await;
    let mut unread = played.event("Create", "Robot", None, &json!({}), None);
    unread["RequestType"] = "Reboot".into();
    let answer = played.send(&unread).await;
    assert!(!answer.is_success && answer.reason == "the event is not what CloudFormation sends", "{answer:?}");
    let long = json!({"organization": played.world.namespace, "robot_shortname": "bot3", "x".repeat(9000): "1"});
    assert!(!played.ask("Create", "Robot", None, &long, None).await.is_success);

    // An answer that is not taken is given again, and one that leads elsewhere is not followed.
    let harmless = played.event("Delete", "Robot", Some("moorage/not-created"), &json!({}), None);
    let seen = played.receiver.seen().len();
    played.receiver.answer_with(Manner::Redirect("http://127.0.0.1:9/".to_owned()));
    let failed = invoke(&played.world.stack, &harmless).await.expect("it says so");
    assert_eq!((&failed["errorType"], played.receiver.seen().len()), (&json!("CallbackError"), seen + 1), "{failed}");
    let mut plain = harmless.clone();
    plain["ResponseURL"] = "http://169.254.169.254/latest?X-Amz-Signature=hunter2".into();
    let failed = invoke(&played.world.stack, &plain).await.expect("it says so");
    assert_eq!(failed["errorMessage"], "the ResponseURL is not https");
    assert!(invoke(&played.world.stack, &json!({"RequestType": "Create"})).await.is_some(), "nobody could be answered");
    for line in logs::lines(&played.world.stack, &function(), "").await {
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_told_of_in_time() {
    let played = Played::new("intime").await;
    let folder = tempfile::tempdir().unwrap();
    let settings = async |api: &str| {
        let mut variables = lab::settings_of(&played.world.stack.aws, &function()).await;
        variables.insert("AWS_ENDPOINT_URL".to_owned(), played.world.stack.endpoint().to_owned());
        variables.insert("PUBLIC_URL".to_owned(), api.to_owned());
        variables
    };
    let api = Receiver::start().await;
    api.answer_with(Manner::Late(Duration::from_secs(60)));
    let create = played.event("Create", "Organization", None, &json!({"name": "never"}), None);
    for (number, (url, within, reason)) in (1..).zip([
        (api.url.as_str(), 6, "it is not done yet, and the function's time is up: try again"),
        ("http://127.0.0.1:9", 60, "the API: 127.0.0.1 cannot be reached"),
    ]) {
        let function = Function::start("resource", &settings(url).await, folder.path()).await;
        let (begun, within) = (Instant::now(), Duration::from_secs(within));
        let outcome = function.invoke(&create, within).await;
        assert_eq!(outcome, Outcome::Answer(Value::Null), "{}", function.log());
        assert!(begun.elapsed() < within, "an answer that comes with the deadline comes too late");
        let answers = played.receiver.seen();
        let answer = said(&answers[number - 1].body);
        assert!(!answer.is_success && answer.reason.starts_with(reason), "{answer:?}");
        assert_eq!(answer.physical_id, "moorage/not-created");
    }
}
