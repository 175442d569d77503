//! What functions are invoked with, what they answer, and how far they say that they are: what earlier builds wrote is still
//! read, and means the same.
//!
//! `golden/NAME.json` is as this build writes it; `golden/NAME.older.json` lacks the newer fields. A file is never changed:
//! what it holds is in a schedule, a queue or the table.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

use std::fs;

use moorage_domain::{
    Checkpoint, Hasher,
    collection::CollectRequest,
    digest::Algorithm,
    learnt::Learnt,
    notification::Message,
    run::{SyncRequest, Trigger},
    task::{Order, Task, TaskAnswer},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The kinds of tasks, by their names on the wire.
const TASKS: [&str; 18] = [
    "preview",
    "change_tag",
    "purge",
    "reconcile",
    "discover",
    "cancel_discovered",
    "release_discovered",
    "end_organization",
    "check_source",
    "watch",
    "describe_images",
    "set_trust_root",
    "refresh_trust",
    "plan_rollback",
    "plan_organization_rollback",
    "resume_discovered",
    "pin_run",
    "check_rights",
];
/// The kinds of answers.
const ANSWERS: [&str; 17] = [
    "done",
    "unfinished",
    "not_found",
    "busy",
    "preview",
    "reconciled",
    "checked",
    "discovered",
    "failed",
    "watched",
    "described",
    "trust_refreshed",
    "rollback_plan",
    "organization_plan",
    "pinned",
    "refused",
    "rights",
];

fn stored(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Reads a file, and compares it with what this build writes.
fn check<T: Serialize + DeserializeOwned>(name: &str) -> T {
    let stored = stored(name);
    let value: T = serde_json::from_value(stored.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(serde_json::to_value(&value).unwrap(), stored, "{name} is written otherwise than before");
    value
}

fn older<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(stored(&format!("{name}.older"))).unwrap_or_else(|error| panic!("older {name}: {error}"))
}

/// Each variant has a name here, so that none comes without a file.
fn name(task: &Task) -> &'static str {
    match task {
        Task::Preview(_) => TASKS[0],
        Task::ChangeTag { .. } => TASKS[1],
        Task::Purge { .. } => TASKS[2],
        Task::Reconcile { .. } => TASKS[3],
        Task::Discover { .. } => TASKS[4],
        Task::CancelDiscovered { .. } => TASKS[5],
        Task::ReleaseDiscovered { .. } => TASKS[6],
        Task::EndOrganization { .. } => TASKS[7],
        Task::CheckSource { .. } => TASKS[8],
        Task::Watch {} => TASKS[9],
        Task::SetTrustRoot { .. } => TASKS[11],
        Task::RefreshTrust {} => TASKS[12],
        Task::PlanRollback { .. } => TASKS[13],
        Task::DescribeImages { .. } => TASKS[10],
        Task::PlanOrganizationRollback { .. } => TASKS[14],
        Task::ResumeDiscovered { .. } => TASKS[15],
        Task::PinRun { .. } => TASKS[16],
        Task::CheckRights { .. } => TASKS[17],
    }
}

fn answer_name(answer: &TaskAnswer) -> &'static str {
    match answer {
        TaskAnswer::Done => ANSWERS[0],
        TaskAnswer::Unfinished => ANSWERS[1],
        TaskAnswer::NotFound => ANSWERS[2],
        TaskAnswer::Busy => ANSWERS[3],
        TaskAnswer::Preview(_) => ANSWERS[4],
        TaskAnswer::Reconciled { .. } => ANSWERS[5],
        TaskAnswer::Checked { .. } => ANSWERS[6],
        TaskAnswer::Discovered { .. } => ANSWERS[7],
        TaskAnswer::Failed(_) => ANSWERS[8],
        TaskAnswer::Watched { .. } => ANSWERS[9],
        TaskAnswer::Described(_) => ANSWERS[10],
        TaskAnswer::TrustRefreshed { .. } => ANSWERS[11],
        TaskAnswer::RollbackPlan(_) => ANSWERS[12],
        TaskAnswer::OrganizationPlan(_) => ANSWERS[13],
        TaskAnswer::Pinned { .. } => ANSWERS[14],
        TaskAnswer::Refused(_) => ANSWERS[15],
        TaskAnswer::Rights(_) => ANSWERS[16],
    }
}

#[test]
fn every_order_is_read_as_it_was_written() {
    for task in TASKS {
        let Order::Task(read) = check::<Order>(task) else { panic!("{task} is no task") };
        assert_eq!((name(&read), read.as_str()), (task, task));
    }
    let Order::Sync(sync) = check::<Order>("sync") else { panic!("a sync is no task") };
    let Order::Event(event) = check::<Order>("ecr_event") else { panic!("an event is neither") };
    assert!(event.hint().is_some());
    let Order::Task(Task::PinRun { log, .. }) = check::<Order>("pin_run.logged") else { panic!("no pin") };
    assert!(log.is_some(), "with what came later");
    assert_eq!(sync, SyncRequest { repository: "acme/app".parse().unwrap(), trigger: Trigger::Continuation });
    check::<CollectRequest>("collect");
}

#[test]
fn every_answer_is_read_as_it_was_written() {
    for answer in ANSWERS {
        assert_eq!(answer_name(&check(&format!("answer.{answer}"))), answer);
    }
    // With what came later.
    let TaskAnswer::Failed(failure) = check("answer.failed.code") else { panic!("no failure") };
    assert_eq!(failure.code.as_deref(), Some("AccessDenied"));
    let TaskAnswer::Pinned { pin, .. } = check("answer.pinned.remembered") else { panic!("no pin") };
    assert!(pin.remembered && pin.kept);
}

#[test]
fn orders_from_before_newer_fields_mean_what_they_did() {
    assert_eq!(older::<Order>("reconcile"), Order::Task(Task::Reconcile { invocation: 0, after: None }));
    let Order::Task(Task::Preview(preview)) = older("preview") else { panic!("no preview") };
    assert_eq!((preview.root_rule, preview.architecture_filter, preview.deletion_limit), (None, None, None));
    let Order::Task(Task::ChangeTag { digest, reversion, .. }) = older("change_tag") else { panic!("no change") };
    assert_eq!((digest, reversion), (None, false), "the tag is deleted");
    assert_eq!(older::<CollectRequest>("collect"), CollectRequest::default());
}

#[test]
fn what_a_run_has_learnt_and_done_is_gone_on_with() {
    let checkpoint: Checkpoint = check("checkpoint");
    let mut hasher = Hasher::resume(Algorithm::Sha256, &checkpoint.hash_state).expect("the state is understood");
    // The state is of the two letters before.
    hasher.update(b"c");
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hasher.finish().to_string(), abc);
    check::<Learnt>("learnt.listed");
    // A message is on its way for a day, from one release to the next.
    check::<Message>("message");
    assert_eq!((check::<Learnt>("learnt").count(), older::<Learnt>("learnt").tags().map(<[_]>::len)), (6, Some(1)));
}
