//! The sync's side of the garbage protocol (`moorage_domain::condemned`): what is linked is made safe from collectors
//! before anybody looks whether the bucket has it.

use std::time::Duration;

use moorage_domain::{
    Digest, FailureReason,
    condemned::{Rescue, rescue},
    failure::Failure,
};
use moorage_state::{Crowd, Table, Together, now};

use crate::error::WorkError;

/// How long to wait for a deletion, and how often: one takes milliseconds. For one that a killed collector has left behind,
/// the sync goes on when nobody can carry that out any more.
const PAUSE: Duration = Duration::from_millis(200);
const TRIES: u32 = 50;
/// How much later than that the sync goes on: sentences have whole seconds.
const MARGIN: Duration = Duration::from_secs(1);
/// Sentences that are read together: as many as one request reads.
const BATCH: usize = 100;

/// Protects content, as much of it at once as is wanted while a request is under way.
#[derive(Debug)]
pub(crate) struct Guardian {
    table: Table,
    wanted: Together<Digest, Result<(), WorkError>>,
}

impl Guardian {
    pub(crate) fn new(table: Table, crowd: Crowd) -> Self {
        Self { table, wanted: Together::new(crowd) }
    }

    /// Lifts the sentence of content whose link is written, if it has one.
    pub(crate) async fn protect(&self, digest: &Digest) -> Result<(), WorkError> {
        let protect_all = async |batch: Vec<Digest>| {
            let mut digests: Vec<&Digest> = batch.iter().collect();
            digests.sort_unstable();
            digests.dedup();
            vec![protect(&self.table, &digests).await; batch.len()]
        };
        self.wanted.ask(digest.clone(), |open| open.len().min(BATCH), protect_all).await
    }
}

/// Lifts the sentences of content whose links are written, each digest once.
async fn protect(table: &Table, digests: &[&Digest]) -> Result<(), WorkError> {
    let (mut open, mut left) = (digests.to_vec(), None);
    for _ in 0..TRIES {
        let sentences = table.sentences(&open).await?;
        let mut wait = None;
        for (digest, sentence) in &sentences {
            match rescue(Some(sentence), now()) {
                Rescue::Safe => {}
                // Lost against somebody: what they made of it is read by the next try.
                Rescue::Lift(_) => drop(table.lift_sentence(digest, sentence).await?),
                Rescue::Wait => wait = wait.max(Some(sentence.deletes_until())),
            }
        }
        if sentences.is_empty() {
            return Ok(());
        }
        open.retain(|digest| sentences.contains_key(*digest));
        left = wait;
        if wait.is_some() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    if let Some(until) = left {
        return Err(WorkError::Limited(until.plus(MARGIN)));
    }
    let message = "collectors and syncs have changed the sentences of wanted content all the time".to_owned();
    Err(WorkError::Failed(Failure::new(FailureReason::StorageError, message)))
}
