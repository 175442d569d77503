//! What a registry allows one identity: how much is left, and when there is more.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How long a registry is left alone that refuses (429) and does not say for how long.
pub const UNTOLD_WAIT: Duration = Duration::from_secs(60);
/// How long an allowance that does not say when it begins anew is taken for used up, at most: windows of several hours
/// mostly slide, so that a part is back much earlier.
pub const UNTOLD_RESET: Duration = Duration::from_secs(3600);
/// The latest beginning of a new allowance that is believed, from when it was told: no registry counts by more than days.
pub const LONGEST_RESET: Duration = Duration::from_secs(86_400);
/// The longest wait that is believed. A registry that asks for more is misconfigured, or wants to be rid of us.
pub const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
/// How long a wait goes on after an answer that was no refusal, although it had been told to be longer. It is no shorter,
/// because that may have been the answer to what was asked before the refusal.
pub const WAIT_AFTER_ANSWER: Duration = UNTOLD_WAIT;

/// A registry's limit as it was last seen. Every sync with the same identity at the same registry uses up the same
/// allowance, so what one of them saw last holds for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateLimit {
    /// When the registry last said anything of it.
    pub seen_at: Timestamp,
    /// How many more manifests may be fetched, if it says so.
    pub remaining: Option<u64>,
    /// When there are more again: until then `remaining` only falls.
    pub resets_at: Option<Timestamp>,
    /// Until when it wants to be asked nothing at all.
    pub blocked_until: Option<Timestamp>,
    /// When it said so, if that is known; else the beginning of 1970.
    pub blocked_at: Timestamp,
    /// When an answer that was no refusal last said that more may be fetched.
    pub open_at: Timestamp,
    /// When an answer that was no refusal last came during a block.
    pub answered_at: Timestamp,
    /// How many manifests may be fetched in a whole window, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How long a window is, in seconds, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
}

/// What was left of an allowance when its registry last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// How many more manifests may be fetched.
    pub remaining: u64,
    /// How many in a whole window, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How long a window is, in seconds, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// When it told.
    pub at: Timestamp,
}

/// Whether a manifest may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// It may.
    Open,
    /// Not before one of those on their way has come back: together they may use up what is left.
    Wait,
    /// Not before this moment.
    Until(Timestamp),
}

impl RateLimit {
    /// Until when nothing may be asked, if that lies ahead, and not so far that it is not believed.
    pub fn blocked(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked_until.filter(|until| *until > now && *until <= now.plus(LONGEST_WAIT))
    }

    /// Whether an answer ends a block. One of which nobody knows when it was told ends by itself.
    fn ends(open_at: Timestamp, blocked_at: Timestamp) -> bool {
        blocked_at != Timestamp::default() && open_at > blocked_at
    }

    /// What was left when it was last told, if that was not before `since`.
    pub fn left(&self, since: Timestamp) -> Option<Left> {
        let remaining = self.remaining.filter(|_| self.seen_at >= since)?;
        Some(Left { remaining, limit: self.limit, window_seconds: self.window_seconds, at: self.seen_at })
    }

    /// Whether what was told still holds: the allowance has not begun anew since, or nothing may be asked.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.blocked(now).is_some() || self.remaining.is_some() && self.begins_anew() > now
    }

    /// When there are more manifests again: as it was told, or as long as is believed.
    fn begins_anew(&self) -> Timestamp {
        let latest = self.seen_at.plus(LONGEST_RESET);
        self.resets_at.unwrap_or(self.seen_at.plus(UNTOLD_RESET)).min(latest)
    }

    /// Whether one more manifest may be fetched while `in_flight` are on their way, if at least `floor` are to be left
    /// for others.
    pub fn allowance(&self, in_flight: u64, floor: u64, now: Timestamp) -> Allowance {
        if let Some(until) = self.blocked(now) {
            return Allowance::Until(until);
        }
        let resets_at = self.begins_anew();
        match self.remaining {
            Some(remaining) if resets_at > now && remaining.saturating_sub(in_flight) <= floor => {
                if in_flight > 0 && remaining > floor { Allowance::Wait } else { Allowance::Until(resets_at) }
            }
            _ => Allowance::Open,
        }
    }

    /// What both know together: the later word on what is left, of one second the lesser, because answers overtake each
    /// other; and the longer wait, unless an answer that came after it was told shows that it is over.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let age = |limit: &Self| (limit.seen_at, std::cmp::Reverse(limit.remaining.unwrap_or(u64::MAX)));
        let latest = if age(&other) >= age(&self) { other } else { self };
        let open_at = self.open_at.max(other.open_at);
        let answered_at = self.answered_at.max(other.answered_at);
        let lowered = |until: Timestamp, told: Timestamp| {
            let is_answered = Self::ends(answered_at, told);
            if is_answered { until.min(answered_at.plus(WAIT_AFTER_ANSWER)) } else { until }
        };
        let blocks = [self, other].map(|limit| (limit.blocked_until, limit.blocked_at));
        let blocks = blocks.map(|(until, told)| (until.map(|until| lowered(until, told)), told));
        let block = blocks.into_iter().filter(|(_, told)| !Self::ends(open_at, *told)).max();
        let (blocked_until, blocked_at) = block.unwrap_or_default();
        Self { blocked_until, blocked_at, open_at, answered_at, ..latest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn left(remaining: u64) -> RateLimit {
        let (seen_at, remaining, resets_at) = (at(100), Some(remaining), Some(at(200)));
        RateLimit { seen_at, remaining, resets_at, ..RateLimit::default() }
    }

    #[test]
    fn an_answer_that_says_nothing_of_limits_shortens_a_block() {
        let far = at(1_000).plus(LONGEST_WAIT);
        let blocked = RateLimit { blocked_until: Some(far), blocked_at: at(1_000), ..RateLimit::default() };
        let answered = |seconds| RateLimit { answered_at: at(seconds), ..RateLimit::default() };
        for (when, until) in [(999, far), (1_000, far), (1_001, at(1_001).plus(WAIT_AFTER_ANSWER))] {
            for merged in [blocked.merged(answered(when)), answered(when).merged(blocked)] {
                assert_eq!(merged.blocked_until, Some(until), "{when}");
                assert_eq!(merged.merged(blocked).blocked_until, Some(until), "the table's copy is older");
            }
        }
        let soon = RateLimit { blocked_until: Some(at(1_005)), ..blocked };
        assert_eq!(soon.merged(answered(1_001)).blocked_until, Some(at(1_005)), "it is never prolonged");
        let again = RateLimit { blocked_until: Some(at(5_000)), blocked_at: at(1_002), ..RateLimit::default() };
        assert_eq!(
            blocked.merged(answered(1_001)).merged(again).blocked_until,
            Some(at(5_000)),
            "a later refusal counts"
        );
    }

    #[test]
    fn what_is_left_is_used_down_to_the_floor() {
        for (remaining, in_flight, floor, now, expected) in [
            (5, 0, 0, 150, Allowance::Open),
            (5, 4, 0, 150, Allowance::Open),
            (5, 5, 0, 150, Allowance::Wait),
            (0, 3, 0, 150, Allowance::Until(at(200))),
            (0, 0, 0, 150, Allowance::Until(at(200))),
            (50, 0, 50, 150, Allowance::Until(at(200))),
            (51, 0, 50, 150, Allowance::Open),
            (51, 1, 50, 150, Allowance::Wait),
            (0, 0, 50, 200, Allowance::Open),
        ] {
            assert_eq!(left(remaining).allowance(in_flight, floor, at(now)), expected, "{remaining} {in_flight} {now}");
        }
        assert_eq!(RateLimit::default().allowance(1_000, 50, at(0)), Allowance::Open, "nothing is known");
        let untold = RateLimit { resets_at: None, ..left(0) };
        assert_eq!(untold.allowance(0, 0, at(150)), Allowance::Until(at(100).plus(UNTOLD_RESET)));
    }

    #[test]
    fn a_refusal_counts_whatever_is_left() {
        let blocked = RateLimit { blocked_until: Some(at(300)), ..left(1_000) };
        assert_eq!(blocked.allowance(0, 0, at(299)), Allowance::Until(at(300)));
        assert_eq!((blocked.blocked(at(299)), blocked.blocked(at(300))), (Some(at(300)), None));
    }

    #[test]
    fn the_later_word_counts() {
        let (early, late) = (left(9), RateLimit { seen_at: at(120), ..left(3) });
        assert_eq!((early.merged(late).remaining, late.merged(early).remaining), (Some(3), Some(3)));
        assert_eq!((left(3).merged(left(4)).remaining, left(4).merged(left(3)).remaining), (Some(3), Some(3)));
        let blocked = RateLimit { blocked_until: Some(at(300)), ..early };
        assert_eq!(blocked.merged(late), RateLimit { blocked_until: Some(at(300)), ..late });
        assert_eq!(late.merged(blocked), blocked.merged(late));
    }

    #[test]
    fn a_later_success_ends_a_block() {
        let blocked = RateLimit { blocked_until: Some(at(9_000)), blocked_at: at(100), ..RateLimit::default() };
        for (open_at, is_blocked) in [(99, true), (100, true), (101, false)] {
            let open = RateLimit { open_at: at(open_at), ..left(5) };
            for merged in [open.merged(blocked), blocked.merged(open)] {
                assert_eq!(merged.blocked(at(150)).is_some(), is_blocked, "{open_at}");
                assert_eq!(merged.merged(blocked).blocked(at(150)).is_some(), is_blocked, "it stays ended");
            }
        }
        let untold = RateLimit { blocked_at: Timestamp::default(), ..blocked };
        let open = RateLimit { open_at: at(101), ..left(5) };
        assert_eq!(open.merged(untold).blocked(at(150)), Some(at(9_000)), "nobody knows when it was told");
        let again = RateLimit { blocked_until: Some(at(300)), blocked_at: at(102), ..RateLimit::default() };
        assert_eq!(open.merged(blocked).merged(again).blocked(at(150)), Some(at(300)), "a new refusal counts");
    }

    #[test]
    fn moments_that_are_too_far_away_are_not_believed() {
        let far = RateLimit { resets_at: Some(at(i64::MAX)), ..left(0) };
        assert_eq!(far.allowance(0, 0, at(150)), Allowance::Until(at(100).plus(LONGEST_RESET)));
        let blocked = RateLimit { blocked_until: Some(at(i64::MAX)), ..left(9) };
        assert_eq!(blocked.allowance(0, 0, at(150)), Allowance::Open);
    }

    #[test]
    fn what_is_left_is_told_as_long_as_it_holds() {
        let limit = RateLimit { limit: Some(100), window_seconds: Some(21_600), ..left(9) };
        let told = Left { remaining: 9, limit: Some(100), window_seconds: Some(21_600), at: limit.seen_at };
        assert_eq!(
            (limit.left(limit.seen_at), limit.left(limit.seen_at.plus(Duration::from_secs(1)))),
            (Some(told), None)
        );
        assert_eq!(RateLimit::default().left(at(0)), None, "nothing was told");
        let reset = limit.resets_at.unwrap().unix();
        assert!(limit.is_current(at(reset - 1)) && !limit.is_current(at(reset)));
        let blocked = RateLimit { blocked_until: Some(at(reset + 5)), ..RateLimit::default() };
        assert!(blocked.is_current(at(reset)) && !blocked.is_current(at(reset + 5)));
        assert!(!RateLimit::default().is_current(at(0)));
    }
}
