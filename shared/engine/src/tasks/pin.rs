//! Pinning a run: what it has left is kept from now on, and looked for after that.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, Owner, RepositoryName, TagName, Timestamp,
    pin::{MAX_PINNED, MAX_PINS, Pin, PinnedTag, left_at},
    run::{RunId, RunStatus},
    task::TaskAnswer,
};
use moorage_state::{Pinned, StateError, now};
use rand::Rng as _;
use uuid::Uuid;

use crate::{
    engine::Engine,
    error::WorkError,
    sync::turn_back::{Found, MOST_TAGS},
    tasks::answer,
};

/// Images that are looked at at once.
const IN_FLIGHT: usize = 32;
/// What is left of the time for what comes after the look.
const RESERVE: Duration = Duration::from_secs(2);
/// The longest pause between two tries, while somebody has the repository: a collector, or a purge. It is of random length.
const PAUSE: Duration = Duration::from_millis(200);
/// How many of the tags whose content is gone a refusal names.
const NAMED: usize = 20;

impl Engine {
    /// Pins what a run has left, and looks for its content until `end`: if some of that is gone, it is not pinned. What there was
    /// no time for is looked for when the same is asked for again. A run that is pinned stays as it was pinned first.
    pub async fn pin_run(
        &self,
        repository: &RepositoryName,
        run: RunId,
        reason: Option<&String>,
        end: Instant,
    ) -> TaskAnswer {
        let end = end.checked_sub(RESERVE).unwrap_or(end);
        answer(match tokio::time::timeout_at(end.into(), self.pin(repository, run, reason)).await {
            Ok(Ok(Ok((pin, is_new)))) => self.look_pinned(repository, pin, is_new, end).await,
            Ok(Ok(Err(answer))) => Ok(answer),
            Ok(Err(error)) => Err(error),
            // What was written of it is found by whoever pins one of the repository's runs later.
            Err(_) => Ok(TaskAnswer::Unfinished),
        })
    }

    /// The pin of a run, and whether it was made now; or why it cannot be.
    async fn pin(
        &self,
        repository: &RepositoryName,
        run: RunId,
        reason: Option<&String>,
    ) -> Result<Result<(Pin, bool), TaskAnswer>, WorkError> {
        let Some(found) = self.table.repository(repository).await? else { return Ok(Err(TaskAnswer::NotFound)) };
        if let Some(pin) = self.table.pin(repository, &found.pins, run).await? {
            return Ok(Ok((pin, false)));
        }
        if found.pins.len() >= MAX_PINS {
            return Ok(Err(too_many_pins()));
        }
        self.table.settle_pins(repository).await?;
        let (pin, tags) = match self.left_by(repository, run).await? {
            Ok((pin, tags)) => (Pin { reason: reason.cloned(), ..pin }, tags),
            Err(refused) => return Ok(Err(refused)),
        };
        let pin = self.table.stage_pin(repository, pin, &tags).await?;
        let committed = loop {
            match self.table.commit_pin(repository, &pin).await {
                Err(StateError::Locked) => {
                    tokio::time::sleep(rand::rng().random_range(Duration::ZERO..=PAUSE)).await;
                }
                committed => break committed,
            }
        };
        if !matches!(committed, Ok(Pinned::Now)) {
            self.table.unstage_pin(repository, &pin).await?;
        }
        match committed {
            Ok(Pinned::Now) => Ok(Ok((pin, true))),
            Ok(Pinned::TooMany) => Ok(Err(too_many_pins())),
            // Somebody else was faster: theirs it is.
            Ok(Pinned::Before) => match self.table.pin(repository, &BTreeSet::from([run]), run).await? {
                Some(pin) => Ok(Ok((pin, false))),
                None => Ok(Err(TaskAnswer::Busy)),
            },
            Err(StateError::NotFound) => Ok(Err(TaskAnswer::NotFound)),
            Err(error) => Err(error.into()),
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
            return Ok(Err(forgotten(at)));
        }
        // What is held comes first: what moves meanwhile is in its past then.
        let held = self.table.tags(repository).await?;
        let past = self.table.past_tags(repository, MAX_PINNED + 1, now(), |past| past.is_of(at)).await?;
        let tags = left_at(at, &held, &past);
        drop((held, past));
        if tags.len() > MOST_TAGS || tags.iter().map(PinnedTag::weight).sum::<usize>() > MAX_PINNED {
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
        };
        Ok(Ok((pin, tags)))
    }

    /// Looks for what a pin keeps and nobody has looked for yet. Where some is gone, the pin ends.
    async fn look_pinned(
        &self,
        repository: &RepositoryName,
        mut pin: Pin,
        is_new: bool,
        end: Instant,
    ) -> Result<TaskAnswer, WorkError> {
        if pin.unverified == 0 {
            return Ok(TaskAnswer::Pinned { pin: Box::new(pin), is_new });
        }
        // Nobody has looked yet. What was forgotten before it was pinned may be gone, and a sync may bring it again, for a
        // moment perhaps.
        if pin.looked.is_none() && !self.table.remembers(pin.at, now()) {
            self.table.unpin(repository, &pin).await?;
            return Ok(forgotten(pin.at));
        }
        let Some(found) = self.table.repository(repository).await? else { return Ok(TaskAnswer::NotFound) };
        let owner = Arc::new(Owner { repository: repository.clone(), generation: found.id });
        let mut tags = Vec::new();
        if !self.table.each_pinned_tag(repository, &pin, |tag| tags.push(tag)).await? {
            return Ok(TaskAnswer::Busy);
        }
        let images = images(&tags);
        let behind = pin.looked.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let look = async |(digest, children): (&Digest, &BTreeSet<Digest>)| {
            let found = tokio::time::timeout_at(end.into(), self.find_image(&owner, digest, children)).await;
            (digest.clone(), found.ok())
        };
        let rest = images.range((behind, Bound::Unbounded));
        let mut looked = stream::iter(rest).map(look).buffered(IN_FLIGHT);
        let mut gone = BTreeSet::new();
        while let Some((digest, found)) = looked.next().await {
            match found.transpose()? {
                Some(Found::Whole(_)) => {
                    pin.unverified = pin.unverified.saturating_sub(1);
                    pin.looked = Some(digest);
                }
                Some(Found::Gone(_)) => _ = gone.insert(digest),
                None => break,
            }
        }
        drop(looked);
        if gone.is_empty() {
            self.table.pin_looked(repository, &pin, (pin.looked.as_ref(), pin.unverified)).await?;
            return Ok(TaskAnswer::Pinned { pin: Box::new(pin), is_new });
        }
        self.table.unpin(repository, &pin).await?;
        Ok(TaskAnswer::Refused(named(&tags, &gone)))
    }
}

/// The images that tags point to, each with the manifests that it has to have.
fn images(tags: &[PinnedTag]) -> BTreeMap<Digest, BTreeSet<Digest>> {
    let mut images = BTreeMap::<Digest, BTreeSet<Digest>>::new();
    for tag in tags {
        images.entry(tag.digest.clone()).or_default().extend(tag.children.iter().cloned());
    }
    images
}

fn forgotten(at: Timestamp) -> TaskAnswer {
    TaskAnswer::Refused(format!("What tags were at {} is not remembered any more.", at.iso()))
}

fn too_many_pins() -> TaskAnswer {
    TaskAnswer::Refused(format!("{MAX_PINS} runs are pinned, and no more may be. Unpin one first."))
}

/// That the content of tags is gone, and of which.
fn named(tags: &[PinnedTag], gone: &BTreeSet<Digest>) -> String {
    let lost: Vec<&TagName> = tags.iter().filter(|tag| gone.contains(&tag.digest)).map(|tag| &tag.tag).collect();
    let names = lost.iter().take(NAMED).map(|tag| tag.as_str()).collect::<Vec<_>>().join(", ");
    let more = if lost.len() > NAMED { ", …" } else { "" };
    format!("The content of {} tags is not here any more ({names}{more}), so the run is not pinned.", lost.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_first_of_the_tags_that_are_gone() {
        let digest = |n: u8| Digest::sha256(&[n]);
        let tag =
            |n: u8| PinnedTag { tag: format!("v{n:02}").parse().unwrap(), digest: digest(n % 30), children: vec![] };
        let tags: Vec<_> = (0..60).map(tag).collect();
        let message = named(&tags, &BTreeSet::from([digest(1)]));
        assert!(message.starts_with("The content of 2 tags is not here any more (v01, v31)"), "{message}");
        let message = named(&tags, &(0..30).map(digest).collect());
        assert!(message.contains("60 tags") && message.contains("v19, …)"), "{message}");
        assert_eq!(images(&tags).len(), 30, "each image is looked at once");
    }
}
