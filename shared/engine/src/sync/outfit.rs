//! What an invocation copies with.

use std::{collections::BTreeMap, sync::Arc};

use moorage_domain::{TagName, plan::HeldTag};
use moorage_state::{Reads, StateError};
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    sync::invocation::Invocation,
    transfer::{
        allowance::Allowance,
        blobs::{Blobs, Flow},
        copier::Copier,
        possession::Possession,
        protect::Guardian,
    },
};

impl Invocation<'_> {
    /// Whether other runs have left uploads. No others than what they have left come: this one has the claim.
    pub(crate) async fn has_left_uploads(&self) -> Result<bool, StateError> {
        let uploads = self.engine.table.uploads(&self.mirror.config.repository).await?;
        Ok(uploads.iter().any(|upload| upload.run_id != self.run))
    }

    /// Whether the repository has nothing, tagged or not: a run that was killed, or failed, has left what came, and that is
    /// not fetched again.
    pub(crate) async fn is_empty(&self, held: &BTreeMap<TagName, HeldTag>) -> Result<bool, WorkError> {
        Ok(held.is_empty() && !self.engine.storage.has_anything(&self.mirror.config.repository).await?)
    }

    /// What copies from a registry to what is held.
    pub(crate) async fn copier(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        is_empty: bool,
    ) -> Result<Copier, WorkError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let reads = Arc::new(Reads::new(engine.table.clone(), self.crowd.clone()));
        let possession = Possession::new(engine, Arc::clone(&self.owner), is_empty, Arc::clone(&reads));
        let possession = self.possession.get_or_init(|| Arc::new(possession));
        let blobs = Blobs {
            registry: registry.clone(),
            storage: engine.storage.clone(),
            table: engine.table.clone(),
            repository: config.repository.clone(),
            run: self.run,
            claim: Arc::clone(self.claim),
            tags: self.tags.clone(),
            progress: Arc::clone(self.progress),
            budget: self.budget,
            flow: Flow::new(self.meter.limit()),
            possession: Arc::clone(possession),
            guardian: Guardian::new(engine.table.clone(), reads),
            verifies: self.verifies,
            allowance: Allowance::new(engine, &config.repository, held).await?,
        };
        Ok(Copier::new(blobs, config.clone()))
    }
}
