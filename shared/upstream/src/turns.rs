//! How fast a registry is asked that has refused requests: about as fast as it answered before it did. Without that,
//! whoever was refused comes back at the same moment as all others who were, and is refused again.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Over what time answers are counted, and the longest time from one request to the next: registries that limit requests
/// do so by the second or longer, and of one that allows fewer each second request is refused at most.
const WINDOW: Duration = Duration::from_secs(1);
/// For how long nothing more is sent to a registry that refuses a request and does not say for how long: the limits of
/// those are mostly by the second.
const UNTOLD_PAUSE: Duration = Duration::from_secs(1);
/// The most answers that are remembered to be counted.
const MOST_COUNTED: usize = 256;
/// The share of the time between two requests that each answer takes away: after 22 answers they come twice as fast.
const FASTER: u32 = 32;
/// A refusal that comes later than this after the one before has nothing to do with it.
const MEMORY: Duration = Duration::from_secs(3);
/// What a pause is that is not worth a timer: then nobody waits for a turn any more.
const NO_PAUSE: Duration = Duration::from_millis(5);

/// Whose turn it is to ask. As long as no request is refused, it is everybody's at once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// The time from one request to the next, once one was refused.
    interval: Option<Duration>,
    /// When the next one may be sent.
    next: Option<Instant>,
    /// When requests were last slowed down. What was sent before that says nothing of how fast they come now.
    slowed: Option<Instant>,
    /// When the last request was sent.
    sent: Option<Instant>,
    /// When the last answers came that were no refusals.
    answers: VecDeque<Instant>,
    /// How many there were in all.
    answered: u64,
    /// How often the turns were given anew: a turn of an earlier epoch is none.
    epoch: u64,
}

/// A request that was sent in its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    /// Whether it is the only one in its [`WINDOW`] so far: then it is not how fast requests come that it is refused for.
    pub(crate) is_only: bool,
}

/// A turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// How long to wait for it.
    pub(crate) wait: Duration,
    epoch: u64,
}

impl Turns {
    /// Gives the next turn away.
    pub(crate) fn take(&mut self, now: Instant) -> Turn {
        let epoch = self.epoch;
        let Some(interval) = self.interval else { return Turn { wait: Duration::ZERO, epoch } };
        let at = self.next.map_or(now, |next| next.max(now));
        self.next = at.checked_add(interval);
        Turn { wait: at.saturating_duration_since(now), epoch }
    }

    /// Whether a turn that was waited for still counts: a refusal meanwhile makes everybody wait anew.
    pub(crate) fn counts(&self, turn: Turn) -> bool {
        turn.epoch == self.epoch
    }

    /// Notes that a request is sent.
    pub(crate) fn send(&mut self, now: Instant) -> Sent {
        let before = self.sent.replace(now);
        Sent { at: now, is_only: before.is_some_and(|before| now.saturating_duration_since(before) >= WINDOW) }
    }

    /// Notes an answer that was no refusal.
    pub(crate) fn answered(&mut self, now: Instant) {
        self.answered = self.answered.saturating_add(1);
        if self.answers.len() >= MOST_COUNTED {
            self.answers.pop_front();
        }
        self.answers.push_back(now);
        if let Some(interval) = self.interval {
            self.interval = Some(interval.saturating_sub(interval / FASTER)).filter(|interval| *interval > NO_PAUSE);
        }
    }

    /// How many answers there were in all that were no refusals.
    pub(crate) fn count(&self) -> u64 {
        self.answered
    }

    /// Notes that a request that was sent at `sent` was refused, and what time the registry wants to pass, if it told. The requests
    /// that follow are as far apart as the answers were that came in the last [`WINDOW`], and farther than they were. Where
    /// hardly any came, how fast they were asked for was not what was wrong: a time that was told is only waited for, unless
    /// it is told again at once.
    pub(crate) fn refused(&mut self, sent: Instant, told: Option<Duration>, now: Instant) {
        if self.slowed.is_some_and(|slowed| sent < slowed) {
            return;
        }
        let counted = self.answers.iter().filter(|at| now.saturating_duration_since(**at) <= WINDOW).count();
        let window = match self.answers.front() {
            Some(first) if counted == MOST_COUNTED => now.saturating_duration_since(*first),
            _ => WINDOW,
        };
        let measured = window / u32::try_from(counted).unwrap_or(u32::MAX).max(1);
        let slower = self.interval.map_or(Duration::ZERO, |interval| interval.saturating_add(interval / 4));
        let is_first = self.slowed.is_none_or(|slowed| now.saturating_duration_since(slowed) > MEMORY);
        if counted > 1 || !is_first || told.is_none() || self.interval.is_some() {
            self.interval = Some(measured.max(slower).clamp(NO_PAUSE, WINDOW));
        }
        self.next = now.checked_add(told.unwrap_or(UNTOLD_PAUSE));
        self.slowed = Some(now);
        self.epoch = self.epoch.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry that answers `limit` requests in each second, counted from when it began, and refuses the others.
    struct Limited {
        begun: Instant,
        limit: usize,
        second: u64,
        answered: usize,
    }

    impl Limited {
        fn ask(&mut self, now: Instant) -> bool {
            let second = now.saturating_duration_since(self.begun).as_secs();
            if second != self.second {
                (self.second, self.answered) = (second, 0);
            }
            self.answered += 1;
            self.answered <= self.limit
        }
    }

    /// Sends `requests` by turns, so many at once, until all are answered. Returns how long that took, and how many were
    /// refused.
    fn send(requests: usize, at_once: usize, limit: usize) -> (Duration, usize) {
        let begun = Instant::now();
        let mut registry = Limited { begun, limit, second: 0, answered: 0 };
        let (mut turns, mut now, mut open, mut refused) = (Turns::default(), begun, requests, 0);
        while open > 0 {
            let sent: Vec<_> = (0..at_once.min(open)).map(|_| (turns.take(now), now)).collect();
            for (turn, asked) in sent {
                let at = asked + turn.wait;
                if !turns.counts(turn) {
                    continue;
                }
                now = now.max(at);
                if registry.ask(at) {
                    turns.answered(at);
                    open -= 1;
                } else {
                    turns.refused(at, Some(Duration::from_secs(1)), at);
                    refused += 1;
                }
            }
        }
        (now - begun, refused)
    }

    #[test]
    fn one_refusal_of_few_requests_is_only_waited_for() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.answered(now);
        turns.refused(now, Some(Duration::from_secs(2)), now);
        let later = now + Duration::from_secs(2);
        turns.take(later);
        assert_eq!(turns.take(later).wait, Duration::ZERO, "nobody asked too fast");
        turns.refused(later, Some(Duration::ZERO), later);
        turns.take(later);
        assert!(turns.take(later).wait > Duration::ZERO, "it may be that few are allowed");
    }

    #[test]
    fn requests_come_about_as_fast_as_they_are_answered() {
        for limit in [1, 3, 10, 100] {
            let (took, refused) = send(limit * 20, 32, limit);
            assert!(took <= Duration::from_secs(50), "{limit}: {took:?}");
            assert!(refused <= 20, "{limit}: {refused} of {} were refused", limit * 20);
        }
    }

    #[test]
    fn nobody_waits_where_nothing_is_refused() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(turns.take(now).wait, Duration::ZERO);
            turns.answered(now);
        }
        assert_eq!((turns.count(), turns.answers.len()), (1_000, MOST_COUNTED));
    }

    #[test]
    fn one_refusal_counts_of_those_that_were_sent_together() {
        let (mut turns, sent) = (Turns::default(), Instant::now());
        let now = sent + Duration::from_millis(10);
        for _ in 0..3 {
            turns.answered(now);
        }
        for _ in 0..29 {
            turns.refused(sent, Some(Duration::from_secs(1)), now);
        }
        let third = Duration::from_secs(1) / 3;
        assert_eq!(turns.interval, Some(third));
        let waits: Vec<_> = (0..3).map(|_| turns.take(now).wait).collect();
        assert_eq!(waits, [Duration::from_secs(1), Duration::from_secs(1) + third, Duration::from_secs(1) + 2 * third]);
        // One that tells of hours does not stop the requests that others are to wait for.
        turns.refused(now, Some(Duration::MAX), now);
        assert_eq!(turns.interval.map(|interval| interval >= third), Some(true));
    }

    #[test]
    fn whoever_comes_after_a_pause_is_the_only_one_in_its_second() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let sent = [0, 10, 1_009, 2_009].map(|ms| turns.send(now + Duration::from_millis(ms)).is_only);
        assert_eq!(sent, [false, false, false, true]);
    }

    #[test]
    fn whoever_is_no_longer_refused_comes_faster_until_nobody_waits() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        for _ in 0..2 {
            turns.refused(now, Some(Duration::from_secs(1)), now);
        }
        for _ in 0..22 {
            turns.answered(now);
        }
        assert!(turns.interval.is_some_and(|interval| interval <= Duration::from_millis(510)));
        for _ in 0..400 {
            turns.answered(now);
        }
        assert_eq!(turns.interval, None);
    }
}
