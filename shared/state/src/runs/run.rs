//! Runs and their outcomes.
//!
//! A run goes on in one invocation after the other, and each of them is one attempt. What an attempt writes after it was
//! superseded is not seen: its run is refused by condition, and its outcomes lie where nobody looks, because the run says
//! of each attempt how many items of outcomes it has.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    RepositoryName, Timestamp,
    run::{Run, RunId, TagOutcome},
    usage_log::LogEntry,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    expression::Change,
    key::{Key, outcomes_prefix, prefix, repository_pk},
    mirrors::{active, transition::TransitionError},
    table::{Item, Query, conditional, item},
    transaction::{Committed, Transaction},
    usage_log::Told,
};

/// How long runs are kept: long enough to compare a month with the one before.
pub(crate) const RUN_RETENTION: Duration = Duration::from_secs(62 * 86_400);
/// Outcomes in one item. The longest outcome is about 700 bytes, so an item stays under half of DynamoDB's 400 KB.
const OUTCOMES_PER_ITEM: usize = 250;

#[derive(Serialize, Deserialize)]
pub(crate) struct RunItem {
    #[serde(flatten)]
    run: Run,
    expires_at: Timestamp,
    /// Where the index of what is under way has it: it has ended, and nobody was told yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active: Option<String>,
    /// Which snapshots keep it from expiring: that of its pin, and those that are no pins yet, or no longer.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    pinned: BTreeSet<Uuid>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OutcomesItem {
    outcomes: Vec<TagOutcome>,
    expires_at: Timestamp,
    /// Whose it is and which, from 0. Items from before attempts were told apart have none.
    #[serde(default)]
    place: Option<Place>,
    /// The same, of the outcomes of a run.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    pinned: BTreeSet<Uuid>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Place {
    attempt: usize,
    number: u32,
}

impl OutcomesItem {
    /// Whether its attempt had the run when it wrote it.
    fn is_of(&self, run: &Run) -> bool {
        self.place.is_none_or(|place| run.outcome_items.get(place.attempt).is_some_and(|items| place.number < *items))
    }
}

/// Some runs, newest first, and where the next page begins.
#[derive(Debug)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<Run>,
    /// The last run of the page, if there are more.
    pub next: Option<String>,
}

impl Table {
    /// Begins an attempt at a run, for whom `claim` is, with what the usage log tells of it; from now on those before are
    /// refused. `false` if one of them wrote the run meanwhile: then it has to be read again.
    pub async fn begin_attempt(
        &self,
        repository: &RepositoryName,
        run: &Run,
        claim: Uuid,
        log: Option<LogEntry>,
    ) -> Result<bool, TransitionError> {
        let mut transaction = Transaction::new(self);
        transaction.expect_claim(repository, claim)?;
        let condition = "attribute_not_exists(#pk) OR #invocations < :mine";
        transaction.put_if(Key::Run(repository, run.run_id), &run_item(run), condition, mine(run))?;
        log.map(Told::new).iter().try_for_each(|told| told.add(&mut transaction, repository))?;
        match transaction.commit().await? {
            Committed::Yes => Ok(true),
            Committed::Refused(0) => Err(TransitionError::ClaimLost),
            Committed::Refused(_) => Ok(false),
        }
    }

    /// Writes how far a run is; [`TransitionError::ClaimLost`] if another attempt at it has begun, or it is gone.
    pub async fn put_run(&self, repository: &RepositoryName, run: &Run) -> Result<(), TransitionError> {
        let mine = AttributeValue::N(run.invocations.to_string());
        let key = Key::Run(repository, run.run_id);
        match self.put_if(key, &run_item(run), "#mine = :mine", ("invocations", mine)).await {
            Err(StateError::Conflict) => Err(TransitionError::ClaimLost),
            result => Ok(result?),
        }
    }

    /// As [`Self::put_run`], of one that has ended, with what the usage log tells of that: with the same write it is among
    /// those of which somebody is to be told.
    pub async fn put_ended_run(
        &self,
        repository: &RepositoryName,
        run: &Run,
        log: Vec<LogEntry>,
    ) -> Result<(), TransitionError> {
        let item = RunItem { active: Some(active::UNTOLD.to_owned()), ..run_item(run) };
        let mut transaction = Transaction::new(self);
        transaction.put_if(Key::Run(repository, run.run_id), &item, "#invocations = :mine", mine(run))?;
        log.into_iter().map(Told::new).try_for_each(|told| told.add(&mut transaction, repository))?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(TransitionError::ClaimLost),
        }
    }

    /// Notes that whoever is to be told of a run's end has been: of this end, if it has had another one since.
    pub async fn run_told(&self, repository: &RepositoryName, run: &Run) -> Result<(), StateError> {
        let change = Change { update: "REMOVE #active", condition: "#invocations = :mine" };
        match conditional(self.change(Key::Run(repository, run.run_id), change, mine(run))).await {
            // It was deleted with its repository, or has ended once more.
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }

    /// Adds outcomes to the present attempt at a run, and counts their items in it. They are seen once
    /// [`Self::put_run`] has written the run.
    pub async fn add_outcomes(
        &self,
        repository: &RepositoryName,
        run: &mut Run,
        outcomes: &[TagOutcome],
    ) -> Result<(), StateError> {
        let expires_at = run.started_at.plus(RUN_RETENTION);
        let Some(attempt) = run.outcome_items.len().checked_sub(1) else { return Ok(()) };
        for outcomes in parts(outcomes) {
            let place = Place { attempt, number: run.outcome_items[attempt] };
            let outcomes =
                OutcomesItem { outcomes: outcomes.to_vec(), expires_at, place: Some(place), pinned: BTreeSet::new() };
            let key = Key::Outcomes(repository, run.run_id, place.attempt, place.number);
            self.put_all(vec![item(key, &outcomes)?]).await?;
            run.outcome_items[attempt] = place.number.saturating_add(1);
        }
        Ok(())
    }

    /// One run.
    pub async fn run(&self, repository: &RepositoryName, run: RunId) -> Result<Option<Run>, StateError> {
        let item: Option<RunItem> = self.get(Key::Run(repository, run)).await?;
        Ok(item.map(|item| item.run))
    }

    /// The outcomes of a run so far.
    pub async fn outcomes(&self, repository: &RepositoryName, run: &Run) -> Result<Vec<TagOutcome>, StateError> {
        let mut outcomes = Vec::new();
        self.each_outcome(repository, run, |outcome| outcomes.push(outcome)).await?;
        Ok(outcomes)
    }

    /// Shows each outcome of a run so far, a page of them in memory.
    pub async fn each_outcome(
        &self,
        repository: &RepositoryName,
        run: &Run,
        mut see: impl FnMut(TagOutcome),
    ) -> Result<(), StateError> {
        let (prefix, mut after) = (outcomes_prefix(run.run_id), None);
        loop {
            let pk = repository_pk(repository);
            let query = Query { pk, prefix: &prefix, newest_first: false, limit: None, after };
            let page = self.page::<OutcomesItem>(query).await?;
            page.items.into_iter().filter(|item| item.is_of(run)).flat_map(|item| item.outcomes).for_each(&mut see);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The runs of a repository, newest first, from behind `after`.
    pub async fn runs(
        &self,
        repository: &RepositoryName,
        limit: i32,
        after: Option<RunId>,
        now: Timestamp,
    ) -> Result<RunPage, StateError> {
        let query = Query {
            pk: repository_pk(repository),
            prefix: prefix::RUN,
            newest_first: true,
            limit: Some(limit),
            after: after.map(|run| Key::Run(repository, run).sk()),
        };
        let page = self.page::<RunItem>(query).await?;
        // Items outlive their expiry by up to days.
        let runs = page.items.into_iter().filter(|item| item.expires_at > now).map(|item| item.run).collect();
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::RUN).map(str::to_owned));
        Ok(RunPage { runs, next })
    }
}

/// Outcomes that have room in one item each time: so many, and fewer where they say who has signed.
fn parts(outcomes: &[TagOutcome]) -> impl Iterator<Item = &[TagOutcome]> {
    let mut rest = outcomes;
    std::iter::from_fn(move || {
        let mut weight = 0_usize;
        let fits = |outcome: &&TagOutcome| {
            weight = weight.saturating_add(1).saturating_add(outcome.signed.len());
            weight <= OUTCOMES_PER_ITEM
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (part, others) = rest.split_at(count);
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

/// The attempt that writes a run, as conditions have it.
fn mine(run: &Run) -> Item {
    Item::from([(":mine".to_owned(), AttributeValue::N(run.invocations.to_string()))])
}

fn run_item(run: &Run) -> RunItem {
    RunItem { run: run.clone(), expires_at: run.started_at.plus(RUN_RETENTION), active: None, pinned: BTreeSet::new() }
}

#[cfg(test)]
mod tests {
    use moorage_domain::run::Trigger;

    use super::*;

    #[test]
    fn what_an_attempt_wrote_later_is_not_seen() {
        let mut run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, Timestamp::from_unix(0), false).again();
        run.outcome_items = vec![2, 1];
        let item = |place| OutcomesItem {
            outcomes: Vec::new(),
            expires_at: Timestamp::from_unix(0),
            place,
            pinned: BTreeSet::new(),
        };
        let of = |attempt, number| item(Some(Place { attempt, number })).is_of(&run);
        assert_eq!((of(0, 0), of(0, 1), of(0, 2)), (true, true, false));
        assert_eq!((of(1, 0), of(1, 1), of(2, 0)), (true, false, false));
        assert!(item(None).is_of(&run), "from before");
    }

    #[test]
    fn what_says_who_has_signed_takes_more_room() {
        let verified = |number: usize| {
            let text = format!(r#"{{"authority": "{number}", "evidence": "sha256:{}"}}"#, "0".repeat(64));
            serde_json::from_str(&text).unwrap()
        };
        let outcome = |signed: usize| TagOutcome {
            signed: (0..signed).map(verified).collect(),
            ..TagOutcome::new("v1".parse().unwrap(), moorage_domain::run::Outcome::Copied)
        };
        let sizes = |outcomes: &[TagOutcome]| parts(outcomes).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&vec![outcome(0); 600]), [250, 250, 100]);
        assert_eq!(sizes(&vec![outcome(4); 101]), [50, 50, 1]);
        assert_eq!(sizes(&[outcome(300), outcome(0)]), [1, 1]);
        assert!(sizes(&[]).is_empty());
    }

    #[test]
    fn runs_from_before_can_be_read() {
        let run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, Timestamp::from_unix(0), false);
        let mut stored: crate::table::Item = serde_dynamo::to_item(run_item(&run)).unwrap();
        stored.remove("outcome_items");
        stored.remove("pace");
        let read: RunItem = serde_dynamo::from_item(stored).unwrap();
        assert!(read.run.outcome_items.is_empty());
        assert_eq!(read.run.again().outcome_items, [0]);
    }
}
