//! A run over its invocations: how it begins, or goes on, and what earlier ones have left it.

use moorage_domain::{
    learnt::Learnt,
    mirror::MirrorConfig,
    run::{Run, RunId, SyncRequest, Trigger},
    webhook::HintedTags,
};
use moorage_state::{Claim, Mirror, StateError, TransitionError, now};

use crate::{
    engine::Engine,
    error::SyncError,
    sync::{knowledge::Knowledge, progress::Earlier, report, tab::Tab},
};

/// How often a run is read again that another sync wrote just before it lost its claim: it can do so once.
const MAX_RACES: u32 = 4;

impl Engine {
    /// Begins a run, or goes on with the one that the claim was taken over with. Returns what became of its tags so far,
    /// too. `None` if the claim was lost meanwhile.
    pub(crate) async fn begin(
        &self,
        request: &SyncRequest,
        claim: &Claim,
        mirror: &Mirror,
        tab: &Tab,
    ) -> Result<Option<(Run, Earlier)>, SyncError> {
        let id = mirror.state.sync_run_id.unwrap_or(claim.run());
        let repository = &request.repository;
        let brought = if request.trigger == Trigger::Webhook { self.table.webhook(repository).await? } else { None };
        let is_hinted = mirror.state.sync_hinted.is_some();
        let read_at = now();
        let hinted = is_hinted.then(|| match brought.as_ref().and_then(|brought| brought.due(read_at)) {
            Some(HintedTags::Only(tags)) => tags,
            Some(HintedTags::All) | None => Vec::new(),
        });
        let new = || {
            if let Some(target) = &mirror.state.rollback {
                return Run::of_rollback(id, target.clone(), now());
            }
            let is_due = mirror.state.verify_due(mirror.created, self.settings.verify_interval, now());
            let run = Run::new(id, request.trigger, now(), is_due && !is_hinted);
            Run { hinted: hinted.clone(), ..run }
        };
        let Some(run) = self.attempt(claim, &mirror.config, (id, new), tab).await? else { return Ok(None) };
        if let Some(brought) = &brought {
            self.take_hint(repository, (brought, read_at), is_hinted).await?;
        }
        let mut earlier = Earlier::default();
        if run.invocations > 1 {
            self.table.each_outcome(&request.repository, &run, |outcome| earlier.add(outcome)).await?;
        }
        Ok(Some((run, earlier)))
    }

    /// What earlier invocations of a run have learnt of its registry, if that is still good. A run that verifies, which may
    /// take longer than the mirror's interval, lists the tags anew as often as it would be synced. And how much that was.
    pub(crate) async fn knowledge(&self, run: &Run, mirror: &Mirror) -> Result<(Knowledge, u64), StateError> {
        let config = &mirror.config;
        let known = if run.invocations == 1 { None } else { self.table.learnt(&config.repository, run.run_id).await? };
        let (mut learnt, before) = Learnt::good_of(known, &config.external_reference, now());
        let again = learnt.listed_at().and_then(|listed| mirror.next_start(listed));
        if run.verifies && again.is_some_and(|start| start <= now()) {
            learnt.forget_tags();
        }
        Ok((Knowledge::new(learnt), before))
    }

    /// Makes the next attempt at a run, or the first one at a new run: from now on nothing is seen of what an earlier one
    /// does. `None` if the claim is lost.
    pub(crate) async fn attempt(
        &self,
        claim: &Claim,
        config: &MirrorConfig,
        (id, new): (RunId, impl Fn() -> Run),
        tab: &Tab,
    ) -> Result<Option<Run>, SyncError> {
        let repository = &config.repository;
        for race in 0..MAX_RACES {
            // A run that the claim gave its name is most likely a new one.
            let is_new = race == 0 && id == claim.run();
            let known = if is_new { None } else { self.table.run(repository, id).await? };
            let mut run = known.map_or_else(&new, Run::again);
            let earlier = run.usage;
            tab.count(&mut run);
            let is_sync = run.rollback.is_none();
            let log = (run.invocations == 1 && is_sync).then(|| report::started(config));
            let begun = self.table.begin_attempt(repository, &run, claim.transaction(), log).await;
            if !matches!(begun, Ok(false)) {
                // Also where nobody knows whether it was written.
                tab.begin(earlier);
            }
            match begun {
                Ok(true) => return Ok(Some(run)),
                // An earlier one has just written it.
                Ok(false) => {}
                Err(TransitionError::State(error)) => return Err(error.into()),
                Err(_) => return Ok(None),
            }
        }
        Err(StateError::Conflict.into())
    }
}
