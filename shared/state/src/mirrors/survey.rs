//! How the mirrors are, as they are read.

use std::collections::HashSet;

use moorage_domain::{
    Namespace, RepositoryName, Timestamp,
    health::{MirrorHealth, Seen},
};

use crate::{Mirror, OrganizationMirror, StateError, Table};

/// Looks at mirrors, one namespace after the other.
#[derive(Debug)]
pub struct Survey {
    health: MirrorHealth,
    /// How many intervals a mirror may be without success.
    intervals: u64,
    now: Timestamp,
    /// The mirror of the organization whose repositories are looked at.
    organization: Option<OrganizationMirror>,
    /// The repositories that it syncs at its starts, once somebody has asked for them.
    synced: Option<HashSet<RepositoryName>>,
}

impl Survey {
    /// One that finds mirrors late `intervals` of their intervals after their last success.
    pub fn new(intervals: u64, now: Timestamp) -> Self {
        Self { health: MirrorHealth::default(), intervals, now, organization: None, synced: None }
    }

    /// What was found so far.
    pub fn health(self) -> MirrorHealth {
        self.health
    }

    /// Comes to a namespace, and looks at the mirror of its organization, if it has one.
    pub fn enter(&mut self, namespace: &Namespace, organization: Option<OrganizationMirror>) {
        self.organization = organization;
        self.synced = None;
        if let Some(OrganizationMirror { config, state, created, .. }) = &self.organization {
            let (is_enabled, sync_interval) = (config.is_enabled, config.sync_interval);
            let seen = Seen { name: namespace.as_str(), is_enabled, sync_interval, state, created: *created };
            self.health.see(seen, seen.is_late(self.intervals, self.now), self.now);
        }
    }

    /// Looks at the mirror of a repository of the namespace.
    pub async fn look(&mut self, table: &Table, mirror: &Mirror) -> Result<(), StateError> {
        let Mirror { config, state, created, .. } = mirror;
        let (name, is_enabled, sync_interval) = (config.repository.as_str(), config.is_enabled, config.sync_interval);
        let seen = Seen { name, is_enabled, sync_interval, state, created: *created };
        let is_late = seen.is_late(self.intervals, self.now)
            && (!mirror.is_discovered || self.is_synced(table, &config.repository).await?);
        self.health.see(seen, is_late, self.now);
        Ok(())
    }

    /// Whether its organization's mirror syncs a repository: it is on, and leaves the repository not out.
    async fn is_synced(&mut self, table: &Table, repository: &RepositoryName) -> Result<bool, StateError> {
        if !self.organization.as_ref().is_some_and(|mirror| mirror.config.is_enabled) {
            return Ok(false);
        }
        let synced = if let Some(synced) = self.synced.take() {
            synced
        } else {
            let discovered = table.discovered(&repository.namespace()).await?.into_iter();
            discovered.filter(|found| found.skipped.is_none()).map(|found| found.repository).collect()
        };
        Ok(self.synced.insert(synced).contains(repository))
    }
}
