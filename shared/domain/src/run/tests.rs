use uuid::Uuid;

use super::*;

#[test]
fn a_run_that_ended_early_has_not_asked_for_all_tags() {
    let run = |status, tags_total, tags_done| {
        let run = Run::new(RunId(Uuid::nil()), Trigger::Schedule, Timestamp::from_unix(0), false);
        Run { status, progress: Progress { tags_total, tags_done, ..Progress::default() }, ..run }
    };
    let has = |status, total, done| run(status, total, done).has_asked_for_all();
    assert!(has(RunStatus::Success, 0, 0) && has(RunStatus::Fail, 3, 3));
    assert!(!has(RunStatus::Fail, 0, 0), "before it had a list");
    assert!(!has(RunStatus::Fail, 3, 2) && !has(RunStatus::Cancel, 3, 3) && !has(RunStatus::Syncing, 3, 3));
    let hinted = Run { hinted: Some(Vec::new()), ..run(RunStatus::Success, 1, 1) };
    assert!(!hinted.has_asked_for_all());
}

#[test]
fn what_an_organizations_mirror_has_asked_for_is_a_turn() {
    let (id, at) = (RunId(Uuid::nil()), Timestamp::from_unix(0));
    let turned =
        |by_organization| Run::of_rollback(id, Target { at, run_id: None, tags: None, by_organization }, at).is_turn();
    assert!(turned(true) && !turned(false));
    let synced = |trigger| Run::new(id, trigger, at, false).is_turn();
    assert!(synced(Trigger::Organization) && !synced(Trigger::SyncNow));
}
