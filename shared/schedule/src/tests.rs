//! What is sent to Scheduler and to Lambda, and what becomes of their refusals.

use std::sync::{Arc, Mutex};

use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_scheduler::{
    operation::{create_schedule::CreateScheduleOutput, update_schedule::UpdateScheduleOutput},
    types::ActionAfterCompletion,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use moorage_domain::{
    MirrorOf, RepositoryName, ServiceErrorKind, Timestamp,
    collection::CollectRequest,
    run::{SyncRequest, Trigger},
    task::Task,
};
use serde_json::Value;

use crate::{Invoker, ScheduleError, SchedulePlan, Scheduler, SchedulerSettings};

fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

fn scheduler(mode: RuleMode, rules: &[&Rule]) -> Scheduler {
    let settings = SchedulerSettings {
        group: "stack".into(),
        role_arn: "arn:role".into(),
        target_arn: "arn:sync".into(),
        dead_letter_arn: "arn:dead".into(),
    };
    let client = mock_client!(aws_sdk_scheduler, mode, rules, |config| {
        config.retry_config(aws_sdk_scheduler::config::retry::RetryConfig::disabled())
    });
    Scheduler::new(client, settings)
}

fn invoker(rule: &Rule) -> Invoker {
    let client = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, [rule], |config| {
        config.retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
    });
    Invoker::new(client, "arn:sync")
}

fn plan(once: Option<Timestamp>) -> SchedulePlan {
    let now = Timestamp::from_unix(1_790_000_000);
    SchedulePlan { once, ..SchedulePlan::new(now, 86_400, true, now) }
}

/// The inputs of the schedules that are created, and whether they end by themselves.
type Created = Arc<Mutex<Vec<(Value, bool)>>>;

fn creating(created: &Created) -> Rule {
    let created = Arc::clone(created);
    mock!(aws_sdk_scheduler::Client::create_schedule)
        .match_requests(move |request| {
            let input = request.target().and_then(|target| target.input()).unwrap_or_default();
            let ends = request.action_after_completion() == Some(&ActionAfterCompletion::Delete);
            created.lock().unwrap().push((serde_json::from_str(input).unwrap(), ends));
            true
        })
        .then_output(|| CreateScheduleOutput::builder().schedule_arn("arn:schedule").build().unwrap())
}

#[tokio::test]
async fn schedules_say_what_they_have_always_said() {
    let created = Created::default();
    let scheduler = scheduler(RuleMode::MatchAny, &[&creating(&created)]);
    let app: RepositoryName = "acme/app".parse().unwrap();
    let soon = Timestamp::from_unix(1_790_000_005);
    scheduler.ensure(&MirrorOf::Repository(app.clone()), &plan(Some(soon))).await.unwrap();
    scheduler.ensure(&MirrorOf::Organization("acme".parse().unwrap()), &plan(Some(soon))).await.unwrap();
    scheduler.purge_once(&app, soon).await.unwrap();
    let retry = SyncRequest { repository: app, trigger: Trigger::Retry };
    scheduler.once(retry, soon).await.unwrap();
    let expected = [
        ("schedule.sync", false),
        ("schedule.sync", true),
        ("schedule.discover", false),
        ("schedule.discover", true),
        ("schedule.purge", true),
        ("schedule.retry", true),
    ];
    assert_eq!(*created.lock().unwrap(), expected.map(|(name, ends)| (golden(name), ends)));
}

#[tokio::test]
async fn one_that_is_there_is_changed() {
    let conflict = mock!(aws_sdk_scheduler::Client::create_schedule)
        .sequence()
        .http_status(409, Some(r#"{"__type":"ConflictException","Message":"it exists"}"#.into()))
        .build();
    let updated = mock!(aws_sdk_scheduler::Client::update_schedule)
        .then_output(|| UpdateScheduleOutput::builder().schedule_arn("arn:schedule").build().unwrap());
    let scheduler = scheduler(RuleMode::Sequential, &[&conflict, &updated]);
    scheduler.ensure(&MirrorOf::Repository("acme/app".parse().unwrap()), &plan(None)).await.unwrap();
    assert_eq!(updated.num_calls(), 1);
}

#[tokio::test]
async fn invocations_say_what_they_have_always_said() {
    let sent = Arc::new(Mutex::new(Vec::<Value>::new()));
    let seen = Arc::clone(&sent);
    let rule = mock!(aws_sdk_lambda::Client::invoke)
        .match_requests(move |request| {
            let payload = request.payload().map(|payload| payload.as_ref().to_vec()).unwrap_or_default();
            seen.lock().unwrap().push(serde_json::from_slice(&payload).unwrap());
            true
        })
        .then_output(|| InvokeOutput::builder().status_code(202).build());
    let invoker = invoker(&rule);
    let app = "acme/app".parse().unwrap();
    invoker.start(&SyncRequest { repository: app, trigger: Trigger::SyncNow }).await.unwrap();
    let acme = "acme".parse().unwrap();
    invoker.order(&Task::Discover { organization: acme, trigger: Trigger::Continuation }).await.unwrap();
    let run_id = Some(uuid::Uuid::from_u128(1));
    invoker.collect(CollectRequest { dry_run: true, run_id, ..CollectRequest::default() }).await.unwrap();
    let expected = ["invoke.sync_now", "invoke.discover", "invoke.collect"].map(golden);
    assert_eq!(*sent.lock().unwrap(), expected);
}

#[tokio::test]
async fn refusals_keep_their_codes() {
    for (status, code, kind, is_throttled) in [
        (403, "AccessDeniedException", ServiceErrorKind::AccessDenied, false),
        (429, "TooManyRequestsException", ServiceErrorKind::Throttled, true),
        (404, "ResourceNotFoundException", ServiceErrorKind::Missing, false),
        (500, "ServiceException", ServiceErrorKind::Unavailable, false),
    ] {
        let body = format!(r#"{{"__type":"{code}","Message":"no"}}"#);
        let refused = mock!(aws_sdk_lambda::Client::invoke).sequence().http_status(status, Some(body.clone())).build();
        let order = Task::Reconcile { invocation: 0, after: None };
        let error = invoker(&refused).order(&order).await.unwrap_err();
        assert_eq!(error.is_throttled(), is_throttled, "{error}");
        assert_is(&error, "Invoke", code, kind);
        let refused =
            mock!(aws_sdk_scheduler::Client::create_schedule).sequence().http_status(status, Some(body)).build();
        let scheduler = scheduler(RuleMode::MatchAny, &[&refused]);
        let error =
            scheduler.ensure(&MirrorOf::Repository("acme/app".parse().unwrap()), &plan(None)).await.unwrap_err();
        assert!(!error.is_throttled(), "that is said of functions");
        assert_is(&error, "CreateSchedule", code, kind);
    }
}

fn assert_is(error: &ScheduleError, operation: &str, code: &str, kind: ServiceErrorKind) {
    let ScheduleError::Service(error) = error else { panic!("{error}") };
    assert_eq!((error.operation(), error.code(), error.kind()), (operation, Some(code), kind));
    let said = error.to_string();
    assert!(said.contains(operation) && said.contains(code), "{said}");
    assert!(std::error::Error::source(error).is_some());
}

#[tokio::test]
async fn a_function_that_fails_is_told_by_its_own_diagnostic() {
    let denied = r#"{"errorType":"AccessDeniedException","errorMessage":"DynamoDB denies access","stackTrace":[]}"#;
    let ended = r#"{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out"}"#;
    for (payload, expected_type, expected) in [
        (denied, "AccessDeniedException", "DynamoDB denies access"),
        (ended, "Sandbox.Timedout", "Task timed out"),
        ("nonsense", "Unhandled", "it does not say why"),
    ] {
        let rule = mock!(aws_sdk_lambda::Client::invoke).then_output(move || {
            let payload = aws_sdk_lambda::primitives::Blob::new(payload);
            InvokeOutput::builder().status_code(200).function_error("Unhandled").payload(payload).build()
        });
        let error = invoker(&rule).ask(&Task::Reconcile { invocation: 0, after: None }).await.unwrap_err();
        let ScheduleError::Function { error_type, message } = error else { panic!("{error}") };
        assert_eq!((error_type.as_str(), message.as_str()), (expected_type, expected));
    }
}
