//! A mirror's webhook: where it is called, and what has come and waits for its sync.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Hint, HintedTags, MAX_TAGS, Rate, Retry, retry::LONGEST};
use crate::{Digest, TagName, Timestamp, secret::Ciphertext};

/// How long after a sync by webhooks the next one begins at the earliest: a release moves several tags, and a registry tells
/// of each by itself.
pub const PAUSE: Duration = Duration::from_secs(10);
/// How long an invocation that was asked for may take to come until a further delivery asks again: Lambda needs about a
/// second, and the invocation may wait for [`PAUSE`].
const ON_ITS_WAY: Duration = Duration::from_secs(60);
/// How late what is asked for again may be: a one-time schedule may be a minute late, and its invocation takes as long as others.
const LATE: Duration = Duration::from_secs(120);

/// One of the addresses of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The hash of its id, which nobody but its senders knows.
    pub hash: Digest,
    /// What deliveries are signed with, sealed by what the id says.
    pub secret: Ciphertext,
    /// Whether a delivery without a signature is refused.
    #[serde(default)]
    pub require_signature: bool,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// A sync asks for its tags.
    Accepted,
    /// There was nothing to do.
    Ignored,
    /// Its signature is wrong, or missing.
    Unsigned,
    /// It is no hint.
    Invalid,
}

impl DeliveryOutcome {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Unsigned => "unsigned",
            Self::Invalid => "invalid",
        }
    }
}

/// A delivery that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: DeliveryOutcome,
}

/// A mirror's webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// When its address was made.
    pub created: Timestamp,
    /// Its address.
    pub address: Address,
    /// The one before, as long as that is valid, too.
    pub previous: Option<Address>,
    /// How often it is called.
    pub rate: Rate,
    /// The last call of it.
    pub last_delivery: Option<Delivery>,
    /// What has come, and no sync has taken yet.
    pub pending: Option<Hint>,
    /// What syncs have asked for in vain: [`MAX_TAGS`] at most.
    #[serde(default)]
    pub retries: BTreeMap<TagName, Retry>,
    /// When a sync was asked for last to take what has come.
    pub asked_at: Option<Timestamp>,
    /// When a sync took what had come last.
    pub taken_at: Option<Timestamp>,
    /// Whether nobody was given its address: it is there for what EventBridge says of ECR.
    #[serde(default)]
    pub is_unaddressed: bool,
    /// Counts changes, so that two at once cannot undo each other.
    pub revision: u64,
}

impl Webhook {
    /// One that is new.
    pub fn new(address: Address, created: Timestamp) -> Self {
        Self {
            created,
            address,
            previous: None,
            rate: Rate::default(),
            last_delivery: None,
            pending: None,
            retries: BTreeMap::new(),
            asked_at: None,
            taken_at: None,
            is_unaddressed: false,
            revision: 1,
        }
    }

    /// One whose address is given to nobody.
    pub fn unaddressed(address: Address, created: Timestamp) -> Self {
        Self { is_unaddressed: true, ..Self::new(address, created) }
    }

    /// With another address; the one that it had stays valid, and the one before that ends.
    #[must_use]
    pub fn rotated(self, address: Address, created: Timestamp) -> Self {
        let previous = Some(self.address.clone()).filter(|_| !self.is_unaddressed);
        Self { created, address, previous, is_unaddressed: false, ..self.changed() }
    }

    /// With its present address alone.
    #[must_use]
    pub fn without_previous(self) -> Self {
        Self { previous: None, ..self.changed() }
    }

    /// The address of an id that is valid, by its hash.
    pub fn address_of(&self, hash: &Digest) -> Option<&Address> {
        std::iter::once(&self.address).chain(&self.previous).find(|address| address.hash == *hash)
    }

    /// With one more delivery, whatever comes of it.
    #[must_use]
    pub fn called(self, outcome: DeliveryOutcome, now: Timestamp) -> Self {
        let last_delivery = Some(Delivery { at: now, outcome });
        Self { rate: self.rate.again(now), last_delivery, ..self.changed() }
    }

    /// With what a delivery says, and whether somebody has to ask for a sync that takes it: not if one was asked for already,
    /// and not long ago. The tries at what was pushed anew are counted anew.
    #[must_use]
    pub fn hinted(mut self, hint: Hint, now: Timestamp) -> (Self, bool) {
        let is_on_its_way = self.asked_at.is_some_and(|asked| now < asked.plus(ON_ITS_WAY));
        let asks = self.pending.is_none() || !is_on_its_way;
        if let HintedTags::Only(tags) = &hint.tags {
            for tag in tags {
                self.retries.remove(tag);
            }
        }
        let pending = match self.pending.take() {
            Some(before) => before.and(hint),
            None => hint,
        };
        let asked_at = if asks { Some(now) } else { self.asked_at };
        (Self { pending: Some(pending), asked_at, ..self.changed() }, asks)
    }

    /// What a sync is to ask for that begins now, if there is anything.
    pub fn due(&self, now: Timestamp) -> Option<HintedTags> {
        let again = self.retries.iter().filter(|(_, retry)| retry.is_due(now)).map(|(tag, _)| tag.clone());
        match &self.pending {
            Some(Hint { tags: HintedTags::All, .. }) => Some(HintedTags::All),
            Some(Hint { tags: HintedTags::Only(tags), .. }) => {
                Some(HintedTags::of(again.chain(tags.iter().cloned()).collect()))
            }
            None => Some(again.collect::<BTreeSet<_>>()).filter(|again| !again.is_empty()).map(HintedTags::of),
        }
    }

    /// After a sync has taken what was due at `now`.
    #[must_use]
    pub fn taken(mut self, now: Timestamp) -> Self {
        self.retries.values_mut().filter(|retry| retry.is_due(now)).for_each(|retry| *retry = retry.begun());
        Self { pending: None, taken_at: Some(now), ..self.changed() }
    }

    /// After a sync of all tags has taken it: then none of them has to be asked for by itself.
    #[must_use]
    pub fn taken_whole(self, now: Timestamp) -> Self {
        Self { retries: BTreeMap::new(), ..self.taken(now) }
    }

    /// After a sync has begun that did not take all that had come.
    #[must_use]
    pub fn begun(self, now: Timestamp) -> Self {
        Self { taken_at: Some(now), ..self.changed() }
    }

    /// After a sync has ended that `asked` for these tags: some of them, or of what belongs to them, in `vain`, for reasons that
    /// may pass. Of too many of these it becomes an ordinary sync.
    #[must_use]
    pub fn tried(mut self, asked: &[TagName], vain: &BTreeSet<TagName>, now: Timestamp) -> Self {
        for tag in asked.iter().chain(vain).collect::<BTreeSet<_>>() {
            let before = self.retries.remove(tag);
            if let Some(retry) = Retry::after(before, now).filter(|_| vain.contains(tag)) {
                self.retries.insert(tag.clone(), retry);
            }
        }
        if self.retries.len() > MAX_TAGS {
            let pending = Some(Hint { repository: None, tags: HintedTags::All });
            return Self { pending, retries: BTreeMap::new(), ..self.changed() };
        }
        self.changed()
    }

    /// After what had come was given up: no sync of the mirror may begin.
    #[must_use]
    pub fn dropped(self) -> Self {
        Self { pending: None, retries: BTreeMap::new(), ..self.changed() }
    }

    /// Whether anything waits for a sync.
    pub fn waits(&self) -> bool {
        self.pending.is_some() || self.next_retry().is_some()
    }

    /// How long a sync has to wait that is to take what waits, if anything does.
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        // A clock that was turned back keeps nobody longer.
        let until = |at: Timestamp, most: Duration| {
            Duration::from_secs(u64::try_from(at.unix().saturating_sub(now.unix())).unwrap_or_default()).min(most)
        };
        let pause = self.taken_at.map_or(Duration::ZERO, |taken| until(taken.plus(PAUSE), PAUSE));
        if self.pending.is_some() {
            return Some(pause);
        }
        self.next_retry().map(|at| until(at, LONGEST).max(pause))
    }

    /// Whether the invocation did not come that was to take what waits.
    pub fn is_lost(&self, now: Timestamp) -> bool {
        let is_hint_lost = self.pending.is_some() && self.asked_at.is_none_or(|asked| asked.plus(ON_ITS_WAY) <= now);
        is_hint_lost || self.next_retry().is_some_and(|at| at.plus(LATE) <= now)
    }

    fn next_retry(&self) -> Option<Timestamp> {
        self.retries.values().filter_map(|retry| retry.at).min()
    }

    fn changed(self) -> Self {
        Self { revision: self.revision.saturating_add(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix(1_790_000_000 + second)
    }

    fn address(id: &str) -> Address {
        Address { hash: Digest::sha256(id.as_bytes()), secret: "c2VhbGVk".to_owned().into(), require_signature: false }
    }

    fn hint(tag: &str) -> Hint {
        Hint { repository: None, tags: HintedTags::Only(vec![tag.parse().unwrap()]) }
    }

    #[test]
    fn two_addresses_are_valid_while_rotating() {
        let valid =
            |webhook: &Webhook| ["a", "b", "c"].map(|id| webhook.address_of(&Digest::sha256(id.as_bytes())).is_some());
        let first = Webhook::new(address("a"), at(0));
        let second = first.clone().rotated(address("b"), at(1));
        let third = second.clone().rotated(address("c"), at(2));
        assert_eq!(valid(&first), [true, false, false]);
        assert_eq!((valid(&second), second.created), ([true, true, false], at(1)));
        assert_eq!((valid(&third), third.revision), ([false, true, true], 3));
        assert_eq!(valid(&third.without_previous()), [false, false, true]);
        let first_of_its_senders = Webhook::unaddressed(address("a"), at(0)).rotated(address("b"), at(1));
        assert_eq!((valid(&first_of_its_senders), first_of_its_senders.is_unaddressed), ([false, true, false], false));
    }

    #[test]
    fn what_comes_is_merged_and_asked_for_once() {
        let (one, asks) = Webhook::new(address("a"), at(0)).hinted(hint("v1"), at(0));
        let (two, again) = one.hinted(hint("v2"), at(59));
        assert!(asks && !again);
        assert_eq!(two.pending, Some(hint("v1").and(hint("v2"))));
        assert!(!two.is_lost(at(59)) && two.is_lost(at(60)));
        let (three, again) = two.hinted(hint("v2"), at(60));
        assert!(again && !three.is_lost(at(60)), "the invocation was lost");
        let taken = three.taken(at(61));
        assert!(taken.pending.is_none() && !taken.is_lost(at(999)));
        let (next, asks) = taken.hinted(hint("v3"), at(62));
        assert!(asks, "the sync that runs has not seen it");
        let waits = [62, 70, 71, 99, -500].map(|second| next.wait(at(second)).map(|wait| wait.as_secs()));
        assert_eq!(waits, [9, 1, 0, 0, 10].map(Some));
        assert_eq!((next.clone().dropped().pending, next.dropped().taken_at), (None, Some(at(61))));
    }

    #[test]
    fn calls_are_counted() {
        let called = Webhook::new(address("a"), at(0)).called(DeliveryOutcome::Ignored, at(5));
        assert_eq!((called.rate.count, called.revision), (1, 2));
        assert_eq!(called.last_delivery, Some(Delivery { at: at(5), outcome: DeliveryOutcome::Ignored }));
    }
    #[test]
    fn what_was_asked_for_in_vain_is_asked_for_again_and_then_given_up() {
        let tags = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<TagName>>();
        let (asked, vain): (Vec<TagName>, _) = (tags(&["v1", "v2"]).into_iter().collect(), tags(&["v2"]));
        let only = |names: &[&str]| Some(HintedTags::Only(tags(names).into_iter().collect()));
        let both = Hint { repository: None, tags: HintedTags::Only(asked.clone()) };
        let (mut webhook, _) = Webhook::new(address("a"), at(0)).hinted(both, at(0));
        assert_eq!(webhook.due(at(0)), only(&["v1", "v2"]));
        let (mut second, mut waits) = (0, Vec::new());
        webhook = webhook.taken(at(0)).tried(&asked, &vain, at(0));
        while let Some(wait) = webhook.wait(at(second)) {
            waits.push(wait.as_secs());
            assert_eq!(webhook.due(at(second)), None, "not before its time");
            second += i64::try_from(wait.as_secs()).unwrap();
            assert_eq!(webhook.due(at(second)), only(&["v2"]), "what was there is not asked for again");
            assert!(webhook.waits() && !webhook.is_lost(at(second + 119)) && webhook.is_lost(at(second + 120)));
            webhook = webhook.taken(at(second));
            assert!(!webhook.waits() && !webhook.is_lost(at(second + 999)), "a sync asks for it");
            webhook = webhook.tried(&["v2".parse().unwrap()], &vain, at(second));
        }
        assert_eq!((waits, webhook.retries.len()), (vec![10, 60, 300], 0));

        // What is pushed anew is as if it had not been asked for; what comes has what is due asked for with it.
        let once = webhook.clone().tried(&asked, &vain, at(0)).taken(at(10)).tried(&asked, &vain, at(10));
        let (anew, asks) = once.clone().hinted(hint("v2"), at(20));
        assert!(asks && anew.retries.is_empty());
        let (with, _) = once.hinted(hint("v3"), at(20));
        assert_eq!((with.due(at(69)), with.wait(at(20))), (only(&["v3"]), Some(Duration::ZERO)));
        assert_eq!(with.due(at(70)), only(&["v2", "v3"]));
        assert!(with.clone().taken(at(69)).waits() && !with.clone().taken_whole(at(69)).waits());
        assert!(!with.dropped().waits());
    }

    #[test]
    fn too_many_tags_that_are_asked_for_again_become_an_ordinary_sync() {
        let all: BTreeSet<TagName> = (0..=MAX_TAGS).map(|number| format!("t{number}").parse().unwrap()).collect();
        let asked: Vec<_> = all.iter().cloned().collect();
        let webhook = Webhook::new(address("a"), at(0));
        let fewer = all.iter().skip(1).cloned().collect();
        let most = webhook.clone().tried(&asked, &fewer, at(0));
        assert_eq!((most.pending, most.retries.len()), (None, MAX_TAGS));
        let more = webhook.tried(&asked, &all, at(0));
        assert_eq!((more.due(at(0)), more.retries.len()), (Some(HintedTags::All), 0));
    }
}
