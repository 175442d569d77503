//! When to try again.

use std::time::{Duration, SystemTime};

use rand::Rng;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use time::OffsetDateTime;

use crate::http_date;

/// The first pause.
const BASE: Duration = Duration::from_millis(100);
/// The longest pause of our own making.
const CAP: Duration = Duration::from_secs(5);

/// Whether a status may be another one in a moment.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// Pauses with decorrelated jitter: each is random between [`BASE`] and three times the one before, at most [`CAP`].
/// Many clients that failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(BASE)
    }

    pub(crate) fn next(&mut self, random: &mut impl Rng) -> Duration {
        let upper = (self.0 * 3).clamp(BASE, CAP);
        self.0 = random.random_range(BASE..=upper);
        self.0
    }
}

/// How long an answer asks us to wait: `Retry-After` in seconds or as a date of HTTP in any form (RFC 9110, 10.2.3). Of
/// several the longest counts.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let texts = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    texts.filter_map(|text| wait(text.trim(), now)).max()
}

fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = OffsetDateTime::from(now);
    Some(Duration::try_from(http_date::parse(text, now)? - now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn retry_after_in_all_forms() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(wait("Sunday, 06-Nov-94 08:51:37 GMT"), Some(120));
        assert_eq!(wait("Sun Nov  6 08:51:37 1994"), Some(120));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
        let mut several = HeaderMap::new();
        for text in ["10", "soon", "Sun Nov  6 08:51:37 1994"] {
            several.append(RETRY_AFTER, text.parse().unwrap());
        }
        assert_eq!(retry_after(&several, now), Some(Duration::from_secs(120)));
    }

    #[test]
    fn pauses_stay_in_their_bounds() {
        let (mut backoff, mut random) = (Backoff::new(), rand::rng());
        for _ in 0..1000 {
            let pause = backoff.next(&mut random);
            assert!((BASE..=CAP).contains(&pause));
        }
    }
}
