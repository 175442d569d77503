//! An invocation that goes on beside the test.

use std::time::Duration;

use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    aws::Aws,
    eventually,
    function::{Function, Outcome},
    lab::Ended,
    process::Killable,
};

/// How long a process may take to come to where it is frozen.
const PATIENCE: Duration = Duration::from_secs(30);

/// The invocation. It ends with this.
#[derive(Debug)]
pub struct Running {
    process: Killable,
    ends: AbortOnDropHandle<Ended>,
}

impl Running {
    pub(super) fn of(function: Function, aws: Aws, event: Value, within: Duration) -> Self {
        let process = function.process();
        let ends = tokio::spawn(async move {
            let outcome = function.invoke(&event, within).await;
            Ended { outcome, asked: aws.seen(), log: function.log() }
        });
        Self { process, ends: AbortOnDropHandle::new(ends) }
    }

    /// Waits until it is frozen, as its plan says; or ends, if that comes first, and tells which of the two.
    pub async fn is_frozen(&self) -> bool {
        eventually("it is frozen, or ends", PATIENCE, async || {
            let is_frozen = self.process.is_frozen();
            (is_frozen || self.ends.is_finished()).then_some(is_frozen)
        })
        .await
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Its end.
    pub async fn end(self) -> Ended {
        self.ends.await.unwrap()
    }

    /// Its end, which is expected to be an answer.
    pub async fn answer(self) -> Value {
        let ended = self.end().await;
        match ended.outcome {
            Outcome::Answer(answer) => answer,
            outcome => panic!("{outcome:?}\n{}", ended.log),
        }
    }
}
