//! What a sync uses of its registry: counters, and the registry's limit, which holds back whoever would exceed it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use moorage_domain::{
    Fallback, Fallbacks, RateLimit, Timestamp,
    rate_limit::{Allowance, LONGEST_WAIT},
    run::Upstream,
};
use reqwest::{StatusCode, header::HeaderMap};
use tokio::sync::Notify;

use crate::{
    UpstreamError, rate_limit,
    turns::{Sent, Turns},
};

/// What of a body counts as something that happens.
const MEBIBYTE: u64 = 1024 * 1024;

/// Counters and limit of one sync at one registry. Clones are the same meter.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requests: AtomicU64,
    retries: AtomicU64,
    manifest_gets: AtomicU64,
    bytes_read: AtomicU64,
    answers: AtomicU64,
    invalid_tags: AtomicU64,
    fallbacks: AtomicU8,
    /// How many manifests are to be left to others.
    floor: u64,
    state: Mutex<State>,
    returned: Notify,
}

#[derive(Debug, Default)]
struct State {
    limit: RateLimit,
    /// Manifests on their way.
    in_flight: u64,
    turns: Turns,
    waited: Waited,
}

/// The time in which somebody waited: of those who wait at once, it counts once.
#[derive(Debug, Default)]
struct Waited {
    before: Duration,
    waiting: u64,
    /// Since when somebody does.
    since: Option<Instant>,
}

impl Waited {
    fn total(&self) -> Duration {
        self.before.saturating_add(self.since.map_or(Duration::ZERO, |since| since.elapsed()))
    }
}

/// Somebody who waits, until it is dropped.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn begin(inner: &'a Inner) -> Self {
        let mut state = inner.lock();
        state.waited.waiting = state.waited.waiting.saturating_add(1);
        state.waited.since.get_or_insert_with(Instant::now);
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = &mut self.0.lock().waited;
        waited.waiting = waited.waiting.saturating_sub(1);
        if waited.waiting == 0 {
            waited.before = waited.total();
            waited.since = None;
        }
    }
}

/// The right to fetch one manifest, until it is dropped.
#[derive(Debug)]
pub(crate) struct Fetching<'a>(&'a Inner);

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        drop(state);
        self.0.returned.notify_waiters();
    }
}

impl Meter {
    /// With what other syncs have seen of the limit, and the number of manifests that are to be left to others.
    pub fn new(known: RateLimit, floor: u64) -> Self {
        let state = Mutex::new(State { limit: known, ..State::default() });
        Self(Arc::new(Inner { floor, state, ..Inner::default() }))
    }

    /// What was asked so far.
    pub fn counts(&self) -> Upstream {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Upstream {
            requests: load(&self.0.requests),
            retries: load(&self.0.retries),
            manifest_gets: load(&self.0.manifest_gets),
            bytes_read: load(&self.0.bytes_read),
            waited_ms: u64::try_from(self.0.lock().waited.total().as_millis()).unwrap_or(u64::MAX),
            invalid_tags: load(&self.0.invalid_tags),
            fallbacks: self.fallbacks(),
        }
    }

    /// Notes how many entries of a list of tags are none.
    pub(crate) fn invalid_tags(&self, count: usize) {
        self.0.invalid_tags.fetch_max(count as u64, Ordering::Relaxed);
    }

    /// What the registry refused so far.
    pub fn fallbacks(&self) -> Fallbacks {
        Fallbacks::from_bits(self.0.fallbacks.load(Ordering::Relaxed))
    }

    /// Remembers what the registry refused, also in an earlier invocation of the run: it is not asked for again.
    pub fn fall_back(&self, fallbacks: impl IntoIterator<Item = Fallback>) {
        let fallbacks: Fallbacks = fallbacks.into_iter().collect();
        self.0.fallbacks.fetch_or(fallbacks.bits(), Ordering::Relaxed);
    }

    /// Whether the registry refused this before.
    pub(crate) fn falls_back(&self, fallback: Fallback) -> bool {
        self.fallbacks().contains(fallback)
    }

    /// The limit as far as it is known.
    pub fn limit(&self) -> RateLimit {
        self.0.lock().limit
    }

    /// Takes in what another sync has seen of it.
    pub fn learn(&self, other: RateLimit) {
        let mut state = self.0.lock();
        state.limit = state.limit.merged(other);
    }

    /// Takes in what an answer of the registry's own says of it.
    pub(crate) fn observe(&self, status: StatusCode, headers: &HeaderMap) {
        let now = rate_limit::now();
        if let Some(seen) = rate_limit::observe(status, headers, now) {
            self.learn(seen);
        } else if status.is_success() && self.limit().blocked(now).is_some() {
            self.learn(RateLimit { answered_at: now, ..RateLimit::default() });
        }
    }

    /// Lets nobody ask anything until a moment. One that is too far away is not believed: it would keep everybody out who
    /// shares the identity, long after the registry was mended.
    pub(crate) fn block(&self, until: Timestamp) {
        if until > rate_limit::after(LONGEST_WAIT) {
            return;
        }
        self.learn(RateLimit { blocked_until: Some(until), blocked_at: rate_limit::now(), ..RateLimit::default() });
    }

    /// Waits while the registry wants to be left alone; fails if that is longer than `most`.
    pub(crate) async fn pass(&self, most: Duration) -> Result<(), UpstreamError> {
        loop {
            let Some(until) = self.limit().blocked(rate_limit::now()) else { return Ok(()) };
            let moment = UNIX_EPOCH.checked_add(Duration::from_secs(until.unix().unsigned_abs()));
            let left = moment.and_then(|moment| moment.duration_since(SystemTime::now()).ok()).unwrap_or_default();
            if left > most {
                return Err(UpstreamError::RateLimited { until });
            }
            self.pause(left).await;
        }
    }

    /// Waits, and counts it.
    pub(crate) async fn pause(&self, time: Duration) {
        let _waiting = Waiting::begin(&self.0);
        tokio::time::sleep(time).await;
    }

    /// Waits until the registry may be asked, and until it is one's turn where it has refused requests. Returns when that
    /// is; fails if the registry wants to be left alone for longer than `most`.
    pub(crate) async fn turn(&self, most: Duration) -> Result<Sent, UpstreamError> {
        loop {
            self.pass(most).await?;
            let turn = self.0.lock().turns.take(Instant::now());
            if turn.wait > Duration::ZERO {
                self.pause(turn.wait).await;
            }
            let mut state = self.0.lock();
            if state.limit.blocked(rate_limit::now()).is_none() && state.turns.counts(turn) {
                return Ok(state.turns.send(Instant::now()));
            }
        }
    }

    /// Notes that the registry answered, and did not refuse to.
    pub(crate) fn answered(&self) {
        self.0.lock().turns.answered(Instant::now());
    }

    /// Whether the registry was left alone before, for as long as it asked.
    pub(crate) fn has_left_alone(&self) -> bool {
        let limit = self.limit();
        limit.blocked_until.is_some() && limit.blocked(rate_limit::now()).is_none()
    }

    /// Notes that it refused what was sent at `sent`, for a time if it told one: requests come more slowly from now on.
    /// They stop for no longer than `most`: what is longer is nothing to be waited for in one's turn, and is
    /// [`Self::block`]'s. Returns how many it has answered so far.
    pub(crate) fn refused(&self, sent: Instant, told: Option<Duration>, most: Duration) -> u64 {
        let mut state = self.0.lock();
        state.turns.refused(sent, told.map(|told| told.min(most)), Instant::now());
        state.turns.count()
    }

    /// Waits until one more manifest may be fetched; fails if that takes until the allowance begins anew.
    pub(crate) async fn fetching(&self) -> Result<Fetching<'_>, UpstreamError> {
        loop {
            let returned = self.0.returned.notified();
            {
                let mut state = self.0.lock();
                match state.limit.allowance(state.in_flight, self.0.floor, rate_limit::now()) {
                    // A refusal is waited for as it is for every other request.
                    Allowance::Until(until) if state.limit.blocked(rate_limit::now()).is_none() => {
                        return Err(UpstreamError::RateLimited { until });
                    }
                    Allowance::Open | Allowance::Until(_) => {
                        state.in_flight += 1;
                        self.0.manifest_gets.fetch_add(1, Ordering::Relaxed);
                        return Ok(Fetching(&self.0));
                    }
                    Allowance::Wait => {}
                }
            }
            returned.await;
        }
    }

    pub(crate) fn request(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.0.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn heard(&self) {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// A number that grows as long as something happens: a request, an answer, another try, a mebibyte of content.
    /// A server that sends a byte now and then makes nothing happen.
    pub(crate) fn activity(&self) -> u64 {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let asked = load(&self.0.requests).saturating_add(load(&self.0.retries));
        asked.saturating_add(load(&self.0.answers)).saturating_add(load(&self.0.bytes_read) / MEBIBYTE)
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.0.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What was seen stays true after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(remaining: u64) -> RateLimit {
        let now = rate_limit::now();
        let resets_at = Some(now.plus(Duration::from_secs(600)));
        RateLimit { seen_at: now, remaining: Some(remaining), resets_at, ..RateLimit::default() }
    }

    #[tokio::test]
    async fn as_many_are_on_their_way_as_are_allowed_above_the_floor() {
        let meter = Meter::new(left(12), 10);
        let (one, two) = (meter.fetching().await.unwrap(), meter.fetching().await.unwrap());
        let third = meter.clone();
        let third = tokio::spawn(async move { third.fetching().await.map(|_| ()).map_err(|error| error.to_string()) });
        tokio::task::yield_now().await;
        assert!(!third.is_finished(), "the two may use up what is left");
        meter.learn(left(11));
        drop(one);
        meter.learn(left(10));
        drop(two);
        assert!(third.await.unwrap().is_err(), "and did");
        assert_eq!(meter.counts().manifest_gets, 2);
    }

    #[tokio::test]
    async fn short_waits_are_waited_for_and_long_ones_are_not() {
        let meter = Meter::default();
        meter.pass(Duration::ZERO).await.unwrap();
        meter.block(rate_limit::after(Duration::ZERO));
        meter.pass(Duration::from_secs(2)).await.unwrap();
        assert!(meter.counts().waited_ms <= 1_000);
        let until = rate_limit::after(Duration::from_secs(60));
        meter.block(until);
        let refused = meter.pass(Duration::from_secs(2)).await.unwrap_err();
        assert!(matches!(refused, UpstreamError::RateLimited { until: told } if told == until), "{refused}");
    }

    #[tokio::test]
    async fn those_who_wait_at_once_count_once() {
        let (meter, begun) = (Meter::default(), Instant::now());
        let wait = || meter.pause(Duration::from_millis(50));
        tokio::join!(wait(), wait(), wait(), wait());
        let waited = u128::from(meter.counts().waited_ms);
        assert!((50..=begun.elapsed().as_millis()).contains(&waited), "{waited}");
    }

    #[test]
    fn what_was_refused_is_remembered_by_all_clones() {
        let meter = Meter::default();
        meter.clone().fall_back([Fallback::Range]);
        assert!(meter.falls_back(Fallback::Range) && !meter.falls_back(Fallback::Head));
        assert_eq!(meter.counts().fallbacks, meter.fallbacks());
    }

    #[test]
    fn a_byte_now_and_then_is_no_activity() {
        let meter = Meter::default();
        meter.request();
        let begun = meter.activity();
        (0..1_000).for_each(|_| meter.read(1));
        assert_eq!(meter.activity(), begun);
        meter.read(2 * 1024 * 1024);
        meter.retry();
        meter.heard();
        assert_eq!(meter.activity(), begun + 4);
    }

    #[tokio::test]
    async fn a_turn_is_never_waited_for_longer_than_a_refusal() {
        let (meter, most) = (Meter::default(), Duration::from_millis(50));
        let begun = Instant::now();
        for told in [Duration::from_secs(3_600), Duration::MAX] {
            meter.refused(Instant::now(), Some(told), most);
            meter.turn(most).await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_wait_of_years_is_not_believed() {
        let meter = Meter::default();
        meter.block(rate_limit::after(LONGEST_WAIT * 52));
        meter.pass(Duration::ZERO).await.unwrap();
        assert_eq!(meter.limit(), RateLimit::default());
    }
}
