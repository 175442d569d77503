//! The sync's side of the garbage protocol (`moorage_domain::condemned`): what is linked is made safe from collectors
//! before anybody looks whether the bucket has it.

use std::time::Duration;

use moorage_domain::{
    Digest, FailureReason,
    condemned::{Rescue, rescue},
    failure::Failure,
    manifest::Descriptor,
};
use moorage_state::Table;

use crate::{blobs::Blobs, copy::follow, error::WorkError};

/// How long to wait for a deletion, and how often: one takes milliseconds. One that a collector left behind is taken up
/// by another collector, and the sync's next attempt succeeds.
const PAUSE: Duration = Duration::from_millis(200);
const ROUNDS: u32 = 50;

/// Lifts the sentences of content whose links are written.
pub(crate) async fn protect(table: &Table, digests: &[&Digest]) -> Result<(), WorkError> {
    let mut open = digests.to_vec();
    for _ in 0..ROUNDS {
        let sentences = table.sentences(&open).await?;
        let mut wait = false;
        for (digest, sentence) in &sentences {
            match rescue(Some(sentence)) {
                Rescue::Safe => {}
                // Lost against somebody: what they made of it is read in the next round.
                Rescue::Lift(_) => drop(table.lift_sentence(digest, sentence).await?),
                Rescue::Wait => wait = true,
            }
        }
        if sentences.is_empty() {
            return Ok(());
        }
        open.retain(|digest| sentences.contains_key(*digest));
        if wait {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let message = "content that is wanted again is still being deleted".to_owned();
    Err(WorkError::Failed(Failure { reason: FailureReason::StorageError, message }))
}

impl Blobs {
    /// Makes blobs part of the repository and safe from collectors, each once per run. Tells whether a link was not what
    /// it should be, if they are verified.
    pub(crate) async fn link(&self, blobs: &[Descriptor]) -> Result<bool, WorkError> {
        let open: Vec<_> =
            blobs.iter().map(|blob| &blob.digest).filter(|digest| !self.flow.is_linked(digest)).collect();
        let mended = follow(open.len(), |index| self.link_one(open[index])).await?;
        protect(&self.table, &open).await?;
        self.flow.linked(open);
        Ok(mended.contains(&true))
    }

    async fn link_one(&self, digest: &Digest) -> Result<bool, WorkError> {
        if self.verifies {
            return Ok(self.storage.mend_blob_link(&self.repository, digest).await?);
        }
        self.storage.link_blob(&self.repository, digest).await?;
        Ok(false)
    }
}
