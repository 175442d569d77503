//! One invocation of a run: everything that its steps need, and what they share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, NoListing, Owner, TagName, Timestamp, Warning,
    failure::Failure,
    gate::{Judgement, Reason},
    plan::{HeldTag, Missing},
    run::RunId,
    target::Target,
};
use moorage_signatures::Trust;
use moorage_state::{Claim, Crowd, Login, Mirror, ReferrersChecked, SkippedTag, Tags};
use moorage_upstream::{Meter, Said};
use tokio::sync::OnceCell;

use crate::{
    engine::Engine,
    error::WorkError,
    gate::keeper::Gatekeeper,
    sync::{budget::Budget, knowledge::Knowledge, progress::Progress, tag_set::TagSet},
    transfer::possession::Possession,
};

/// Items of the table that are written at once.
const WRITES_IN_FLIGHT: usize = 16;

/// Everything that the steps of one invocation need.
pub(crate) struct Invocation<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) mirror: &'a Mirror,
    pub(crate) claim: &'a Arc<Claim>,
    /// What is written of tags by the claim.
    pub(crate) tags: Tags,
    /// The tags that are being copied: what they ask of the table is asked together.
    pub(crate) crowd: Crowd,
    pub(crate) progress: &'a Arc<Progress>,
    pub(crate) budget: Budget,
    /// The run.
    pub(crate) run: RunId,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// Whether there were earlier invocations of it.
    pub(crate) is_resumed: bool,
    /// The tags that they have dealt with.
    pub(crate) done: TagSet,
    /// Those of them that were copied.
    pub(crate) copied: TagSet,
    /// The tags that the architecture filter has left out before.
    pub(crate) skipped: BTreeMap<TagName, SkippedTag>,
    /// When it was last asked what refers to images. Nobody but the run changes that, at its end.
    pub(crate) checked: Option<ReferrersChecked>,
    /// The only tags that it asks for, if it was told of some.
    pub(crate) hinted: Option<Vec<TagName>>,
    /// Whether everything that the tags reference is looked at.
    pub(crate) verifies: bool,
    /// To what it turns the tags back, if it does not sync.
    pub(crate) rollback: Option<Target>,
    /// Who the mirror is at its registry.
    pub(crate) login: &'a Login,
    pub(crate) meter: Meter,
    /// What it knows of its registry, of earlier invocations, too.
    pub(crate) knowledge: Arc<Knowledge>,
    /// What the registry's listing says of its tags.
    pub(crate) said: OnceLock<Said>,
    /// Its gate, if the mirror has one.
    pub(crate) gatekeeper: Option<Gatekeeper>,
    /// Whom its policy of signatures has believed, once somebody asks.
    pub(crate) trust: OnceCell<Trust>,
    /// Images that it has let in, and of which the run has not kept yet what is attached to them.
    pub(crate) unattached: Mutex<BTreeSet<Digest>>,
    /// The repository.
    pub(crate) owner: Arc<Owner>,
    /// What it may have, once that is looked at.
    pub(crate) possession: OnceLock<Arc<Possession>>,
}

/// What the steps came to.
pub(crate) enum Work {
    /// Every selected tag has an outcome, and the others are dealt with. `verified` if everything that is held was looked at.
    Done {
        selected: Vec<TagName>,
        /// Of what was not deleted, and of what waits.
        warnings: [Option<Warning>; 2],
        verified: bool,
        no_listing: Option<NoListing>,
    },
    /// The tags are what they were.
    TurnedBack,
    /// The sync failed as a whole.
    Failed(Failure),
    /// The claim was lost.
    Stopped,
    /// The invocation's time is up.
    Suspended,
    /// The registry is to be left alone until then.
    Limited(Timestamp),
}

impl Invocation<'_> {
    /// Those of some tags that the mirror's rule selects.
    pub(crate) fn select(&self, tags: Vec<TagName>) -> Result<Vec<TagName>, WorkError> {
        self.mirror.config.root_rule.select(tags).map_err(|error| {
            let (reason, message) = (FailureReason::UnknownError, error.to_string());
            WorkError::Failed(Failure::new(reason, message))
        })
    }

    /// Whether only the bucket knew of a tag before this run, in whichever of its invocations it was taken in: all others who
    /// record a tag record its link.
    pub(crate) fn is_adopted(&self, held: Option<&HeldTag>) -> bool {
        self.verifies && held.is_some_and(|held| held.link.is_none() && held.first_seen >= self.started_at)
    }

    /// Whether an earlier invocation of this run has copied a tag, and was killed before it had said so.
    pub(crate) fn was_copied(&self, held: Option<&HeldTag>) -> bool {
        let is_ours = |held: &HeldTag| held.link.is_some() && !held.reversion && held.first_seen >= self.started_at;
        self.is_resumed && held.is_some_and(is_ours)
    }

    /// Whether the architecture filter, as it is, has left out this very image before.
    pub(crate) fn is_skipped(&self, tag: &TagName, upstream: &Digest) -> bool {
        let filter = &self.mirror.config.architecture_filter;
        self.skipped.get(tag).is_some_and(|skipped| skipped.digest == *upstream && skipped.architectures == *filter)
    }

    /// What the gate says of a tag that does not pass, or would not.
    pub(crate) fn judgement(&self, tag: &TagName) -> Option<Judgement> {
        self.gatekeeper.as_ref()?.judgement(tag)
    }

    /// Whether a tag's image is not signed as it has to be: what the tag has here is as it was.
    pub(crate) fn is_refused(&self, tag: &TagName) -> bool {
        self.judgement(tag).is_some_and(|judgement| matches!(judgement.reason, Reason::Refused(_)))
    }

    /// Whether an earlier invocation of the run has held a tag that goes on now.
    pub(crate) fn lets_in(&self, tag: &TagName) -> bool {
        self.gatekeeper.as_ref().is_some_and(|keeper| keeper.lets_in(tag))
    }

    /// Whether a tag waits at the gate.
    pub(crate) fn waits(&self, tag: &TagName) -> bool {
        self.gatekeeper.as_ref().is_some_and(|keeper| keeper.waits(tag))
    }

    /// Records a tag's failure; passes on what concerns the whole sync.
    pub(crate) fn failed(&self, tag: &TagName, error: WorkError) -> Result<(), WorkError> {
        match error {
            WorkError::Failed(failure) => {
                self.progress.failure(tag, failure, self.judgement(tag));
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Records when tags were last seen, or that the last complete sync saw them.
    pub(crate) async fn set_seen<'t>(
        &self,
        tags: impl IntoIterator<Item = (&'t TagName, Option<Timestamp>, Option<Missing>)>,
    ) -> Result<(), WorkError> {
        let set = async |(tag, seen, missing)| self.tags.set_seen(tag, seen, missing).await;
        stream::iter(tags).map(set).buffer_unordered(WRITES_IN_FLIGHT).try_collect::<()>().await?;
        Ok(())
    }
}
