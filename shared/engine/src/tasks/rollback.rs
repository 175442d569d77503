//! What turning back would come to: the same changes, the same look at their content, and nothing written.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{Digest, Owner, RepositoryName, rollback::RollbackPlan, target::Target, task::TaskAnswer};

use crate::{
    engine::Engine,
    error::WorkError,
    sync::turn_back::{Found, Plan},
    tasks::answer,
};

/// Images that are looked at at once.
const IN_FLIGHT: usize = 32;

impl Engine {
    /// Says what turning a repository's tags back would come to; how much of their content is there, as far as there is time
    /// until `end`.
    pub async fn rollback_plan(&self, repository: &RepositoryName, target: &Target, end: Instant) -> TaskAnswer {
        answer(self.try_rollback_plan(repository, target, end).await)
    }

    async fn try_rollback_plan(
        &self,
        repository: &RepositoryName,
        target: &Target,
        end: Instant,
    ) -> Result<TaskAnswer, WorkError> {
        let Some(found) = self.table.repository(repository).await? else { return Ok(TaskAnswer::NotFound) };
        let owner = Arc::new(Owner { repository: found.repository, generation: found.id });
        let plan = async {
            let held = self.table.tags(repository).await?;
            self.plan_rollback(repository, target, &held, None).await
        };
        let Ok(plan) = tokio::time::timeout_at(end.into(), plan).await else { return Ok(TaskAnswer::Unfinished) };
        let Plan { changes, images, .. } = plan?;
        let look = async |(digest, children): (&Digest, &BTreeSet<Digest>)| {
            let found = tokio::time::timeout_at(end.into(), self.find_image(&owner, digest, children)).await;
            found.ok().transpose()
        };
        let mut looked = stream::iter(&images).map(look).buffer_unordered(IN_FLIGHT);
        let (mut gone, mut unverified) = (BTreeSet::new(), 0);
        while let Some(found) = looked.next().await {
            match found? {
                Some(Found::Whole(_)) => {}
                Some(Found::Gone(digest)) => _ = gone.insert(digest),
                None => unverified += 1,
            }
        }
        Ok(TaskAnswer::RollbackPlan(RollbackPlan::new(changes, &gone, unverified)))
    }
}
