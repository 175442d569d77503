use uuid::Uuid;

use super::*;
use crate::{
    Digest, FailureReason, Timestamp, Warning,
    changes::{TagChange, TagState},
    failure::Failure,
    notification::{Ending, FailedTag},
    run::{RunId, RunStatus, Trigger},
};

struct Mirror {
    repository: RepositoryName,
    reference: ExternalReference,
    rule: RootRule,
}

impl Mirror {
    fn new() -> Self {
        let rule = RootRule::new(vec!["v*".to_owned(), "latest".to_owned()]).unwrap();
        let (repository, reference) = ("acme/tools/app".parse().unwrap(), "quay.io/redhat/quay".parse().unwrap());
        Self { repository, reference, rule }
    }

    fn place(&self) -> Place<'_> {
        let Self { repository, reference, rule } = self;
        Place { repository, public_url: "https://mirror.example.com/", reference, rule }
    }
}

const PATTERN: &str = "'quay.io/redhat/quay' with tag pattern 'v*,latest'";

fn ended(ending: Ending) -> Happening {
    Happening::new(Moment::Ended { ending, before: None })
}

fn run() -> Run {
    let mut run = Run::new(RunId(Uuid::nil()), Trigger::Schedule, Timestamp::from_unix(0), false);
    run.status = RunStatus::Fail;
    run.ended_at = Some(Timestamp::from_unix(60));
    (run.progress.tags_total, run.progress.bytes_copied) = (3, 4_096);
    run
}

fn failed(tag: &str, message: &str) -> FailedTag {
    FailedTag { tag: tag.parse().unwrap(), failure: Failure::new(FailureReason::NotFound, message.to_owned()) }
}

fn moved(tag: &str) -> TagChange {
    let [before, after] = [1, 2].map(|n: u8| TagState::at(Digest::sha256(&[n])));
    TagChange::between(&tag.parse().unwrap(), &before, &after).unwrap()
}

#[test]
fn quays_fields_are_quays() {
    let mirror = Mirror::new();
    let quay = |message: &str| {
        json!({
            "repository": "acme/tools/app",
            "namespace": "acme",
            "name": "tools/app",
            "docker_url": "mirror.example.com/acme/tools/app",
            "homepage": "https://mirror.example.com/repository/acme/tools/app",
            "message": message,
        })
    };
    let only_quays = |mut body: Value| {
        let expected = quay("");
        body.as_object_mut().unwrap().retain(|key, _| expected.get(key).is_some());
        body
    };
    for event in Event::ALL {
        assert_eq!(
            only_quays(sample(event, mirror.place().repository, mirror.place().public_url)),
            quay("TEST NOTIFICATION")
        );
        assert_eq!(sample(event, mirror.place().repository, mirror.place().public_url)["event"], event.as_str());
    }
    let started = body(Event::Started, mirror.place(), &Happening::new(Moment::Started), None);
    assert_eq!(only_quays(started), quay(PATTERN));
    assert_eq!(only_quays(body(Event::Success, mirror.place(), &ended(Ending::Success), None)), quay(PATTERN));
}

#[test]
fn failures_are_told_in_quays_words() {
    let mirror = Mirror::new();
    let told = |failure: Failure, failed: Vec<FailedTag>| {
        let happening = Happening { failure: Some(failure), failed, ..ended(Ending::Failure) };
        body(Event::Failed, mirror.place(), &happening, None)["message"].as_str().unwrap().to_owned()
    };
    let failure = |reason| Failure::new(reason, "the registry answers 500".to_owned());
    let error = failure(FailureReason::RegistryError);
    assert_eq!(told(error.clone(), Vec::new()), format!("{PATTERN}: the registry answers 500"));
    assert_eq!(told(error, vec![failed("v1", "x")]), format!("{PATTERN}: PARTIAL SYNC"));
    assert_eq!(told(Failure::fault(), Vec::new()), format!("{PATTERN}: INTERNAL ERROR"));
    let refused = failure(FailureReason::InvalidSourceRegistry);
    assert_eq!(told(refused, Vec::new()), "Source registry location is not allowed");
    assert_eq!(told(failure(FailureReason::Preempted), Vec::new()), "'quay.io/redhat/quay' job lost");
}

#[test]
fn ours_are_beside_them() {
    let mirror = Mirror::new();
    let happening = Happening {
        failure: Some(Failure::new(FailureReason::NotFound, "gone".to_owned())),
        failed: vec![failed("v1", "gone")],
        changes: vec![moved("v2")],
        ..ended(Ending::Failure)
    };
    let body = body(Event::Failed, mirror.place(), &happening, Some(&run()));
    assert_eq!(body["event"], "repo_mirror_sync_failed");
    assert_eq!(
        (&body["run_id"], &body["trigger"], &body["status"]),
        (&json!(Uuid::nil()), &json!("schedule"), &json!("FAIL"))
    );
    assert_eq!(
        (&body["started_at"], &body["ended_at"]),
        (&json!("1970-01-01T00:00:00Z"), &json!("1970-01-01T00:01:00Z"))
    );
    assert_eq!((&body["tags"]["total"], &body["bytes"]["copied"]), (&json!(3), &json!(4_096)));
    assert_eq!(body["failure"]["reason"], "not_found");
    assert_eq!(body["failed_tags"], json!([{"tag": "v1", "reason": "not_found", "message": "gone"}]));
    let [from, to] = [1, 2].map(|n: u8| Digest::sha256(&[n]));
    assert_eq!(body["changed_tags"], json!([{"tag": "v2", "change": "moved", "from": from, "to": to}]));
    assert_eq!((&body["failed_tags_total"], &body["changed_tags_total"]), (&json!(1), &json!(1)));
    let link = format!("https://mirror.example.com/console#/repository/acme/tools/app/mirroring?run={}", Uuid::nil());
    assert_eq!(body["link"], json!(link));
    assert_eq!(body.get("warning"), None);
}

#[test]
fn our_events_say_what_they_are() {
    let mirror = Mirror::new();
    let at = Timestamp::from_unix;
    let moved = vec![moved("v1"), moved("v2")];
    let warning = Warning::DeletionsHeld { tags: 30, limit: 10, deselected: 0 };
    let refused = vec!["v1".parse().unwrap()];
    for (event, happening, text) in [
        (Event::Changed, Happening { changes: moved, ..ended(Ending::Success) }, "tags changed: 2 moved"),
        (Event::Recovered, ended(Ending::Success), "everything is mirrored again"),
        (
            Event::Late,
            Happening::new(Moment::Late { since: at(0), intervals: 3 }),
            "no sync has mirrored everything since 1970-01-01T00:00:00Z, 3 intervals ago",
        ),
        (Event::DeletionsHeld, Happening { warning: Some(warning), ..ended(Ending::Success) }, "the registry does not"),
        (Event::Held, ended(Ending::Success), "0 tags wait at the gate"),
        (Event::SignatureRefused, Happening { refused, ..ended(Ending::Failure) }, "1 tags are not signed"),
        (
            Event::Waiting,
            Happening::new(Moment::Waiting { until: at(60), again: false }),
            "waits for the registry until 1970-01-01T00:01:00Z",
        ),
    ] {
        let body = body(event, mirror.place(), &happening, None);
        let message = body["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{PATTERN}: {text}")), "{message}");
    }
}

#[test]
fn bodies_are_bounded() {
    let mut mirror = Mirror::new();
    mirror.rule = RootRule::new((0..1_000).map(|n| format!("{}{n}", "é".repeat(500))).collect()).unwrap();
    let long = |n: u32| format!("{}{n}", "t".repeat(120));
    let happening = Happening {
        failure: Some(Failure::new(FailureReason::NotFound, "é".repeat(10_000))),
        failed: (0..10_000).map(|n| failed(&long(n), &"é".repeat(1_000))).collect(),
        changes: (0..10_000).map(|n| moved(&long(n))).collect(),
        refused: (0..10_000).map(|n| long(n).parse().unwrap()).collect(),
        warning: Some(Warning::ListEmpty { tags: 4 }),
        ..ended(Ending::Failure)
    };
    for event in Event::ALL {
        let body = body(event, mirror.place(), &happening, Some(&run()));
        assert_eq!((&body["failed_tags_total"], &body["changed_tags_total"]), (&json!(10_000), &json!(10_000)));
        assert_eq!(body["failed_tags"].as_array().unwrap().len(), MAX_FAILED);
        let length = body.to_string().len();
        assert!(length < 128 * 1024, "{event} takes {length} bytes");
    }
}
