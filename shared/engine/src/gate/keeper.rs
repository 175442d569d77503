//! What a run has at its gate: what waits, and what the gate says of the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use moorage_domain::{
    Digest, RepositoryName, TagName, Warning,
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
    /// What the tags pointed to that were judged.
    judged: BTreeMap<TagName, Digest>,
    /// The tags that the run has held, and lets in now.
    let_in: BTreeSet<TagName>,
    /// The images that were first seen by a tag's move in this run.
    moved: BTreeSet<Digest>,
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

    /// Notes what a tag pointed to when it was judged.
    pub(crate) fn judged(&self, tag: &TagName, digest: Option<&Digest>) {
        if let Some(digest) = digest {
            self.lock().judged.insert(tag.clone(), digest.clone());
        }
    }

    /// Whether a tag points to another image than the one that was judged.
    pub(crate) fn is_another(&self, tag: &TagName, digest: &Digest) -> bool {
        self.lock().judged.get(tag).is_some_and(|judged| judged != digest)
    }

    /// Notes the tags that go on; some of them may have been held by an earlier invocation.
    pub(crate) fn admitted<'t>(&self, tags: impl Iterator<Item = &'t TagName>) {
        let let_in = tags.filter(|tag| self.held_before.contains(tag)).cloned();
        self.lock().let_in.extend(let_in);
    }

    /// Whether an earlier invocation of the run has held a tag that goes on now.
    pub(crate) fn lets_in(&self, tag: &TagName) -> bool {
        self.lock().let_in.contains(tag)
    }

    /// Notes that a tag waits as it did before: it could not be judged again.
    pub(crate) fn still_holds(&self, tag: &TagName) {
        if let Some(before) = self.records.holds.get(tag) {
            self.lock().holds.insert(tag.clone(), before.clone());
        }
    }

    /// Whether an image has to be recorded as seen: it was not before, in this run either.
    pub(crate) fn is_new(&self, digest: &Digest) -> bool {
        !self.records.sightings.contains_key(digest) && self.lock().moved.insert(digest.clone())
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
    fn note(&self, (tag, digest, here, judgement): (TagName, Digest, Option<&HeldTag>, Judgement)) -> Option<Hold> {
        let before = self.records.holds.get(&tag);
        let since = before.filter(|before| before.digest == digest && before.judgement.question == judgement.question);
        let since = since.map_or_else(now, |before| before.since);
        let hold = Hold { tag, digest, served: here.map(|it| it.digest.clone()), since, judgement };
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
        let state = self.lock();
        state.holds.contains_key(tag) || (self.held_before.contains(tag) && !state.let_in.contains(tag))
    }

    /// Forgets the tags that do not wait any more, at the end of a run: of all tags, or `among` those that it asked for.
    /// Returns what somebody should look at.
    pub(crate) async fn settle(&self, among: Option<&BTreeSet<TagName>>) -> Result<Option<Warning>, StateError> {
        let is_asked = |tag: &TagName| among.is_none_or(|among| among.contains(tag));
        let is_stale = |tag: &&TagName| is_asked(tag) && !self.waits(tag);
        let stale: Vec<_> = self.records.holds.keys().filter(is_stale).collect();
        self.table.delete_holds(&self.repository, stale).await?;
        let all = self.all(is_asked);
        if all.is_empty() {
            return Ok(None);
        }
        // What somebody has let in while the run went on is let in soon.
        let releases = self.table.gate_records(&self.repository, now()).await?.sightings;
        let is_released = |hold: &Hold| {
            let before = self.records.sightings.get(&hold.digest).and_then(|seen| seen.release.as_ref());
            let release = releases.get(&hold.digest).and_then(|seen| seen.release.as_ref());
            release.is_some() && release != before
        };
        let until = |hold: &Hold| if is_released(hold) { Some(now()) } else { hold.judgement.until };
        Ok(Some(Warning::TagsHeld { tags: all.len() as u64, until: all.values().filter_map(until).min() }))
    }

    /// All that waits, in earlier invocations of the run, too, and of earlier runs where this one has not asked.
    fn all(&self, is_asked: impl Fn(&TagName) -> bool) -> BTreeMap<TagName, Hold> {
        let before = self.records.holds.iter().filter(|(tag, _)| !is_asked(tag) || self.waits(tag));
        let before: Vec<_> = before.map(|(tag, hold)| (tag.clone(), hold.clone())).collect();
        before.into_iter().chain(self.lock().holds.clone()).collect()
    }
}
