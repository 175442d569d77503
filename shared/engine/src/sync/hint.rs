//! What webhooks have brought: when a sync begins that takes it, what is left for the next one, and what is asked for again.

use std::{collections::BTreeSet, time::Duration};

use moorage_domain::{
    RepositoryName, TagName, Timestamp,
    mirror::MirrorConfig,
    referrers::is_attached_tag,
    run::{Run, RunStatus, SyncRequest, TagOutcome, Trigger},
    webhook::{HintedTags, PAUSE, Webhook, is_passing},
};
use moorage_state::{Race, StateError, now};

use crate::{engine::Engine, error::SyncError};

/// How often a sync waits for its turn. Whoever was faster has taken what it was to take, and sees to the rest.
const MAX_WAITS: u32 = 3;
/// When a sync comes at the earliest that is not waited for: a one-time schedule has to lie ahead when it is made.
const SOONEST: Duration = Duration::from_secs(60);

impl Engine {
    /// Waits until a sync by webhooks may begin, which is seconds; each is paid for, and many deliveries become one sync.
    /// Returns the webhook with what waits; nothing if nothing does any more, or for longer.
    pub(crate) async fn await_hint(&self, repository: &RepositoryName) -> Result<Option<Webhook>, SyncError> {
        for _ in 0..MAX_WAITS {
            let Some(webhook) = self.table.webhook(repository).await? else { return Ok(None) };
            match webhook.wait(now()) {
                Some(Duration::ZERO) => return Ok(Some(webhook)),
                Some(wait) if wait <= PAUSE => tokio::time::sleep(wait).await,
                Some(_) | None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Takes what waited at a moment, once the run is written that deals with it. What has come since it was read stays, with
    /// all that was there, and so does what a run of single tags is not enough for.
    pub(crate) async fn take_hint(
        &self,
        repository: &RepositoryName,
        (read, at): (&Webhook, Timestamp),
        is_hinted: bool,
    ) -> Result<(), SyncError> {
        let webhook = read.clone();
        let taken = match (is_hinted, webhook.due(at)) {
            (true, Some(HintedTags::All)) => None,
            (true, Some(HintedTags::Only(_)) | None) => Some(webhook.taken(at)),
            (false, _) => Some(webhook.taken_whole(at)),
        };
        if let Some(taken) = taken
            && self.change(repository, read, &taken).await?
        {
            return Ok(());
        }
        let mut race = Race::begin();
        while let Some(webhook) = self.table.webhook(repository).await? {
            if self.change(repository, &webhook, &webhook.clone().begun(now())).await? {
                break;
            }
            race.lost().await?;
        }
        Ok(())
    }

    /// Has the tags asked for again that a run of single tags has asked for in vain, for reasons that may pass. Returns
    /// whether that is all that failed.
    pub(crate) async fn try_again(&self, config: &MirrorConfig, run: &Run) -> Result<bool, SyncError> {
        let Some(asked) = &run.hinted else { return Ok(false) };
        if !matches!(run.status, RunStatus::Success | RunStatus::Fail) {
            return Ok(false);
        }
        let (mut vain, mut dealt_with, mut is_final) = (BTreeSet::new(), BTreeSet::new(), false);
        let see = |outcome: TagOutcome| {
            if is_passing(&outcome) {
                vain.insert(outcome.tag);
            } else {
                // One that waited in an invocation may be let in by the next one.
                vain.remove(&outcome.tag);
                is_final |= outcome.failure.is_some();
                dealt_with.insert(outcome.tag);
            }
        };
        self.table.each_outcome(&config.repository, run, see).await?;
        match &run.failure {
            // And those that it did not come to.
            Some(failure) if failure.reason.is_passing() => {
                let selected: BTreeSet<_> =
                    config.root_rule.select(asked.iter().cloned()).unwrap_or_default().into_iter().collect();
                let is_left = |tag: &&TagName| !dealt_with.contains(*tag);
                let is_meant = |tag: &&TagName| is_attached_tag(tag) || selected.contains(*tag);
                vain.extend(asked.iter().filter(is_left).filter(is_meant).cloned());
            }
            Some(_) => is_final = true,
            None => {}
        }
        let mut race = Race::begin();
        loop {
            let Some(webhook) = self.table.webhook(&config.repository).await? else { return Ok(false) };
            if vain.is_empty() && webhook.retries.is_empty() {
                return Ok(false);
            }
            let tried = webhook.clone().tried(asked, &vain, now());
            if self.change(&config.repository, &webhook, &tried).await? {
                let is_left = |tag: &TagName| tried.retries.contains_key(tag) || tried.pending.is_some();
                return Ok(run.status == RunStatus::Fail && !is_final && vain.iter().all(is_left));
            }
            race.lost().await?;
        }
    }

    /// Gives up what had come for a mirror of which no sync began, as it was `read` before that was found out. What has come
    /// since may have come to a mirror that was let go on: another sync finds out.
    pub(crate) async fn drop_hint(&self, repository: &RepositoryName, read: &Webhook) -> Result<(), SyncError> {
        if self.change(repository, read, &read.clone().dropped()).await? {
            return Ok(());
        }
        self.serve_hint(repository).await
    }

    /// Has a sync take what waits: what came while another one ran, because whoever was invoked for it has found that one, and
    /// has gone; and what is asked for again, when it is time. If this is lost, the watch sees to it.
    pub(crate) async fn serve_hint(&self, repository: &RepositoryName) -> Result<(), SyncError> {
        let webhook = self.table.webhook(repository).await?;
        let Some(wait) = webhook.and_then(|webhook| webhook.wait(now())) else { return Ok(()) };
        let request = SyncRequest { repository: repository.clone(), trigger: Trigger::Webhook };
        if wait <= PAUSE {
            self.invoker.start(&request).await?;
        } else {
            self.scheduler.once(request, now().plus(wait.max(SOONEST))).await?;
        }
        Ok(())
    }

    async fn change(&self, repository: &RepositoryName, before: &Webhook, after: &Webhook) -> Result<bool, SyncError> {
        match self.table.change_webhook(repository, before, after).await {
            Ok(()) => Ok(true),
            Err(StateError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
