//! How the mirrors are, as they are read.

use std::collections::HashSet;

use moorage_domain::{
    Namespace, RepositoryName, Timestamp,
    health::{MirrorHealth, Seen},
};

use crate::{Mirror, StateError, Table};

/// Looks at mirrors, one namespace after the other.
#[derive(Debug)]
pub struct Survey {
    health: MirrorHealth,
    /// How many intervals a mirror may be without success.
    intervals: u64,
    now: Timestamp,
    /// The repositories that the mirror of the organization last asked for syncs at its starts.
    synced: Option<(Namespace, HashSet<RepositoryName>)>,
}

impl Survey {
    /// One that finds mirrors late `intervals` of their intervals after their last success.
    pub fn new(intervals: u64, now: Timestamp) -> Self {
        Self { health: MirrorHealth::default(), intervals, now, synced: None }
    }

    /// What was found so far.
    pub fn health(self) -> MirrorHealth {
        self.health
    }

    /// Looks at a mirror.
    pub async fn look(&mut self, table: &Table, mirror: &Mirror) -> Result<(), StateError> {
        let seen = Seen { config: &mirror.config, state: &mirror.state, created: mirror.created };
        let is_late = seen.is_late(self.intervals, self.now)
            && (!mirror.is_discovered || self.is_synced(table, &mirror.config.repository).await?);
        self.health.see(seen, is_late, self.now);
        Ok(())
    }

    /// Whether its organization's mirror syncs a repository: it is on, and the registry still has the repository.
    async fn is_synced(&mut self, table: &Table, repository: &RepositoryName) -> Result<bool, StateError> {
        let organization = repository.namespace();
        let synced = match self.synced.take().filter(|(asked, _)| *asked == organization) {
            Some((_, synced)) => synced,
            None => synced(table, &organization).await?,
        };
        let is_synced = synced.contains(repository);
        self.synced = Some((organization, synced));
        Ok(is_synced)
    }
}

async fn synced(table: &Table, organization: &Namespace) -> Result<HashSet<RepositoryName>, StateError> {
    let mirror = table.organization_mirror(organization).await?;
    if !mirror.is_some_and(|mirror| mirror.config.is_enabled) {
        return Ok(HashSet::new());
    }
    let discovered = table.discovered(organization).await?.into_iter().filter(|found| found.skipped.is_none());
    Ok(discovered.map(|found| found.repository).collect())
}
