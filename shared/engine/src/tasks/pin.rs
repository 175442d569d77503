//! Pinning a run: what it has left is kept from now on, and looked for after that.

mod look;

use std::time::{Duration, Instant};

use moorage_domain::{
    RepositoryName, Timestamp,
    pin::{MAX_PINNED, MAX_PINS, Pin, PinnedTag, left_at},
    run::{RunId, RunStatus},
    task::TaskAnswer,
    usage_log::LogEntry,
};
use moorage_state::{Pinned, StateError, now};
use rand::Rng as _;
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::{
    engine::Engine,
    error::WorkError,
    sync::turn_back::MOST_TAGS,
    tasks::{answer, pin::look::images},
};

/// What is left of the time for what comes after the look.
const RESERVE: Duration = Duration::from_secs(2);
/// What is left of it besides for looking, or for taking away what there was no time to write all of.
const CLEARING: Duration = Duration::from_secs(4);
/// How long what others have left of a repository's pins is worked at, by who wants something else.
const SETTLING: Duration = Duration::from_secs(5);
/// The longest pause between two tries, while somebody has the repository: a collector, or a purge. It is of random length.
const PAUSE: Duration = Duration::from_millis(200);

/// What is said of a pin that is made.
#[derive(Debug, Clone, Copy)]
pub struct PinNote<'a> {
    /// Why it is, in the words of who does it.
    pub reason: Option<&'a String>,
    /// What the usage logs tell of it.
    pub log: Option<&'a LogEntry>,
}

impl Engine {
    /// Pins what a run has left, and looks for its content until `end`: if some of that is gone, it is not pinned. What there was
    /// no time for is looked for when the same is asked for again. A run that is pinned stays so, as it was pinned first.
    pub async fn pin_run(
        &self,
        repository: &RepositoryName,
        run: RunId,
        note: PinNote<'_>,
        end: Instant,
    ) -> TaskAnswer {
        let end = end.checked_sub(RESERVE).unwrap_or(end);
        answer(self.try_pin(repository, run, note, end).await)
    }

    async fn try_pin(
        &self,
        repository: &RepositoryName,
        run: RunId,
        note: PinNote<'_>,
        end: Instant,
    ) -> Result<TaskAnswer, WorkError> {
        let Some(found) = self.table.repository(repository).await? else { return Ok(TaskAnswer::NotFound) };
        if let Some(pin) = self.table.pin(repository, &found.pins, run).await? {
            return self.look_pinned(repository, pin, None, end).await;
        }
        if found.pins.len() >= MAX_PINS {
            return Ok(too_many_pins());
        }
        self.settle_pins(repository, end.min(Instant::now() + SETTLING)).await;
        let until = end.checked_sub(CLEARING).unwrap_or(end);
        let (pin, tags) = match timeout_at(until.into(), self.left_by(repository, run)).await {
            Ok(left) => match left? {
                Ok((pin, tags)) => (Pin { reason: note.reason.cloned(), ..pin }, tags),
                Err(refused) => return Ok(refused),
            },
            Err(_) => return Ok(TaskAnswer::Unfinished),
        };
        let staged = match timeout_at(until.into(), self.table.stage_pin(repository, pin.clone(), &tags)).await {
            Ok(Ok(staged)) => staged,
            failed => {
                // Whoever tries again and again leaves no more than one.
                self.unstage(repository, &pin, end).await;
                return match failed {
                    Ok(Err(StateError::NotFound)) => Ok(TaskAnswer::NotFound),
                    Ok(Err(error)) => Err(error.into()),
                    _ => Ok(TaskAnswer::Unfinished),
                };
            }
        };
        drop(tags);
        let refused = match self.commit(repository, &staged, note, until).await {
            Ok(Pinned::Now) => return self.look_pinned(repository, staged, Some(note), end).await,
            Ok(Pinned::Before) => None,
            Ok(Pinned::TooMany) => Some(too_many_pins()),
            Ok(Pinned::TooMuch) => Some(TaskAnswer::Refused(format!(
                "All pins keep {MAX_PINNED} tags and manifests that indexes list, and no more. Unpin a run first."
            ))),
            Err(StateError::Locked | StateError::Conflict) => Some(TaskAnswer::Busy),
            Err(StateError::NotFound) => Some(TaskAnswer::NotFound),
            // It may be a pin, or become one. What is there of it is settled later, if it is none.
            Err(error) => return Err(error.into()),
        };
        self.unstage(repository, &staged, end).await;
        if let Some(refused) = refused {
            return Ok(refused);
        }
        // Somebody else was faster: theirs it is.
        match self.table.present_pin(repository, run).await? {
            Some(pin) => self.look_pinned(repository, pin, None, end).await,
            None => Ok(TaskAnswer::Busy),
        }
    }

    /// Makes a pin of what was staged, as soon as nobody has the repository, or the last of several tries is refused.
    async fn commit(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        note: PinNote<'_>,
        until: Instant,
    ) -> Result<Pinned, StateError> {
        loop {
            match self.table.commit_pin(repository, pin, note.log.cloned()).await {
                Err(StateError::Locked) if Instant::now() < until => {
                    tokio::time::sleep(rand::rng().random_range(Duration::ZERO..=PAUSE)).await;
                }
                committed => return committed,
            }
        }
    }

    /// Takes away what was staged for a pin that nobody makes, as far as there is time.
    async fn unstage(&self, repository: &RepositoryName, pin: &Pin, end: Instant) {
        match timeout_at(end.into(), self.table.unstage_pin(repository, pin)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%repository, %error, "what was written for a pin was not forgotten yet"),
            Err(_) => tracing::warn!(%repository, "there was no time to forget what was written for a pin"),
        }
    }

    /// Does what others have left halfway of a repository's pins, until `end`: what is left then, others do.
    pub(crate) async fn settle_pins(&self, repository: &RepositoryName, end: Instant) {
        if let Ok(Err(error)) = timeout_at(end.into(), self.table.settle_pins(repository)).await {
            tracing::warn!(%repository, %error, "what is left of pins was not settled yet");
        }
    }

    /// What a run has left, as the table remembers it.
    async fn left_by(
        &self,
        repository: &RepositoryName,
        run: RunId,
    ) -> Result<Result<(Pin, Vec<PinnedTag>), TaskAnswer>, WorkError> {
        let refused = |message: String| Ok(Err(TaskAnswer::Refused(message)));
        let Some(found) = self.table.run(repository, run).await? else { return Ok(Err(TaskAnswer::NotFound)) };
        // Read after the run: one that has ended, and is not the mirror's any more, never goes on.
        let Some(mirror) = self.table.mirror(repository).await? else { return Ok(Err(TaskAnswer::NotFound)) };
        let ended = found.ended_at.filter(|_| found.status != RunStatus::Syncing);
        let Some(at) = ended.filter(|_| mirror.state.sync_run_id != Some(run)) else {
            return refused("The run has not come to an end.".to_owned());
        };
        if !self.table.remembers(at, now()) {
            return refused(forgotten(at));
        }
        // What is held comes first: what moves meanwhile is in its past then.
        let held = self.table.tags(repository).await?;
        let past = self.table.past_tags(repository, MAX_PINNED + 1, now(), |past| past.is_of(at)).await?;
        let tags = left_at(at, &held, &past);
        drop((held, past));
        let weight = tags.iter().map(PinnedTag::weight).fold(0, usize::saturating_add);
        if tags.len() > MOST_TAGS || weight > MAX_PINNED {
            return refused(format!(
                "The run has left more than {MOST_TAGS} tags, or {MAX_PINNED} of them and of what indexes list."
            ));
        }
        let pin = Pin {
            run_id: run,
            at,
            since: now(),
            reason: None,
            tags: tags.len() as u64,
            unverified: images(&tags).len() as u64,
            looked: None,
            snapshot: Uuid::now_v7(),
            parts: 0,
            weight,
            remembered: false,
            kept: false,
        };
        Ok(Ok((pin, tags)))
    }
}

/// That what tags were is forgotten, so that a run cannot be pinned.
fn forgotten(at: Timestamp) -> String {
    format!("What tags were at {} is not remembered any more.", at.iso())
}

fn too_many_pins() -> TaskAnswer {
    TaskAnswer::Refused(format!("{MAX_PINS} runs are pinned, and no more may be. Unpin one first."))
}
