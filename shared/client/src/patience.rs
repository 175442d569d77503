//! Whether a call is sent again, and when.

use std::time::{Duration, Instant};

use rand::Rng as _;

use crate::{answer::Answer, error::ClientError, limits::Limits, request::Request};

/// The first pause, which doubles with each try.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause that nobody asked for.
const LONGEST: Duration = Duration::from_secs(10);

/// What is left of a call.
#[derive(Debug)]
pub(crate) struct Patience {
    limits: Limits,
    until: Instant,
    tries: u32,
}

impl Patience {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, until: Instant::now() + limits.call, tries: 0 }
    }

    /// For how long the next try may last.
    pub(crate) fn attempt(&mut self) -> Duration {
        self.tries += 1;
        let left = self.until.saturating_duration_since(Instant::now());
        // What is over gets a moment all the same: the caller is told by the connection, not by an arithmetic.
        self.limits.attempt.min(left).max(Duration::from_millis(100))
    }

    /// How long to wait before an answer's call is sent again; nothing if it is not.
    pub(crate) fn after_answer(&self, request: &Request, answer: &Answer) -> Option<Duration> {
        let is_undone = matches!(answer.status, 429 | 503);
        let is_unknown = matches!(answer.status, 502 | 504);
        if request.is_once || !(is_undone || is_unknown && request.is_repeatable) {
            return None;
        }
        // 503 without a time to come back is mostly what no waiting changes, as tags of a mirror that cannot be written.
        self.pause(answer.retry_after.map(Duration::from_secs))
    }

    /// The same after a failure without an answer.
    pub(crate) fn after_failure(&self, request: &Request, error: &ClientError) -> Option<Duration> {
        match error {
            _ if request.is_once => None,
            ClientError::Unreachable { is_unsent, .. } if *is_unsent || request.is_repeatable => self.pause(None),
            _ => None,
        }
    }

    /// What is asked for, or a random part of twice as long each time.
    fn pause(&self, asked: Option<Duration>) -> Option<Duration> {
        if self.tries >= self.limits.tries {
            return None;
        }
        let doubled = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        let pause = asked.unwrap_or_else(|| doubled.mul_f64(rand::rng().random_range(0.5..1.0)));
        (Instant::now() + pause < self.until).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::request::Method;

    fn answer(status: u16, retry_after: Option<u64>) -> Answer {
        Answer { status, body: Value::Null, etag: None, date: None, retry_after }
    }

    #[test]
    fn what_may_be_done_already_is_not_sent_again() {
        let (get, post) = (Request::new(Method::Get, "x"), Request::new(Method::Post, "x"));
        let patience = Patience::new(Limits::default());
        let lost = |is_unsent| ClientError::Unreachable { host: String::new(), why: String::new(), is_unsent };
        for (request, status, is_sent) in [
            (&get, 503, true),
            (&get, 504, true),
            (&get, 500, false),
            (&get, 404, false),
            (&post, 429, true),
            (&post, 503, true),
            (&post, 502, false),
            (&post, 504, false),
        ] {
            assert_eq!(patience.after_answer(request, &answer(status, None)).is_some(), is_sent, "{status}");
        }
        assert!(patience.after_answer(&post.clone().repeatable(), &answer(504, None)).is_some());
        assert!(patience.after_failure(&post, &lost(true)).is_some());
        assert!(patience.after_failure(&post, &lost(false)).is_none());
        assert!(patience.after_failure(&get, &lost(false)).is_some());
        assert!(patience.after_failure(&get, &ClientError::Unauthorized { message: None }).is_none());
        assert!(patience.after_answer(&get.clone().once(), &answer(503, None)).is_none());
        assert!(patience.after_failure(&get.once(), &lost(true)).is_none());
    }

    #[test]
    fn it_waits_as_it_is_told_and_not_for_ever() {
        let get = Request::new(Method::Get, "x");
        let mut patience = Patience::new(Limits { tries: 2, call: Duration::from_secs(30), ..Limits::default() });
        assert_eq!(patience.after_answer(&get, &answer(503, Some(7))), Some(Duration::from_secs(7)));
        assert_eq!(patience.after_answer(&get, &answer(429, Some(31))), None, "longer than the call may last");
        patience.attempt();
        assert!(patience.after_answer(&get, &answer(503, None)).is_some());
        patience.attempt();
        assert_eq!(patience.after_answer(&get, &answer(503, None)), None, "it was sent twice");
    }
}
