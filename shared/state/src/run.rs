//! Runs and their outcomes.

use std::time::Duration;

use moorage_domain::{
    RepositoryName, Timestamp,
    run::{Run, RunId, TagOutcome},
};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, outcomes_prefix, prefix, repository_pk},
    table::{Query, item},
};

/// How long runs are kept: long enough to compare a month with the one before.
const RUN_RETENTION: Duration = Duration::from_secs(62 * 86_400);
/// Outcomes in one item. The longest outcome is about 700 bytes, so an item stays under half of DynamoDB's 400 KB.
const OUTCOMES_PER_ITEM: usize = 250;

#[derive(Serialize, Deserialize)]
struct RunItem {
    #[serde(flatten)]
    run: Run,
    expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct OutcomesItem {
    outcomes: Vec<TagOutcome>,
    expires_at: Timestamp,
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
    /// Writes how far a run is.
    pub async fn put_run(&self, repository: &RepositoryName, run: &Run) -> Result<(), StateError> {
        let expires_at = run.started_at.plus(RUN_RETENTION);
        self.put(Key::Run(repository, run.run_id), &RunItem { run: run.clone(), expires_at }).await
    }

    /// Adds outcomes to a run, and returns the number for the next call. Calls of one run number their items from 0.
    pub async fn add_outcomes(
        &self,
        repository: &RepositoryName,
        run: &Run,
        mut number: u32,
        outcomes: &[TagOutcome],
    ) -> Result<u32, StateError> {
        let expires_at = run.started_at.plus(RUN_RETENTION);
        for outcomes in outcomes.chunks(OUTCOMES_PER_ITEM) {
            let outcomes = OutcomesItem { outcomes: outcomes.to_vec(), expires_at };
            self.put_all(vec![item(Key::Outcomes(repository, run.run_id, number), &outcomes)?]).await?;
            number += 1;
        }
        Ok(number)
    }

    /// One run.
    pub async fn run(&self, repository: &RepositoryName, run: RunId) -> Result<Option<Run>, StateError> {
        let item: Option<RunItem> = self.get(Key::Run(repository, run)).await?;
        Ok(item.map(|item| item.run))
    }

    /// The outcomes of a run so far, and the number for the next [`Table::add_outcomes`].
    pub async fn outcomes(
        &self,
        repository: &RepositoryName,
        run: RunId,
    ) -> Result<(Vec<TagOutcome>, u32), StateError> {
        let items: Vec<OutcomesItem> = self.all(repository_pk(repository), &outcomes_prefix(run)).await?;
        let next = u32::try_from(items.len()).unwrap_or(u32::MAX);
        Ok((items.into_iter().flat_map(|item| item.outcomes).collect(), next))
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
