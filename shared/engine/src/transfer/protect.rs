//! The sync's side of the garbage protocol (`moorage_domain::condemned`): what is linked is made safe from collectors
//! before anybody looks whether the bucket has it.

use std::{sync::Arc, time::Duration};

use moorage_domain::{
    Digest, FailureReason,
    condemned::{Rescue, rescue},
    failure::Failure,
};
use moorage_state::{Reads, Table, now};

use crate::error::WorkError;

/// How long to wait for a deletion, and how often: one takes milliseconds. For one that a killed collector has left behind,
/// the sync goes on when nobody can carry that out any more.
const PAUSE: Duration = Duration::from_millis(200);
const TRIES: u32 = 50;
/// How much later than that the sync goes on: sentences have whole seconds.
const MARGIN: Duration = Duration::from_secs(1);
/// Protects content.
#[derive(Debug)]
pub(crate) struct Guardian {
    table: Table,
    reads: Arc<Reads>,
}

impl Guardian {
    pub(crate) fn new(table: Table, reads: Arc<Reads>) -> Self {
        Self { table, reads }
    }

    /// Lifts the sentence of content whose link is written, if it has one.
    pub(crate) async fn protect(&self, digest: &Digest) -> Result<(), WorkError> {
        let mut left = None;
        for _ in 0..TRIES {
            let Some(sentence) = self.reads.sentences(&[digest]).await?.remove(digest) else { return Ok(()) };
            left = None;
            match rescue(Some(&sentence), now()) {
                Rescue::Safe => return Ok(()),
                // Lost against somebody: what they made of it is read by the next try.
                Rescue::Lift(_) => drop(self.table.lift_sentence(digest, &sentence).await?),
                Rescue::Wait => {
                    left = Some(sentence.deletes_until());
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        if let Some(until) = left {
            return Err(WorkError::Limited(until.plus(MARGIN)));
        }
        let message = "collectors and syncs have changed the sentences of wanted content all the time".to_owned();
        Err(WorkError::Failed(Failure::new(FailureReason::StorageError, message)))
    }
}
