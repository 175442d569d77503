//! What turning back would come to: the same changes, the same look at their content, and nothing written.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, Namespace, Owner, RepositoryName,
    changes::TagChange,
    failure::Failure,
    rollback::{OrganizationPlan, RepositoryPlan, RollbackPlan},
    target::Target,
    task::TaskAnswer,
};
use moorage_state::Repository;

use crate::{
    engine::Engine,
    error::WorkError,
    sync::turn_back::{Found, Plan},
    tasks::answer,
};

/// Images that are looked at at once.
const IN_FLIGHT: usize = 32;
/// Repositories of an organization that are planned at once: the records of the largest take some 50 MB.
const AT_ONCE: usize = 4;
/// What is left of the time for the repositories that have been begun, once no other one is.
const RESERVE: Duration = Duration::from_secs(8);

/// What becomes of a repository.
struct Looked {
    changes: Vec<TagChange>,
    /// The images that are not here any more.
    gone: BTreeSet<Digest>,
    /// Those that there was no time for.
    unverified: u64,
}

impl Engine {
    /// Says what turning a repository's tags back would come to; how much of their content is there, as far as there is time
    /// until `end`.
    pub async fn rollback_plan(&self, repository: &RepositoryName, target: &Target, end: Instant) -> TaskAnswer {
        let planned = async {
            let Some(found) = self.table.repository(repository).await? else { return Ok(TaskAnswer::NotFound) };
            let Looked { changes, gone, unverified } = self.look_back(found, target, end).await?;
            Ok(TaskAnswer::RollbackPlan(RollbackPlan::new(changes, &gone, unverified)))
        };
        answer(planned.await)
    }

    /// Says the same of the repositories of an organization's mirror, by name: of at most `limit` behind `after`, and of at
    /// least one, as far as there is time until `end`.
    pub async fn organization_plan(
        &self,
        organization: &Namespace,
        target: &Target,
        (limit, after): (usize, Option<&RepositoryName>),
        end: Instant,
    ) -> TaskAnswer {
        let planned = async {
            let known = self.table.discovered(organization).await?.into_iter().map(|known| known.repository);
            let mut names = known.filter(|name| after.is_none_or(|after| name > after)).peekable();
            let last = end.checked_sub(RESERVE).unwrap_or(end);
            let mut plan = OrganizationPlan::default();
            loop {
                let left = limit.saturating_sub(plan.repositories.len());
                let some: Vec<RepositoryName> = names.by_ref().take(left.min(AT_ONCE)).collect();
                let each = async |name: RepositoryName| self.plan_of(name, target, end).await;
                let mut planned = stream::iter(some).map(each).buffered(AT_ONCE);
                while let Some(one) = planned.next().await {
                    plan.repositories.push(one?);
                }
                plan.has_more = names.peek().is_some();
                if !plan.has_more || plan.repositories.len() >= limit || Instant::now() >= last {
                    return Ok(TaskAnswer::OrganizationPlan(plan));
                }
            }
        };
        answer(planned.await)
    }

    /// What becomes of one of an organization's repositories. What cannot be turned back says why, and keeps nobody from
    /// hearing of the others.
    async fn plan_of(&self, name: RepositoryName, target: &Target, end: Instant) -> Result<RepositoryPlan, WorkError> {
        let Some(found) = self.table.repository(&name).await? else {
            return Ok(RepositoryPlan::refused(name, "it was deleted".to_owned()));
        };
        match self.look_back(found, target, end).await {
            Ok(Looked { changes, gone, unverified }) => Ok(RepositoryPlan::new(name, &changes, &gone, unverified)),
            // It cannot be done; nothing failed.
            Err(WorkError::Failed(Failure { reason: FailureReason::ContentGone, code: None, message, .. })) => {
                Ok(RepositoryPlan::refused(name, message))
            }
            Err(WorkError::Suspended) => Ok(RepositoryPlan::refused(name, "it takes longer to look at".to_owned())),
            Err(error) => Err(error),
        }
    }

    async fn look_back(&self, found: Repository, target: &Target, end: Instant) -> Result<Looked, WorkError> {
        let owner = Arc::new(Owner { repository: found.repository, generation: found.id });
        let plan = async {
            let held = self.table.tags(&owner.repository).await?;
            self.plan_rollback(&owner.repository, target, &held, None).await
        };
        let plan = tokio::time::timeout_at(end.into(), plan).await.unwrap_or(Err(WorkError::Suspended))?;
        let Plan { changes, images, .. } = plan;
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
        drop(looked);
        Ok(Looked { changes, gone, unverified })
    }
}
