//! What a run has at its gate: what waits, and what the gate says of the others.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use moorage_domain::{
    Digest, RepositoryName, TagName, Timestamp, Warning,
    gate::{Gate, Hold, Judgement, Mode},
    plan::HeldTag,
};
use moorage_state::{GateRecords, StateError, Table, now};

use crate::sync::tag_set::TagSet;

/// The gate of one run.
#[derive(Debug)]
pub(crate) struct Gatekeeper {
    table: Table,
    repository: RepositoryName,
    /// What earlier runs have left, and earlier invocations.
    pub(crate) records: GateRecords,
    /// The tags that earlier invocations of the run have held.
    held_before: TagSet,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    judgements: BTreeMap<TagName, Judgement>,
    holds: BTreeMap<TagName, Hold>,
}

impl Gatekeeper {
    pub(crate) fn new(table: Table, repository: RepositoryName, records: GateRecords, held_before: TagSet) -> Self {
        Self { table, repository, records, held_before, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What was judged stays judged after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the gate says of a tag that does not pass, or would not.
    pub(crate) fn judgement(&self, tag: &TagName) -> Option<Judgement> {
        self.lock().judgements.get(tag).copied()
    }

    /// Notes what the gate says of a tag.
    pub(crate) fn judge(&self, tag: &TagName, judgement: Judgement) {
        self.lock().judgements.insert(tag.clone(), judgement);
    }

    /// Notes tags that wait, and records those of which that was not recorded.
    pub(crate) async fn hold(
        &self,
        holds: Vec<(TagName, Digest, Option<&HeldTag>, Judgement)>,
    ) -> Result<(), StateError> {
        let new: Vec<_> = holds.into_iter().filter_map(|hold| self.note(hold)).collect();
        if new.is_empty() { Ok(()) } else { self.table.put_holds(&self.repository, &new).await }
    }

    /// Notes a tag that waits. Returns what is to be recorded of it, if that is new.
    fn note(&self, (tag, digest, held, judgement): (TagName, Digest, Option<&HeldTag>, Judgement)) -> Option<Hold> {
        let before = self.records.holds.get(&tag);
        let since = before.filter(|before| before.digest == digest && before.judgement.question == judgement.question);
        let since = since.map_or_else(now, |before| before.since);
        let hold = Hold { tag, digest, served: held.map(|held| held.digest.clone()), since, judgement };
        let mut state = self.lock();
        state.judgements.insert(hold.tag.clone(), judgement);
        state.holds.insert(hold.tag.clone(), hold.clone());
        (before != Some(&hold)).then_some(hold)
    }

    /// What the gate says of a tag that points to another image than here, if it does not follow. One that only is observed
    /// follows.
    pub(crate) fn on_move(&self, gate: &Gate, tag: &TagName, upstream: &Digest) -> Option<Judgement> {
        let judgement = gate.judge_move(tag, upstream, &self.records.sightings)?;
        self.judge(tag, judgement);
        (judgement.mode == Mode::Enforce).then_some(judgement)
    }

    /// Whether a tag waits.
    pub(crate) fn waits(&self, tag: &TagName) -> bool {
        self.lock().holds.contains_key(tag) || self.held_before.contains(tag)
    }

    /// Forgets the tags that do not wait any more, at the end of a run. Returns what somebody should look at.
    pub(crate) async fn settle(&self) -> Result<Option<Warning>, StateError> {
        let is_stale = |tag: &&TagName| !self.waits(tag);
        let stale: Vec<_> = self.records.holds.keys().filter(is_stale).collect();
        self.table.delete_holds(&self.repository, stale).await?;
        let state = self.lock();
        let before = self.records.holds.iter().filter(|(tag, _)| self.held_before.contains(tag));
        let all: BTreeMap<_, _> = before.chain(state.holds.iter()).collect();
        let tags = all.len() as u64;
        let until = all.values().filter_map(|hold| hold.judgement.until).min();
        Ok((tags > 0).then_some(Warning::TagsHeld { tags, until }))
    }

    /// When the first of what waits only for its time may be let in.
    pub(crate) fn next(warning: Option<Warning>) -> Option<Timestamp> {
        match warning {
            Some(Warning::TagsHeld { until, .. }) => until,
            _ => None,
        }
    }
}
