//! One round of an organization's mirror: what was found becomes mirrors, and their syncs are queued.

use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    RepositoryName,
    discovery::{DiscoveredRepository, Discovery},
    run::Trigger,
};
use moorage_state::{
    Claim, Discoverer, LogOf, Mirror, NewDiscovered, OrganizationMirror, Robot, Role, StateError, TransitionError, now,
};
use uuid::Uuid;

use crate::{
    error::{RoundError, unusable},
    log,
    organizations::{CHANGES_IN_FLIGHT, Organizations},
    quota::within_quota,
};

/// Repositories that are made at once: each transaction looks at the organization, and they must not be in each other's way.
const MADE_AT_ONCE: usize = 4;
/// How often a repository is tried to be made whose name is locked, and the pause between: together as long as a lock.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);
/// Repositories between two looks at the claim.
const BATCH: usize = 100;

/// What an invocation has done, told even if it is interrupted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    repositories: AtomicUsize,
    created: AtomicUsize,
    queued: AtomicUsize,
}

impl Counts {
    /// Repositories that are mirrored.
    pub(crate) fn repositories(&self) -> usize {
        self.repositories.load(Ordering::Relaxed)
    }

    /// Repositories that were created.
    pub(crate) fn created(&self) -> usize {
        self.created.load(Ordering::Relaxed)
    }

    /// Counts repositories that were queued.
    pub(crate) fn queued(&self, count: usize) {
        self.queued.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether the round got anywhere.
    pub(crate) fn has_moved(&self) -> bool {
        self.created() + self.queued.load(Ordering::Relaxed) > 0
    }
}

/// A round, in one invocation. Everything in it can be done twice.
pub(crate) struct Round<'a> {
    pub(crate) organizations: &'a Organizations,
    pub(crate) mirror: &'a OrganizationMirror,
    pub(crate) claim: &'a Claim,
    pub(crate) trigger: Trigger,
    pub(crate) counts: &'a Counts,
}

impl Round<'_> {
    /// Makes the listed repositories mirrors, queues their syncs, and starts the first of them.
    pub(crate) async fn all(&self, listed: &BTreeSet<String>) -> Result<(), RoundError> {
        let (table, organization) = (&self.organizations.table, &self.mirror.config.organization);
        let known = table.discovered(organization).await?;
        let discovery = Discovery::of(&self.mirror.config, listed, known).map_err(unusable)?;
        self.counts.repositories.store(discovery.active(), Ordering::Relaxed);
        if !discovery.invalid.is_empty() {
            self.tell(&[log::not_created(self.mirror, &discovery.invalid, "No repository can have these names")])
                .await?;
        }
        let names: Vec<RepositoryName> = discovery.known.iter().map(|known| known.repository.clone()).collect();
        let mirrors: HashMap<_, _> = table.mirrors_of_many(&names).await?.into_iter().map(named).collect();
        let running = mirrors.values().filter(|mirror| mirror.state.is_running(now())).count();

        let (there, gone): (Vec<_>, Vec<_>) = discovery
            .known
            .into_iter()
            .partition(|known| known.skipped.is_some() || mirrors.contains_key(&known.repository));
        let new = discovery.new.into_iter().map(|repository| DiscoveredRepository {
            repository,
            discovery_date: now(),
            skipped: None,
            round: None,
        });
        // Who was deleted here, but is listed still, is found anew.
        self.create(new.chain(gone).collect()).await?;
        self.queue(there, &mirrors).await?;
        self.claim.renew().await?;
        let turns = self.organizations.settings.syncs.saturating_sub(running);
        Ok(self.organizations.start_turns(organization, turns).await?)
    }

    async fn create(&self, new: Vec<DiscoveredRepository>) -> Result<(), RoundError> {
        let (new, left_out) = within_quota(self.organizations, self.mirror, new).await?;
        if let Some(entry) = left_out {
            self.tell(&[entry]).await?;
        }
        for batch in new.chunks(BATCH) {
            self.claim.renew().await?;
            let robot =
                self.organizations.table.robot(&self.mirror.config.robot).await?.ok_or(RoundError::ClaimLost)?;
            let create = async |discovered: &DiscoveredRepository| self.create_one(discovered, &robot).await;
            let created: Vec<_> = stream::iter(batch).map(create).buffer_unordered(MADE_AT_ONCE).try_collect().await?;
            let (created, taken): (Vec<_>, Vec<_>) = created.into_iter().partition(|(_, is_new)| *is_new);
            let mut entries: Vec<_> = created.iter().map(|(name, _)| log::created(self.mirror, name)).collect();
            if !taken.is_empty() {
                let taken: Vec<_> = taken.iter().map(|(repository, _)| repository.name().to_owned()).collect();
                entries.push(log::not_created(self.mirror, &taken, "There are other repositories of these names"));
            }
            self.tell(&entries).await?;
        }
        Ok(())
    }

    /// Whether the repository was created; not if there is another one of the name.
    async fn create_one(
        &self,
        discovered: &DiscoveredRepository,
        robot: &Robot,
    ) -> Result<(RepositoryName, bool), RoundError> {
        let repository = discovered.repository.clone();
        let config = self.mirror.config.mirror_of(&repository).map_err(unusable)?;
        let new = NewDiscovered {
            discovered: DiscoveredRepository {
                skipped: None,
                round: self.mirror.state.sync_run_id,
                ..discovered.clone()
            },
            config,
            is_public: self.mirror.config.is_public,
            start: self.mirror.state.sync_start_date,
        };
        let by = Discoverer { transaction: self.claim.transaction(), robot, now: now() };
        for _ in 0..TRIES {
            match self.organizations.table.create_discovered(&new, by).await {
                Ok(()) => {
                    self.counts.created.fetch_add(1, Ordering::Relaxed);
                    self.claim.moved();
                    return Ok((repository, true));
                }
                Err(StateError::Conflict) => return Ok((repository, false)),
                // A collector looks at what the bucket has under the name.
                Err(StateError::Locked) => tokio::time::sleep(PAUSE).await,
                Err(StateError::NotFound) => return Err(RoundError::ClaimLost),
                Err(error) => return Err(error.into()),
            }
        }
        Err(StateError::Locked.into())
    }

    /// Brings known repositories up to date with the configuration, and queues their syncs, unless this round has done
    /// so before.
    async fn queue(
        &self,
        known: Vec<DiscoveredRepository>,
        mirrors: &HashMap<RepositoryName, Mirror>,
    ) -> Result<(), RoundError> {
        let round = self.mirror.state.sync_run_id;
        let open: Vec<_> = known.into_iter().filter(|known| known.round != round).collect();
        for batch in open.chunks(BATCH) {
            self.claim.renew().await?;
            let active = batch.iter().filter(|known| known.skipped.is_none());
            let active = active.filter_map(|known| mirrors.get(&known.repository));
            let prepare = async |mirror: &Mirror| self.prepare(mirror).await;
            stream::iter(active).map(prepare).buffer_unordered(CHANGES_IN_FLIGHT).try_collect::<()>().await?;
            let batch: Vec<_> = batch.iter().map(|known| DiscoveredRepository { round, ..known.clone() }).collect();
            let claim = self.claim.transaction();
            match self.organizations.table.put_discovered(&batch, claim).await {
                Err(StateError::NotFound) => return Err(RoundError::ClaimLost),
                result => result?,
            }
            self.counts.queued(batch.len());
            self.claim.moved();
        }
        Ok(())
    }

    /// Brings a mirror up to date with the configuration; and Sync Now is the repositories', too.
    async fn prepare(&self, mirror: &Mirror) -> Result<(), RoundError> {
        let (ours, table, repository) = (&self.mirror.config, &self.organizations.table, &mirror.config.repository);
        let config = ours.mirror_of(repository).map_err(unusable)?;
        let start = self.mirror.state.sync_start_date;
        let is_on_grid = is_on_grid(mirror, start.unix(), ours.sync_interval);
        if config != mirror.config || !is_on_grid {
            let role = (config.robot != mirror.config.robot).then_some(Role::Write);
            let mut after = Mirror { config, ..mirror.clone() };
            if !is_on_grid {
                after.state.sync_start_date = start;
            }
            match table.change_mirror(&after, mirror, role).await {
                // Somebody else changed it: the next round will do.
                Ok(()) | Err(StateError::Conflict | StateError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.trigger == Trigger::SyncNow {
            let asked = table.transition(repository, |mirror| Ok(mirror.state.sync_now(now(), Uuid::new_v4())?)).await;
            // Otherwise it runs, or is gone.
            if let Err(TransitionError::State(error)) = asked {
                return Err(error.into());
            }
        }
        Ok(())
    }

    async fn tell(&self, entries: &[moorage_domain::usage_log::LogEntry]) -> Result<(), RoundError> {
        let log = LogOf::Namespace(&self.mirror.config.organization);
        Ok(self.organizations.table.add_log_of(log, entries).await?)
    }
}

fn named(mirror: Mirror) -> (RepositoryName, Mirror) {
    (mirror.config.repository.clone(), mirror)
}

/// Whether a mirror's starts are those of the organization's mirror.
fn is_on_grid(mirror: &Mirror, start: i64, interval: u64) -> bool {
    let interval = i64::try_from(interval).unwrap_or(i64::MAX).max(1);
    (mirror.state.sync_start_date.unix() - start).rem_euclid(interval) == 0
}
