//! Discoveries and queues that nobody works on: killed ones, those whose invocation was lost, and turns that went with them.

use std::{collections::BTreeMap, time::Duration};

use moorage_domain::{Namespace, RepositoryName, run::SyncRequest, status::SyncStatus, task::Task};
use moorage_state::{Mirror, OrganizationMirror, now};

use crate::{error::OrganizationsError, organizations::Organizations};

/// How long nobody takes a turn where turns were lost: a sync that ends has another one started in about a second.
const STANDSTILL: Duration = Duration::from_secs(5);

impl Organizations {
    /// Starts discoveries again that nobody works on; and the syncs of `stuck` mirrors, which organizations'
    /// mirrors have made and nobody works on; and gives turns out where none is taken. Returns how many discoveries and syncs
    /// these are.
    pub async fn watch(&self, stuck: Vec<Mirror>) -> Result<u64, OrganizationsError> {
        let mut restarted = 0_u64;
        for organization in self.table.active_organization_mirrors().await? {
            if let Some(mirror) = self.table.organization_mirror(&organization).await? {
                restarted += u64::from(self.restart(&mirror).await?);
            }
        }
        let mut organizations: BTreeMap<Namespace, Vec<Mirror>> = BTreeMap::new();
        for mirror in stuck {
            organizations.entry(mirror.config.repository.namespace()).or_default().push(mirror);
        }
        for organization in self.table.organizations_with_queues().await? {
            organizations.entry(organization).or_default();
        }
        let mut queues = Vec::new();
        for (organization, stuck) in organizations {
            // Of one that is gone, they are released.
            if let Some(mirror) = self.table.organization_mirror(&organization).await? {
                restarted += self.tend(&mirror, &stuck).await?;
                queues.push(organization);
            }
        }
        self.give_out_lost_turns(&queues).await?;
        Ok(restarted)
    }

    /// Starts the discovery of a mirror again if nobody works on it. Tells whether it did.
    pub(crate) async fn restart(&self, mirror: &OrganizationMirror) -> Result<bool, OrganizationsError> {
        if !mirror.state.is_stuck(now()) {
            return Ok(false);
        }
        let (organization, trigger) = (mirror.config.organization.clone(), mirror.state.trigger_again());
        tracing::warn!(
            %organization, trigger = trigger.as_str(), interruptions = mirror.state.sync_interruptions,
            "a discovery that nobody works on is started again"
        );
        self.invoker.order(&Task::Discover { organization, trigger }).await?;
        Ok(true)
    }

    /// Sees to all repositories of these organizations' mirrors, and gives lost turns out.
    pub(crate) async fn tend_all(&self, mirrors: &[OrganizationMirror]) -> Result<(), OrganizationsError> {
        for mirror in mirrors {
            let names = self.names(&mirror.config.organization).await?;
            let mut stuck = self.table.mirrors_of_many(&names).await?;
            stuck.retain(|mirror| mirror.state.is_stuck(now()));
            self.tend(mirror, &stuck).await?;
        }
        let organizations: Vec<_> = mirrors.iter().map(|mirror| mirror.config.organization.clone()).collect();
        self.give_out_lost_turns(&organizations).await
    }

    /// Starts the syncs of stuck mirrors of an organization again: those that were killed, which had turns, and those that
    /// were asked for and are not queued, whose invocation was lost. So many as may run at once; the others are queued.
    /// Where the organization's mirror is cancelled there are no turns: what is queued there, its cancellation has left,
    /// which is gone on with. Returns how many these are.
    async fn tend(&self, of: &OrganizationMirror, stuck: &[Mirror]) -> Result<u64, OrganizationsError> {
        let organization = &of.config.organization;
        let queued = self.table.queued_syncs(organization).await?;
        let is_cancelled = of.state.sync_status == SyncStatus::Cancel;
        if is_cancelled && !queued.is_empty() {
            self.invoker.order(&Task::CancelDiscovered { organization: organization.clone() }).await?;
            return Ok(0);
        }
        let is_lost =
            |mirror: &&Mirror| mirror.state.is_interrupted(now()) || !queued.contains(&mirror.config.repository);
        let mut restarted = 0;
        for (number, mirror) in stuck.iter().filter(is_lost).enumerate() {
            let (repository, trigger) = (mirror.config.repository.clone(), mirror.state.trigger_again());
            tracing::warn!(%repository, trigger = trigger.as_str(), "a sync that nobody works on is started again");
            if is_cancelled || number < self.settings.syncs {
                self.invoker.start(&SyncRequest { repository, trigger }).await?;
            } else {
                self.table.queue_sync(&repository).await?;
            }
            restarted += 1;
        }
        Ok(restarted)
    }

    /// Gives turns out where syncs are queued and nobody takes them.
    async fn give_out_lost_turns(&self, organizations: &[Namespace]) -> Result<(), OrganizationsError> {
        let mut waiting = Vec::new();
        for organization in organizations {
            let queued = self.table.queued_syncs(organization).await?.len();
            if queued > 0 {
                waiting.push((organization, queued));
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        // As long as turns are passed on, none that is on its way may be taken for lost.
        tokio::time::sleep(STANDSTILL).await;
        for (organization, queued) in waiting {
            if self.table.queued_syncs(organization).await?.len() < queued {
                continue;
            }
            let mirrors = self.table.mirrors_of_many(&self.names(organization).await?).await?;
            let running = mirrors.iter().filter(|mirror| mirror.state.is_running(now())).count();
            self.start_turns(organization, self.settings.syncs.saturating_sub(running)).await?;
        }
        Ok(())
    }

    pub(crate) async fn names(&self, organization: &Namespace) -> Result<Vec<RepositoryName>, OrganizationsError> {
        Ok(self.table.discovered(organization).await?.into_iter().map(|known| known.repository).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::played::Played;

    #[tokio::test(start_paused = true)]
    async fn the_turns_of_a_queue_that_stands_still_are_given_out_again() {
        let played = Played::new(&["acme/a", "acme/b", "acme/c"], 9);
        played.organizations().give_out_lost_turns(&["acme".parse().unwrap()]).await.unwrap();
        assert_eq!(played.counts(), (2, 1), "as many as may run");
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_moves_has_lost_no_turn() {
        let played = Played::new(&["acme/a", "acme/b"], 9);
        played.world().moves = Some("acme/a".to_owned());
        played.organizations().give_out_lost_turns(&["acme".parse().unwrap()]).await.unwrap();
        assert_eq!((played.counts(), played.world().looks), ((0, 1), 2));
        let empty = Played::new(&[], 9);
        empty.organizations().give_out_lost_turns(&["acme".parse().unwrap()]).await.unwrap();
        assert_eq!(empty.world().looks, 1, "there is nothing to wait for");
    }
}
