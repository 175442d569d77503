//! Looking for what a pin keeps, and what is answered of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::Instant,
};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, Owner, RepositoryName, TagName, Timestamp,
    pin::{Pin, PinnedTag},
    task::TaskAnswer,
    usage_log::{LogEntry, LogKind},
};
use moorage_state::{StateError, now};
use tokio::time::timeout_at;

use crate::{
    engine::Engine,
    error::WorkError,
    sync::turn_back::Found,
    tasks::pin::{PinNote, forgotten},
};

/// Images that are looked at at once.
const IN_FLIGHT: usize = 32;
/// How many of the tags whose content is gone a refusal names.
const NAMED: usize = 20;

/// What somebody has seen of what a pin keeps.
struct Seen {
    /// The last image that was found to be whole, and of which all before it were.
    looked: Option<Digest>,
    /// How many are left.
    unverified: u64,
    /// Of which tags the content is gone.
    lost: Vec<TagName>,
}

impl Engine {
    /// Looks for what a pin keeps and nobody has looked for yet, and says what came of that. `made` is what is said of it where
    /// it was made just now, by who asks: only then, and only if nobody may have been told that it is kept, it ends if that
    /// cannot be said. Else it stays, and whoever asks is told why.
    pub(super) async fn look_pinned(
        &self,
        repository: &RepositoryName,
        pin: Pin,
        made: Option<PinNote<'_>>,
        end: Instant,
    ) -> Result<TaskAnswer, WorkError> {
        // What was forgotten before it was pinned may be gone, and a sync may bring it again, for a moment perhaps.
        if !pin.remembered && !self.table.remembers(pin.at, now()) {
            let is_unpinned = self.take_back(repository, &pin, made).await?;
            return Ok(TaskAnswer::Refused(if is_unpinned { forgotten(pin.at) } else { unsure(pin.at) }));
        }
        let seen = match self.look(repository, &pin, end).await {
            Ok(Some(seen)) => seen,
            Ok(None) => return Ok(TaskAnswer::Busy),
            // It is kept, whatever is there of it.
            Err(error) => {
                tracing::warn!(%repository, ?error, "what is pinned cannot be looked for");
                Seen::nothing_of(&pin)
            }
        };
        if !seen.lost.is_empty() {
            let is_unpinned = self.take_back(repository, &pin, made).await?;
            return Ok(TaskAnswer::Refused(named(&seen.lost, is_unpinned)));
        }
        let mut present = match self.table.pin_looked(repository, &pin, (seen.looked.as_ref(), seen.unverified)).await {
            Ok(()) => Pin { looked: seen.looked, unverified: seen.unverified, remembered: true, ..pin },
            // Somebody else has looked, or unpinned it.
            Err(StateError::Conflict) => match self.table.present_pin(repository, pin.run_id).await? {
                Some(present) if present.snapshot == pin.snapshot && present.remembered => present,
                _ => return Ok(TaskAnswer::Busy),
            },
            Err(error) => return Err(error.into()),
        };
        if !present.kept {
            match timeout_at(end.into(), self.table.keep_outcomes(repository, &present)).await {
                Ok(Ok(())) => present.kept = true,
                // They expire in weeks, and whoever settles this repository's pins comes each day.
                Ok(Err(error)) => tracing::warn!(%repository, %error, "what a pinned run tells is not kept yet"),
                Err(_) => tracing::info!(%repository, "there was no time to keep what a pinned run tells"),
            }
        }
        Ok(TaskAnswer::Pinned { pin: Box::new(present), is_new: made.is_some() })
    }

    /// Ends a pin that was made just now, if nobody may have been told of it.
    async fn take_back(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        made: Option<PinNote<'_>>,
    ) -> Result<bool, WorkError> {
        let Some(note) = made else { return Ok(false) };
        let log = note.log.map(|log| LogEntry { kind: LogKind::UnpinRepoMirrorRun, datetime: now(), ..log.clone() });
        Ok(self.table.take_back_pin(repository, pin, log).await?)
    }

    /// Looks for what nobody has looked for yet, in the order of its digests, until `end`. Nothing if it is no pin any more.
    async fn look(&self, repository: &RepositoryName, pin: &Pin, end: Instant) -> Result<Option<Seen>, WorkError> {
        let mut seen = Seen::nothing_of(pin);
        if seen.unverified == 0 {
            return Ok(Some(seen));
        }
        let Some(found) = self.table.repository(repository).await? else { return Ok(None) };
        let owner = Arc::new(Owner { repository: repository.clone(), generation: found.id });
        let mut tags = Vec::new();
        match timeout_at(end.into(), self.table.each_pinned_tag(repository, pin, |tag| tags.push(tag))).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok(None),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Ok(Some(seen)),
        }
        let images = images(&tags);
        let rest = behind(&images, pin.looked.as_ref());
        let look = async |(digest, children): (&Digest, &BTreeSet<Digest>)| {
            let found = timeout_at(end.into(), self.find_image(&owner, digest, children)).await;
            (digest.clone(), found.ok())
        };
        let mut looked = stream::iter(rest).map(look).buffered(IN_FLIGHT);
        let mut gone = BTreeSet::new();
        while let Some((digest, found)) = looked.next().await {
            match found {
                Some(Ok(Found::Whole(_))) if gone.is_empty() => {
                    seen.unverified = seen.unverified.saturating_sub(1);
                    seen.looked = Some(digest);
                }
                Some(Ok(Found::Whole(_))) => {}
                Some(Ok(Found::Gone(_))) => _ = gone.insert(digest),
                Some(Err(error)) => {
                    tracing::warn!(%repository, ?error, "an image that is pinned cannot be looked for");
                    break;
                }
                None => break,
            }
        }
        drop(looked);
        seen.lost = tags.into_iter().filter(|tag| gone.contains(&tag.digest)).map(|tag| tag.tag).collect();
        Ok(Some(seen))
    }
}

impl Seen {
    fn nothing_of(pin: &Pin) -> Self {
        Self { looked: pin.looked.clone(), unverified: pin.unverified, lost: Vec::new() }
    }
}

/// That nobody can say any more whether all of a pin is there: by when it was pinned, it may have been forgotten.
fn unsure(at: Timestamp) -> String {
    format!("{} The run is pinned, perhaps too late: what is here of it is kept until it is unpinned.", forgotten(at))
}

/// The images that tags point to, each with the manifests that it has to have.
pub(super) fn images(tags: &[PinnedTag]) -> BTreeMap<Digest, BTreeSet<Digest>> {
    let mut images = BTreeMap::<Digest, BTreeSet<Digest>>::new();
    for tag in tags {
        images.entry(tag.digest.clone()).or_default().extend(tag.children.iter().cloned());
    }
    images
}

/// Those behind the last one that was looked at.
fn behind<'a>(
    images: &'a BTreeMap<Digest, BTreeSet<Digest>>,
    looked: Option<&Digest>,
) -> impl Iterator<Item = (&'a Digest, &'a BTreeSet<Digest>)> {
    images.range((looked.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
}

/// That the content of tags is gone, and of which.
fn named(lost: &[TagName], is_unpinned: bool) -> String {
    let names = lost.iter().take(NAMED).map(TagName::as_str).collect::<Vec<_>>().join(", ");
    let more = if lost.len() > NAMED { ", …" } else { "" };
    let end = if is_unpinned { "so the run is not pinned." } else { "and what else is pinned of the run is kept." };
    format!("The content of {} tags is not here any more ({names}{more}), {end}", lost.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::sha256(&[n])
    }

    #[test]
    fn a_refusal_names_the_first_of_the_tags_that_are_gone() {
        let tag = |n: u8| format!("v{n:02}").parse::<TagName>().unwrap();
        let message = named(&[tag(1), tag(31)], true);
        let expected = "The content of 2 tags is not here any more (v01, v31), so the run is not pinned.";
        assert_eq!(message, expected);
        let message = named(&(0..60).map(tag).collect::<Vec<_>>(), false);
        assert!(message.contains("60 tags") && message.contains("v19, …)"), "{message}");
        assert!(message.ends_with("is kept."), "{message}");
    }

    #[test]
    fn each_image_is_looked_at_once_from_where_somebody_has_stopped() {
        let tag =
            |n: u8| PinnedTag { tag: format!("v{n:02}").parse().unwrap(), digest: digest(n % 30), children: vec![] };
        let tags: Vec<_> = (0..60).map(tag).collect();
        let images = images(&tags);
        assert_eq!((images.len(), behind(&images, None).count()), (30, 30));
        let looked = images.keys().nth(11).unwrap();
        let rest: Vec<_> = behind(&images, Some(looked)).map(|(digest, _)| digest).collect();
        assert_eq!(rest, images.keys().skip(12).collect::<Vec<_>>());
        assert_eq!(behind(&images, images.keys().last()).count(), 0);
    }
}
