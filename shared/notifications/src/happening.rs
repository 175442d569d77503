//! What the end of a run was: of the table's runs and outcomes.

use std::collections::BTreeSet;

use moorage_domain::{
    FailureReason, RepositoryName, TagName,
    changes::{self, ChangeKind, TagChange},
    notification::{Attempt, Ending, FailedTag, Happening, Moment},
    run::{Outcome, Run, RunId, RunStatus, TagOutcome, Trigger},
};
use moorage_state::{RunPage, StateError, now};

use crate::{error::NotifyError, notifier::Notifier};

/// How many runs before one are read at a time: its earlier attempts, and the one before those, are most often among the first.
const RUNS: i32 = 25;
/// How often more of them are read, because webhooks have begun all of these: a day of one each minute and a half. Then it is
/// told as if there had been none.
const MAX_PAGES: u32 = 40;
/// The most failed tags that are told of.
const MAX_FAILED: usize = 500;
/// The most holds that are looked at.
const HOLDS: i32 = 1_000;

impl Notifier {
    /// What the end of a run was; with what became of its tags, if somebody wants to know.
    pub(crate) async fn ended(
        &self,
        repository: &RepositoryName,
        run: &Run,
        in_detail: bool,
    ) -> Result<Happening, NotifyError> {
        let ending = match run.status {
            RunStatus::Success => Ending::Success,
            RunStatus::Fail => Ending::Failure,
            RunStatus::Cancel | RunStatus::Syncing => Ending::Cancelled,
        };
        if !in_detail {
            let happening = Happening::new(Moment::Ended { ending, before: None });
            return Ok(Happening { attempt: attempt(run), failure: run.failure.clone(), ..happening });
        }
        let read = async |after| self.table.runs(repository, RUNS, Some(after), now()).await;
        let earlier = earlier(run, read).await?;
        let (attempts, before) = split(&earlier);
        // What was turned back says nothing of the registry: it has not recovered.
        let before_ending = before.filter(|_| run.rollback.is_none()).map(|before| match before.status {
            RunStatus::Success => Ending::Success,
            _ => Ending::Failure,
        });
        let (mut all, mut failed, mut refused) = (Vec::new(), Vec::new(), BTreeSet::new());
        for attempt in attempts.iter().rev().copied().chain([run]) {
            let is_this = attempt.run_id == run.run_id;
            let see = |outcome: TagOutcome| {
                if is_this && let Some(tag) = FailedTag::of(&outcome) {
                    if tag.failure.reason == FailureReason::SignatureRefused {
                        refused.insert(outcome.tag.clone());
                    }
                    if failed.len() < MAX_FAILED {
                        failed.push(tag);
                    }
                }
                // Of the others there may be a hundred thousand.
                if matches!(outcome.outcome, Outcome::Copied | Outcome::Pruned) {
                    all.push(TagOutcome { signed: Vec::new(), gate: None, ..outcome });
                }
            };
            self.table.each_outcome(repository, attempt, see).await?;
        }
        let mut changes = changes::of(&all);
        drop(all);
        if run.progress.tags_held > 0 {
            let began = attempts.last().map_or(run.started_at, |first| first.started_at);
            let holds = self.table.holds(repository, HOLDS, None).await?.holds;
            let new = holds.into_iter().filter(|hold| hold.since >= began);
            changes.extend(new.map(|hold| TagChange {
                tag: hold.tag,
                change: ChangeKind::Held,
                from: hold.served.clone(),
                to: hold.served,
                held: Some(hold.digest),
            }));
        }
        if let Some(before) = before.filter(|_| !refused.is_empty()) {
            let known = |outcome: TagOutcome| {
                if was_refused(&outcome) {
                    refused.remove(&outcome.tag);
                }
            };
            self.table.each_outcome(repository, before, known).await?;
        }
        let warning = run.warning.filter(|warning| before.and_then(|before| before.warning) != Some(*warning));
        Ok(Happening {
            moment: Moment::Ended { ending, before: before_ending },
            attempt: attempt(run),
            changes,
            failure: run.failure.clone(),
            failed,
            refused: refused.into_iter().collect::<Vec<TagName>>(),
            warning,
        })
    }
}

/// The runs before one, the newest first, down to the one that its end is compared with. What asked for hinted tags only says
/// nothing of the mirror, and is no attempt at all of them.
async fn earlier(run: &Run, read: impl AsyncFn(RunId) -> Result<RunPage, StateError>) -> Result<Vec<Run>, StateError> {
    let (mut earlier, mut after) = (Vec::new(), Some(run.run_id).filter(|_| run.hinted.is_none()));
    for _ in 0..MAX_PAGES {
        let Some(last) = after else { break };
        let RunPage { runs, next } = read(last).await?;
        after = next.and_then(|next| next.parse().ok()).map(RunId);
        earlier.extend(runs.into_iter().filter(|run| run.hinted.is_none()));
        if split(&earlier).1.is_some() {
            break;
        }
    }
    Ok(earlier)
}

/// Which attempt of what was begun by a schedule or by hand a run is.
pub(crate) fn attempt(run: &Run) -> Attempt {
    Attempt { is_first: run.trigger != Trigger::Retry, is_last: !run.will_retry }
}

/// A run's earlier attempts, the last first, and the run before them that was not cancelled. `earlier` are newest first. What
/// was to be tried again is its attempt, too, if somebody was faster than the retry: of that nobody was told.
fn split(earlier: &[Run]) -> (Vec<&Run>, Option<&Run>) {
    let (mut attempts, mut rest) = (Vec::new(), earlier.iter());
    for earlier in rest.by_ref() {
        if !earlier.will_retry {
            let others = std::iter::once(earlier).chain(rest);
            return (attempts, others.into_iter().find(|run| is_end(run)));
        }
        attempts.push(earlier);
    }
    (attempts, None)
}

/// Whether a run was the last attempt of a sync, and nobody cancelled it.
fn is_end(run: &Run) -> bool {
    matches!(run.status, RunStatus::Success | RunStatus::Fail) && !run.will_retry && run.rollback.is_none()
}

fn was_refused(outcome: &TagOutcome) -> bool {
    outcome.failure.as_ref().is_some_and(|failure| failure.reason == FailureReason::SignatureRefused)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use moorage_domain::{Timestamp, target::Target};
    use uuid::Uuid;

    use super::*;

    fn run(number: u128, trigger: Trigger, status: RunStatus, will_retry: bool) -> Run {
        let id = RunId(Uuid::from_u128(number));
        Run { status, will_retry, ..Run::new(id, trigger, Timestamp::from_unix(0), false) }
    }

    #[test]
    fn a_run_has_its_attempts_and_what_was_before_them() {
        use RunStatus::{Cancel, Fail, Success};
        let at = Timestamp::from_unix(0);
        let target = Target { at, run_id: None, tags: None, by_organization: false };
        let turned = Run::of_rollback(RunId(Uuid::from_u128(6)), target, at);
        let turned = Run { status: Success, ..turned };
        let earlier = [
            run(5, Trigger::Retry, Fail, true),
            run(4, Trigger::Schedule, Fail, true),
            run(3, Trigger::SyncNow, Cancel, false),
            run(2, Trigger::Schedule, Fail, true),
            run(1, Trigger::Schedule, Success, false),
        ];
        let names = |earlier: &[Run]| {
            let (attempts, before) = split(earlier);
            let number = |run: &&Run| run.run_id.0.as_u128();
            (attempts.iter().map(number).collect::<Vec<_>>(), before.as_ref().map(number))
        };
        assert_eq!(names(&earlier), (vec![5, 4], Some(1)));
        assert_eq!(names(&earlier[2..]), (vec![], Some(1)));
        assert_eq!(names(&earlier[3..]), (vec![2], Some(1)));
        assert_eq!(names(&[]), (vec![], None));
        let [.., last] = earlier;
        assert_eq!(names(&[turned, last]), (vec![], Some(1)), "what was turned back is no sync");
    }

    #[tokio::test]
    async fn however_many_webhooks_came_between_the_sync_before_is_found() {
        let hinted =
            |number| Run { hinted: Some(Vec::new()), ..run(number, Trigger::Webhook, RunStatus::Success, false) };
        let all =
            |count: u128| (1..=count).rev().map(hinted).chain([run(0, Trigger::Schedule, RunStatus::Fail, false)]);
        let found = async |this: &Run, count: u128| {
            let asked = AtomicUsize::new(0);
            let read = async |after: RunId| {
                asked.fetch_add(1, Ordering::Relaxed);
                let size = usize::try_from(RUNS).unwrap();
                let runs: Vec<_> = all(count).filter(|run| run.run_id.0 < after.0).take(size).collect();
                let next = runs.last().filter(|last| last.run_id.0.as_u128() > 0).map(|last| last.run_id.to_string());
                Ok(RunPage { runs, next })
            };
            let earlier = earlier(this, read).await.unwrap();
            (earlier.iter().map(|run| run.run_id.0.as_u128()).collect::<Vec<_>>(), asked.into_inner())
        };
        let this = run(u128::MAX, Trigger::Schedule, RunStatus::Success, false);
        assert_eq!(found(&this, 3).await, (vec![0], 1));
        assert_eq!(found(&this, 60).await, (vec![0], 3));
        assert_eq!(found(&this, 100_000).await, (vec![], 40), "not for ever");
        assert_eq!(found(&hinted(9), 60).await, (vec![], 0), "what was hinted at is compared with nothing");
    }
}
