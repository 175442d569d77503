//! How a deployment is: what whoever runs it has to be told of its mirrors and its collections.

use std::time::Duration;

use crate::{
    Timestamp, Warning,
    collection::Collection,
    status::{SyncState, SyncStatus},
};

/// How many mirrors of each kind are named.
const EXAMPLES: usize = 5;
/// No mirror is late sooner, in seconds, however short its interval: retries need minutes, and so does a registry's limit.
const MIN_LATENESS: u64 = 3_600;
/// How long after its end a claim counts as expired, in seconds. A sync that goes on in another invocation leaves one that
/// has ended for about a second.
const MIN_EXPIRED: u64 = 60;
/// How long a sync may have been asked for without having begun: while its namespace has no free slot, or Lambda none, it is
/// put off again and again.
const LONGEST_QUEUE: Duration = Duration::from_secs(3 * 3_600);

/// What is known of one mirror, of a repository or of a whole organization.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The name of what it mirrors to.
    pub name: &'a str,
    /// Whether its schedule runs.
    pub is_enabled: bool,
    /// Seconds between scheduled starts.
    pub sync_interval: u64,
    /// Where it stands.
    pub state: &'a SyncState,
    /// When it was created.
    pub created: Timestamp,
}

impl Seen<'_> {
    /// Whether it has mirrored everything for the last time more than `intervals` of its intervals ago, and an hour. One
    /// that is off, was cancelled, or is to start later is not late.
    pub fn is_late(&self, intervals: u64, now: Timestamp) -> bool {
        let state = self.state;
        let rests = match state.sync_status {
            SyncStatus::Cancel => true,
            SyncStatus::NeverRun => state.sync_start_date > now,
            _ => false,
        };
        let allowed = self.sync_interval.saturating_mul(intervals).max(MIN_LATENESS);
        // Earlier releases did not note an organization's last success.
        let ended = state.last_ended.filter(|_| state.sync_status == SyncStatus::Success);
        let since = state.last_success.or(ended).unwrap_or(self.created);
        self.is_enabled && !rests && seconds(since, now) > allowed
    }

    /// For how many seconds its claim has been expired, if a sync was killed and none has taken over; or how much longer than
    /// any share makes it wait a sync has been asked for that none has begun.
    fn claim_expired(&self, now: Timestamp) -> Option<u64> {
        let state = self.state;
        let (since, most) = match state.sync_status {
            SyncStatus::Syncing => (state.sync_expiration_date?, MIN_EXPIRED),
            SyncStatus::SyncNow => (state.sync_requested_at?.plus(LONGEST_QUEUE), 0),
            _ => return None,
        };
        Some(seconds(since, now)).filter(|expired| *expired > most)
    }

    /// Whether tags are kept until somebody looks. What a list lacks that the registry still has goes on by itself.
    fn has_held_deletions(&self) -> bool {
        self.is_enabled
            && matches!(self.state.sync_warning, Some(Warning::DeletionsHeld { .. } | Warning::ListEmpty { .. }))
    }
}

/// Mirrors that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// How many they are.
    pub count: u64,
    /// What some of them mirror to: the first that were seen.
    pub examples: Vec<String>,
}

impl Group {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(name.to_owned());
        }
    }
}

/// How the mirrors are that were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorHealth {
    /// How many they are.
    pub mirrors: u64,
    /// Those that are late.
    pub late: Group,
    /// Those whose deletions are held back.
    pub held: Group,
    /// Those whose claim has expired.
    pub expired: Group,
    /// For how many seconds the claim has been expired that did so first; 0 if none has.
    pub claim_expired_seconds: u64,
    /// When the oldest of them was created.
    pub since: Option<Timestamp>,
}

impl MirrorHealth {
    /// Looks at a mirror, of which the caller says whether it is late.
    pub fn see(&mut self, mirror: Seen<'_>, is_late: bool, now: Timestamp) {
        let name = mirror.name;
        self.mirrors += 1;
        self.since = Some(self.since.map_or(mirror.created, |since| since.min(mirror.created)));
        if is_late {
            self.late.add(name);
        }
        if mirror.has_held_deletions() {
            self.held.add(name);
        }
        if let Some(expired) = mirror.claim_expired(now) {
            self.expired.add(name);
            self.claim_expired_seconds = self.claim_expired_seconds.max(expired);
        }
    }
}

/// How collections are. Those that only report do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectionHealth<'a> {
    /// The last one, which may not have ended.
    pub last: Option<&'a Collection>,
    /// Whether the last one that ended deleted nothing, because its numbers looked wrong.
    pub is_held: bool,
    /// Seconds since one has ended that was not held; if none is known, since the first that is known began, or else since
    /// there are mirrors.
    pub age_seconds: u64,
}

impl<'a> CollectionHealth<'a> {
    /// Of these collections, the newest first, in a deployment that has had mirrors since a moment.
    pub fn of(collections: &'a [Collection], mirrors_since: Option<Timestamp>, now: Timestamp) -> Self {
        let real = || collections.iter().filter(|collection| !collection.dry_run);
        let mut ended = real().filter_map(|collection| Some((collection, collection.ended_at?)));
        let is_held = ended.clone().next().is_some_and(|(collection, _)| collection.held.is_some());
        let done = ended.find(|(collection, _)| collection.held.is_none()).map(|(_, ended_at)| ended_at);
        let since = done.or_else(|| real().map(|collection| collection.started_at).min()).or(mirrors_since);
        let age_seconds = since.map_or(0, |since| seconds(since, now));
        Self { last: real().next(), is_held, age_seconds }
    }
}

/// Seconds from one moment to another; 0 if it is not later.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.unix().saturating_sub(from.unix())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::collection::{CollectRequest, Held};

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn seen(state: &SyncState, sync_interval: u64, is_enabled: bool) -> Seen<'_> {
        Seen { name: "acme/app", is_enabled, sync_interval, state, created: at(0) }
    }

    #[test]
    fn a_mirror_is_late_that_has_mirrored_nothing_for_some_intervals() {
        use SyncStatus as S;
        let new = SyncState::new(at(0), Uuid::nil());
        let late = |state: &SyncState, interval, now| seen(state, interval, true).is_late(3, at(now));
        let state = |sync_status, last_success| SyncState { sync_status, last_success, ..new.clone() };
        for (status, success, now, expected) in [
            (S::Success, Some(at(DAY)), 4 * DAY, false),
            (S::Success, Some(at(DAY)), 4 * DAY + 1, true),
            (S::Fail, None, 3 * DAY, false),
            (S::Fail, None, 3 * DAY + 1, true),
            (S::NeverRun, None, 3 * DAY + 1, true),
            (S::Syncing, Some(at(0)), 3 * DAY + 1, true),
            (S::Cancel, Some(at(0)), 9 * DAY, false),
        ] {
            assert_eq!(late(&state(status, success), 86_400, now), expected, "{status:?} {success:?} {now}");
        }
        let later = SyncState { sync_start_date: at(30 * DAY), ..new.clone() };
        assert!(!late(&later, 86_400, 9 * DAY), "its first start lies ahead");
        assert!(!seen(&new, 86_400, false).is_late(3, at(9 * DAY)), "it is off");
        assert!(!late(&state(S::Fail, None), 60, 3_600) && late(&state(S::Fail, None), 60, 3_601));
        assert!(!late(&new, u64::MAX, 9 * DAY));
        let ended = SyncState { last_ended: Some(at(8 * DAY)), ..state(S::Success, None) };
        assert!(!late(&ended, 86_400, 9 * DAY), "that is when it last succeeded");
    }

    #[test]
    fn mirrors_are_counted_and_some_are_named() {
        let new = SyncState::new(at(0), Uuid::nil());
        let (warning, status) = (Warning::DeletionsHeld { tags: 30, limit: 10, deselected: 0 }, SyncStatus::Syncing);
        let killed = |expiration| SyncState {
            sync_status: status,
            sync_expiration_date: Some(at(expiration)),
            sync_warning: Some(warning),
            ..new.clone()
        };
        let mut health = MirrorHealth::default();
        let empty = SyncState { sync_warning: Some(Warning::ListEmpty { tags: 4 }), ..new.clone() };
        for (number, state) in
            [killed(1_000), killed(900), killed(9_000), killed(9_941), new.clone(), empty].iter().enumerate()
        {
            let created = at(50 - i64::try_from(number).unwrap());
            health.see(Seen { created, ..seen(state, 60, true) }, number > 0, at(10_000));
        }
        assert_eq!((health.mirrors, health.late.count, health.held.count, health.expired.count), (6, 5, 5, 3));
        assert_eq!((health.claim_expired_seconds, health.since), (9_100, Some(at(45))));
        for _ in 0..9 {
            health.see(seen(&new, 60, true), true, at(10_000));
        }
        assert_eq!((health.late.count, health.late.examples.len()), (14, EXAMPLES));
    }

    #[test]
    fn a_sync_that_was_asked_for_and_that_none_begins_is_told_after_hours() {
        let asked = SyncState::new(at(0), Uuid::nil()).sync_now(at(1_000), Uuid::nil()).unwrap();
        let told = |now| seen(&asked, 60, false).claim_expired(at(now));
        let queued = 3 * 3_600;
        assert_eq!((told(1_000), told(1_000 + queued), told(1_001 + queued)), (None, None, Some(1)));
    }

    #[test]
    fn the_last_collection_and_the_last_good_one() {
        let collection = |start: i64, ended: Option<i64>, is_held: bool, dry_run| Collection {
            ended_at: ended.map(at),
            held: is_held.then_some(Held::LinksShrank { links: 1, before: 9_000 }),
            ..Collection::new(Uuid::nil(), CollectRequest { dry_run, ..CollectRequest::default() }, at(start))
        };
        let of = |collections: &[Collection], since: Option<i64>| {
            let health = CollectionHealth::of(collections, since.map(at), at(1_000));
            (health.last.map(|last| last.started_at.unix()), health.is_held, health.age_seconds)
        };
        let (running, held) = (collection(900, None, false, false), collection(700, Some(750), true, false));
        let (good, dry) = (collection(500, Some(550), false, false), collection(950, Some(960), false, true));
        assert_eq!(of(&[], None), (None, false, 0), "nothing to collect");
        assert_eq!(of(&[], Some(10)), (None, false, 990), "none has begun");
        assert_eq!(of(std::slice::from_ref(&dry), Some(10)), (None, false, 990));
        assert_eq!(of(&[dry.clone(), running.clone(), held.clone(), good.clone()], None), (Some(900), true, 450));
        assert_eq!(of(&[running.clone(), good, held.clone()], None), (Some(900), false, 450), "it went through again");
        assert_eq!(of(&[running, held], Some(10)), (Some(900), true, 300), "none that is known has ended well");
    }
}
