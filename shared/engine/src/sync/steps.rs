//! The steps of one sync, in their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use moorage_domain::{
    TagName,
    plan::{HeldTag, stored},
    referrers::is_attached_tag,
};
use moorage_upstream::{TagPages, UpstreamError};
use tokio::sync::oneshot;

use crate::{
    error::WorkError,
    gate::admit::{Admitted, Means},
    sync::{
        invocation::{Invocation, Work},
        prune::Shown,
        source,
    },
    transfer::{attached::Attached, copier::Copier},
};

impl Invocation<'_> {
    /// Runs all steps.
    pub(crate) async fn all(&self) -> Work {
        let tried = match &self.hinted {
            Some(hinted) => self.try_hinted(hinted).await,
            None => self.try_all().await,
        };
        match tried {
            Ok(work) => work,
            Err(WorkError::Failed(failure)) => Work::Failed(failure),
            Err(WorkError::ClaimLost) => Work::Stopped,
            Err(WorkError::Suspended) => Work::Suspended,
            Err(WorkError::Limited(until)) => Work::Limited(until),
        }
    }

    /// Leaves the repository as it should be left, if it is still ours: with nothing that no tag needs. The next invocation
    /// goes on by what is recorded of that.
    pub(crate) async fn leave(&self, work: &Work) -> Result<(), WorkError> {
        if matches!(work, Work::Failed(_)) && self.rollback.is_none() {
            self.ask_next().await?;
        }
        let Some(possession) = self.possession.get() else { return Ok(()) };
        match work {
            Work::Done { .. } | Work::TurnedBack | Work::Failed(_) | Work::Suspended | Work::Limited(_) => {
                possession.end(self.claim).await
            }
            Work::Stopped => Ok(()),
        }
    }

    async fn try_all(&self) -> Result<Work, WorkError> {
        if let Some(target) = &self.rollback {
            return self.turn_back(target).await;
        }
        let (engine, config) = (self.engine, &self.mirror.config);
        let registry = source::open(engine, self.mirror, self.login, self.meter.clone()).await?;
        self.knowledge.speak(&registry);
        // They do not wait for each other: a sync that finds nothing new is made of round trips.
        let known = self.knowledge.tags();
        let (told, listed) = oneshot::channel();
        let first = async {
            let began = Instant::now();
            let first = if known.is_some() { Ok(None) } else { self.first_of(Box::pin(registry.first_tags()).await) };
            // Nobody waits for it if nothing is asked for meanwhile.
            let _ = told.send(first.is_ok().then(|| began.elapsed()));
            first
        };
        let held = async {
            let held = engine.table.tags(&config.repository).await?;
            Box::pin(self.look_for_unsettled(&held)).await?;
            if known.is_none() {
                // Boxed, as what else goes on beside something: both would be held twice.
                Box::pin(self.look_ahead(&registry, &held, listed)).await?;
            }
            let is_empty = Box::pin(self.is_empty(&held)).await?;
            Ok::<_, WorkError>((held, is_empty))
        };
        let (first, held, left) = tokio::join!(first, held, Box::pin(self.has_left_uploads()));
        self.knowledge.spoke(&registry);
        let (first, (mut held, is_empty), left) = (first?, held?, left?);
        if self.verifies {
            self.adopt(&mut held).await?;
        }
        let listed = match known {
            Some(tags) => tags,
            None => self.list(&registry, first, &held).await?,
        };
        self.knowledge.listed(&listed);
        let selected = self.select(listed.clone())?;
        let listed: BTreeSet<_> = listed.into_iter().collect();
        self.progress.selected(selected.len());
        let copier = self.copier(&registry, &held, is_empty).await?;
        let means = Means { registry: &registry, copier: &copier, held: &held, listed: &listed };
        let mut admitted = self.admit(means, selected).await?;
        let mut selected = std::mem::take(&mut admitted.selected);
        self.progress.selected(selected.len().saturating_add(admitted.waiting.len()));
        let is_open = |tag: &&TagName| !self.done.contains(tag) || self.lets_in(tag);
        let open: Vec<_> = selected.iter().filter(is_open).collect();
        // Copying does not wait for what only the next sync wants to know.
        let look = Box::pin(registry.look_for_listing());
        let (is_whole, ()) = tokio::join!(self.copy(&registry, &copier, &held, &open), look);
        if !is_whole? {
            return Ok(Work::Suspended);
        }
        copier.update(&mut held);
        let chosen: BTreeSet<_> = selected.iter().cloned().collect();
        let (refresh, checked) = (self.is_due(), self.checked.clone().unwrap_or_default());
        let attached = Attached {
            invocation: self,
            registry: &registry,
            copier: &copier,
            listed: &self.attachments(&listed, &copier, &held),
            selected: &chosen,
            refresh,
            again: &checked.again,
        };
        // Neither waits for the other.
        let (attached, spread) = tokio::join!(Box::pin(attached.mirror(&mut held)), copier.possession().spread());
        spread?;
        let Some(attached) = attached? else { return Ok(Work::Suspended) };
        self.attached();
        if left {
            copier.give_up_others().await?;
        }
        selected.extend(attached);
        for tag in self.skipped.keys().filter(|tag| !chosen.contains(tag)) {
            self.tags.delete_skipped(tag).await?;
        }
        self.take_in_unsettled(&mut held).await?;
        admitted.spare(&config.policy.gate, &held);
        let Admitted { waiting, out, .. } = admitted;
        let kept = selected.iter().chain(&waiting).cloned().collect();
        let warning = self.prune(&registry, &held, Shown { listed: listed.len(), kept, out }).await?;
        self.settle_tags(&copier, &held, |_| true).await?;
        let held_back = match &self.gatekeeper {
            Some(keeper) => keeper.settle(None).await?,
            None => None,
        };
        engine.measure(&config.repository).await?;
        self.progress.stores(stored(held.values()));
        self.asked_referrers(refresh, checked).await?;
        self.progress.complete();
        // What failed of a tag that is held was not looked at. What could not be copied is not there to be looked at.
        let (_, failed) = self.progress.failures();
        let unseen = |tag: &TagName| failed.contains(tag) && !self.is_refused(tag);
        let verified = self.verifies && !held.keys().any(unseen);
        let no_listing = self.no_listing(&registry).await;
        Ok(Work::Done { selected, warnings: [warning, held_back], verified, no_listing })
    }

    /// The tags that may be attached to images: those that are listed; and, of a mirror that asks for signatures, those that
    /// let an image in, which the registry need not list.
    fn attachments(
        &self,
        listed: &BTreeSet<TagName>,
        copier: &Copier,
        held: &BTreeMap<TagName, HeldTag>,
    ) -> BTreeSet<TagName> {
        let asks = self.mirror.config.policy.gate.signatures().is_some();
        let unlisted = held.iter().filter(|(tag, held)| asks && is_attached_tag(tag) && !held.is_made_here());
        let listed = listed.iter().filter(|tag| is_attached_tag(tag));
        listed.chain(unlisted.map(|(tag, _)| tag)).cloned().chain(copier.attached()).collect()
    }

    /// The first of the listed tags. A catalog lists repositories that have blobs and no manifest, too, of whose tags the
    /// registry knows nothing: there is nothing to do, and as of every list without any tag, nothing is deleted for it.
    fn first_of(&self, first: Result<TagPages, UpstreamError>) -> Result<Option<TagPages>, UpstreamError> {
        match first {
            Err(UpstreamError::UnknownRepository(_)) if self.mirror.is_discovered => Ok(None),
            first => first.map(Some),
        }
    }
}
