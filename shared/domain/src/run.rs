//! One run of a sync: what started it, how far it is, and what became of each tag.

#[cfg(test)]
mod tests;
mod upstream;

use serde::{Deserialize, Serialize};

pub use self::upstream::Upstream;
pub use crate::run_id::RunId;

use crate::{
    AwsUsage, Digest, RepositoryName, TagName, Timestamp, Warning, failure::Failure, gate::Judgement, pace::Pace,
    plan::Cause, rate_limit::Left, signature_policy::Verified, target::Target,
};

/// What the sync function is invoked with, by EventBridge Scheduler, Sync Now, or a sync that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// The mirrored repository.
    pub repository: RepositoryName,
    /// Who asks.
    pub trigger: Trigger,
}

/// Who asks for a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The mirror's schedule.
    Schedule,
    /// Sync Now.
    SyncNow,
    /// Verify.
    Verify,
    /// The one-time schedule after a failure.
    Retry,
    /// A round of the organization's mirror.
    Organization,
    /// A sync that ran out of time, or waited for its registry.
    Continuation,
    /// What waited at the gate may be let in.
    Hold,
    /// Somebody turns the tags back to what they were. The registry is not asked.
    Rollback,
    /// A webhook: somebody says that tags have moved.
    Webhook,
}

impl Trigger {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::SyncNow => "sync_now",
            Self::Verify => "verify",
            Self::Retry => "retry",
            Self::Organization => "organization",
            Self::Continuation => "continuation",
            Self::Hold => "hold",
            Self::Rollback => "rollback",
            Self::Webhook => "webhook",
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// It runs; or it was killed, if its mirror's claim has expired.
    Syncing,
    /// Every selected tag is mirrored.
    Success,
    /// Something failed.
    Fail,
    /// It was cancelled.
    Cancel,
}

/// What a run counts while it goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Tags that the rule selects.
    pub tags_total: u64,
    /// Tags with an outcome.
    pub tags_done: u64,
    /// Bytes of all blobs and manifests known to be wanted so far, each digest once.
    pub bytes_total: u64,
    /// Bytes of them that are in the bucket, whether copied or found there.
    pub bytes_done: u64,
    /// Bytes of them that were read from the registry.
    pub bytes_copied: u64,
    /// Tags by outcome.
    pub tags_copied: u64,
    /// Tags that were as they should be.
    pub tags_unchanged: u64,
    /// Tags whose image is of an architecture that the mirror does not keep.
    #[serde(default)]
    pub tags_skipped: u64,
    /// Tags that failed or were refused.
    pub tags_failed: u64,
    /// Tags that wait at the gate.
    #[serde(default)]
    pub tags_held: u64,
    /// Tags that were deleted.
    pub tags_pruned: u64,
    /// Blobs, parts of large blobs, and manifests that this run stored: what tells whether it gets anywhere.
    pub objects_stored: u64,
    /// Tags of which something was missing or damaged in the bucket, and was fetched again.
    #[serde(default)]
    pub tags_repaired: u64,
    /// Pages of the bucket's tags that a verify has compared with the table's, and tags that it has found so, some of them
    /// perhaps twice: what tells that it gets on.
    #[serde(default)]
    pub tags_compared: u64,
    /// Bytes of the images that the tags pointed to when all were copied, each image once; 0 until then.
    #[serde(default)]
    pub bytes_stored: u64,
    /// What the registry was asked.
    #[serde(flatten)]
    pub upstream: Upstream,
}

/// How far a run that verifies is with comparing the bucket's tags with the table's: it does so once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// It has not begun.
    #[default]
    Nothing,
    /// All tags up to this one, in the order of their bytes.
    UpTo(TagName),
    /// All.
    All,
}

impl Compared {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub run_id: RunId,
    /// What started it.
    pub trigger: Trigger,
    /// Where it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many invocations it has taken so far.
    pub invocations: u32,
    /// What it counted.
    #[serde(flatten)]
    pub progress: Progress,
    /// Why it failed as a whole, or the first tag's failure.
    pub failure: Option<Failure>,
    /// What it left undone on purpose.
    pub warning: Option<Warning>,
    /// Whether it looks at everything that the tags reference, whatever the table says.
    #[serde(default)]
    pub verifies: bool,
    /// How far it is with comparing the bucket's tags with the table's, if it verifies.
    #[serde(default, skip_serializing_if = "Compared::is_nothing")]
    pub compared: Compared,
    /// Until when it waits for the registry.
    #[serde(default)]
    pub waiting_until: Option<Timestamp>,
    /// How often it has waited so.
    #[serde(default)]
    pub waits: u32,
    /// How often in a row it has waited so without getting anywhere in between.
    #[serde(default)]
    pub idle_waits: u32,
    /// How many items of outcomes each of its attempts has written: one attempt for each invocation. What an attempt wrote
    /// beyond that, it wrote after another one had taken over, and nobody reads it.
    #[serde(default)]
    pub outcome_items: Vec<u32>,
    /// How fast it moves.
    #[serde(default)]
    pub pace: Pace,
    /// Whether it failed and is tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub will_retry: bool,
    /// To what it turns the tags back, if it does not sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Target>,
    /// The only tags that it asks for, if somebody has said that they have moved. Of the others it learns nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hinted: Option<Vec<TagName>>,
    /// What it has used of AWS, as far as that was written; of runs from before it was counted nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<AwsUsage>,
    /// What its registry has left it, as it was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Left>,
}

impl Run {
    /// A run that begins.
    pub fn new(run_id: RunId, trigger: Trigger, started_at: Timestamp, verifies: bool) -> Self {
        Self {
            run_id,
            trigger,
            status: RunStatus::Syncing,
            started_at,
            ended_at: None,
            invocations: 1,
            progress: Progress::default(),
            failure: None,
            warning: None,
            verifies,
            compared: Compared::default(),
            waiting_until: None,
            waits: 0,
            idle_waits: 0,
            outcome_items: vec![0],
            pace: Pace::default(),
            will_retry: false,
            rollback: None,
            hinted: None,
            usage: Some(AwsUsage::default()),
            rate_limit: None,
        }
    }

    /// A run that begins to turn tags back.
    pub fn of_rollback(run_id: RunId, target: Target, started_at: Timestamp) -> Self {
        Self { rollback: Some(target), ..Self::new(run_id, Trigger::Rollback, started_at, false) }
    }

    /// Whether it is a sync of all tags: what turned tags back, or asked for hinted ones, says nothing of the mirror.
    pub const fn is_whole(&self) -> bool {
        self.rollback.is_none() && self.hinted.is_none()
    }

    /// Whether it has asked for all tags, whatever became of them: one that failed earlier, or was ended, knows nothing of some.
    pub const fn has_asked_for_all(&self) -> bool {
        let Progress { tags_total, tags_done, .. } = self.progress;
        self.is_whole()
            && match self.status {
                RunStatus::Success => true,
                RunStatus::Fail => tags_total > 0 && tags_done >= tags_total,
                RunStatus::Syncing | RunStatus::Cancel => false,
            }
    }

    /// Whether it is one of the turns of an organization's mirror, which passes it on when it ends.
    pub fn is_turn(&self) -> bool {
        let is_turned = self.rollback.as_ref().is_some_and(|target| target.by_organization);
        self.trigger == Trigger::Organization || is_turned
    }

    /// The run in its next invocation.
    #[must_use]
    pub fn again(self) -> Self {
        let outcome_items = self.outcome_items.into_iter().chain([0]).collect();
        Self {
            status: RunStatus::Syncing,
            ended_at: None,
            invocations: self.invocations.saturating_add(1),
            waiting_until: None,
            outcome_items,
            ..self
        }
    }
}

/// What became of one tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagOutcome {
    /// The tag.
    pub tag: TagName,
    /// What became of it.
    pub outcome: Outcome,
    /// The digest it has now; of one that waits at the gate, the one that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Why it failed or was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it was deleted, or is held; or that the registry lacks it, if somebody has said that it has moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What the gate said of it: why it waits, or would, or was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Judgement>,
    /// Who signed its image, where that was asked and found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<Verified>,
    /// What it pointed to before it was copied or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
}

impl TagOutcome {
    /// Of a tag, without more to say of it.
    pub fn new(tag: TagName, outcome: Outcome) -> Self {
        Self { tag, outcome, digest: None, failure: None, cause: None, gate: None, signed: Vec::new(), from: None }
    }

    /// Whether it waits at the gate: one of the selected tags, with which the run is done.
    pub fn is_gated(&self) -> bool {
        self.outcome == Outcome::Held && self.cause.is_none()
    }
}

/// The kinds of outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was copied, or moved to what the bucket had.
    Copied,
    /// It was as it should be.
    Unchanged,
    /// It was as it should be, but something of it was missing or damaged in the bucket, and was fetched again.
    Repaired,
    /// A stock registry could not serve it, or it is not signed as it has to be.
    Refused,
    /// It could not be copied.
    Failed,
    /// It was deleted, because the rule does not select it or the registry has lost it.
    Pruned,
    /// It was left as it is: its image is of an architecture that the mirror does not keep; or somebody has said that it has
    /// moved, and the registry does not have it any more.
    Skipped,
    /// It was left as it is: it is to be deleted, but the run may not delete so many, or the registry still has it or may
    /// have it; or what it points to waits at the gate.
    Held,
}

impl Progress {
    /// Everything that is done and need not be done again, in no unit: whoever gets anywhere changes it.
    pub fn steps(&self) -> u64 {
        let tags = self.tags_done.saturating_add(self.tags_pruned).saturating_add(self.tags_compared);
        tags.saturating_add(self.objects_stored)
    }

    /// Counts one outcome.
    pub fn count(&mut self, outcome: &TagOutcome) {
        let count = match outcome.outcome {
            Outcome::Copied => &mut self.tags_copied,
            Outcome::Unchanged => &mut self.tags_unchanged,
            Outcome::Repaired => &mut self.tags_repaired,
            Outcome::Refused | Outcome::Failed => &mut self.tags_failed,
            Outcome::Skipped => &mut self.tags_skipped,
            Outcome::Held if outcome.is_gated() => &mut self.tags_held,
            // The others are not among the selected ones.
            Outcome::Pruned => {
                self.tags_pruned = self.tags_pruned.saturating_add(1);
                return;
            }
            Outcome::Held => return,
        };
        *count = count.saturating_add(1);
        self.tags_done = self.tags_done.saturating_add(1);
    }
}
