//! A registry's limit, as its answers tell it.

use std::{
    cmp::Reverse,
    time::{Duration, SystemTime},
};

use moorage_domain::{
    RateLimit, Timestamp,
    rate_limit::{LONGEST_RESET, UNTOLD_RESET, UNTOLD_WAIT},
};
use reqwest::{StatusCode, header::HeaderMap};

use crate::{
    quota::{self, Quota},
    retry::retry_after,
};

/// What is left, when it begins anew, and how much it is in all, in headers apart: Docker Hub's and the first drafts' names, and the ones from
/// before there were drafts.
const APART: [(&str, &str, &str); 3] = [
    ("ratelimit-remaining", "ratelimit-reset", "ratelimit-limit"),
    ("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit"),
    ("x-rate-limit-remaining", "x-rate-limit-reset", "x-rate-limit-limit"),
];
/// A reset above this is a moment, in seconds since 1970, and not a number of seconds from now; a thousand times that, a
/// moment in milliseconds; and so on to nanoseconds.
const EARLIEST_MOMENT: u64 = 1_000_000_000;

/// Now, in whole seconds.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

/// A moment that lies at least `wait` ahead.
pub(crate) fn after(wait: Duration) -> Timestamp {
    now().plus(wait.saturating_add(Duration::from_secs(1)))
}

/// What an answer says of the limit, if anything: `RateLimit-Remaining: 76;w=21600` as Docker Hub writes it, with or
/// without `RateLimit-Reset`; `RateLimit` of any draft; `X-RateLimit-Remaining`. Of several allowances the strictest
/// counts: the one of which least is left, and of these the one that begins anew last.
/// Of a refusal it is only what is left; of a success also that the registry is open, if anything is.
pub(crate) fn observe(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<RateLimit> {
    let texts = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let structured = texts("ratelimit").flat_map(quota::structured);
    let apart = APART.iter().flat_map(|(remaining, reset, limit)| {
        let resets: Vec<_> = texts(*reset).flat_map(resets).collect();
        let limits: Vec<_> = texts(*limit).flat_map(quota::numbers).filter_map(|limit| limit.remaining).collect();
        let told: Vec<_> = texts(*remaining).flat_map(quota::numbers).collect();
        told.into_iter().enumerate().map(move |(nth, told)| {
            let reset = told.reset.or_else(|| resets.get(nth).or(resets.last()).copied());
            Quota { reset, limit: told.limit.or_else(|| limits.get(nth).copied()), ..told }
        })
    });
    let told = structured.chain(apart).filter_map(|quota| {
        // A window without a reset slides: a part of it is back before its end.
        let window = || quota.window.map(|window| window.min(UNTOLD_RESET.as_secs()));
        let reset = quota.reset.or_else(window);
        Some((quota.remaining?, reset.map(|reset| begins_anew(reset, now)), quota))
    });
    let begins = |reset: Option<Timestamp>| reset.unwrap_or(now.plus(UNTOLD_RESET));
    let (remaining, resets_at, quota) =
        told.min_by_key(|(remaining, reset, _)| (*remaining, Reverse(begins(*reset))))?;
    let open_at = if status.is_success() && remaining > 0 { now } else { Timestamp::default() };
    let (limit, window_seconds) = (quota.limit, quota.window);
    let seen = RateLimit { seen_at: now, remaining: Some(remaining), resets_at, open_at, ..RateLimit::default() };
    Some(RateLimit { limit, window_seconds, ..seen })
}

/// The resets of a header: a list of numbers, or one date.
fn resets(text: &str) -> Vec<u64> {
    let numbers: Vec<_> = quota::numbers(text).into_iter().filter_map(|number| number.remaining).collect();
    if numbers.is_empty() { quota::reset(text, SystemTime::now()).into_iter().collect() } else { numbers }
}

/// The moment that a reset names, in seconds from now or since 1970 in one of four units; not later than is believed.
fn begins_anew(reset: u64, now: Timestamp) -> Timestamp {
    let mut moment = reset;
    while moment >= EARLIEST_MOMENT.saturating_mul(1_000) {
        moment /= 1_000;
    }
    let moment = match i64::try_from(moment) {
        Ok(moment) if reset >= EARLIEST_MOMENT => Timestamp::from_unix(moment),
        _ => now.plus(Duration::from_secs(reset)),
    };
    moment.min(now.plus(LONGEST_RESET))
}

/// Until when an answer asks to be left alone: a refusal (429) always does, an overloaded server (503) if it says so.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<Timestamp> {
    let untold = Some(after(UNTOLD_WAIT)).filter(|_| status == StatusCode::TOO_MANY_REQUESTS);
    told(status, headers).or(untold)
}

/// As [`refusal`], if the answer itself says until when.
pub(crate) fn told(status: StatusCode, headers: &HeaderMap) -> Option<Timestamp> {
    let told = retry_after(headers, SystemTime::now()).map(after);
    match status.as_u16() {
        429 => told.or_else(|| observe(status, headers, now())?.resets_at),
        503 => told,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, RETRY_AFTER};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn limits_in_every_form() {
        let now = Timestamp::from_unix(2_000_000_000);
        for (pairs, remaining, reset) in [
            (&[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")][..], 76, Some(3_600)),
            (&[("ratelimit-remaining", "5"), ("ratelimit-reset", "30")], 5, Some(30)),
            (&[("ratelimit-remaining", "5;w=60")], 5, Some(60)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2000000090")], 0, Some(90)),
            (&[("ratelimit", "\"default\";r=50;t=30")], 50, Some(30)),
            (&[("ratelimit-remaining", "5")], 5, None),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2000000090123")], 0, Some(90)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2000000090123456")], 0, Some(90)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2000000090123456789")], 0, Some(90)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2500000000")], 0, Some(86_400)),
            (&[("ratelimit-remaining", "0"), ("ratelimit-reset", "18446744073709551615")], 0, Some(86_400)),
            (&[("ratelimit-remaining", "0;w=18446744073709551615")], 0, Some(3_600)),
            (&[("ratelimit", "\"default\";r=0;t=999999999")], 0, Some(86_400)),
            (&[("ratelimit", "limit=100, remaining=0, reset=30")], 0, Some(30)),
            (&[("ratelimit", "\"minute\";r=9;t=30, \"day\";r=0;t=7200")], 0, Some(7_200)),
            (&[("ratelimit", "\"minute\";r=9;t=30"), ("ratelimit", "\"day\";r=0;t=7200")], 0, Some(7_200)),
            (&[("ratelimit", "\"a\";r=0;t=30, \"b\";r=0;t=60, \"c\";r=0;t=45")], 0, Some(60)),
            (&[("ratelimit", "\"a\";r=9;t=30"), ("x-ratelimit-remaining", "3")], 3, None),
            (&[("ratelimit-remaining", "5, 0"), ("ratelimit-reset", "30, 60")], 0, Some(60)),
            (&[("ratelimit-remaining", "5, 0"), ("ratelimit-reset", "30")], 0, Some(30)),
            (&[("ratelimit-remaining", "5;w=60"), ("x-ratelimit-remaining", "7")], 5, Some(60)),
            (&[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "Wed, 18 May 2033 03:34:50 GMT")], 0, Some(90)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "99999999999999999999")], 0, Some(86_400)),
        ] {
            let seen = observe(StatusCode::OK, &headers(pairs), now).unwrap();
            assert_eq!((seen.seen_at, seen.remaining, seen.blocked_until), (now, Some(remaining), None), "{pairs:?}");
            assert_eq!(seen.resets_at, reset.map(|reset| now.plus(Duration::from_secs(reset))), "{pairs:?}");
            let open_at = if remaining > 0 { now } else { Timestamp::default() };
            assert_eq!(seen.open_at, open_at, "{pairs:?}");
            let refused = observe(StatusCode::TOO_MANY_REQUESTS, &headers(pairs), now).unwrap();
            assert_eq!(refused, RateLimit { open_at: Timestamp::default(), ..seen });
        }
        for pairs in [&[][..], &[("ratelimit-remaining", "many")], &[("ratelimit", "\"default\";q=9")]] {
            assert_eq!(observe(StatusCode::OK, &headers(pairs), now), None, "{pairs:?}");
        }
    }

    #[test]
    fn the_whole_and_its_window_are_told_where_they_are_said() {
        for (pairs, limit, window) in [
            (&[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")][..], Some(100), Some(21_600)),
            (&[("ratelimit-limit", "100, 50"), ("ratelimit-remaining", "9, 3")], Some(50), None),
            (&[("ratelimit", "limit=100, remaining=0, reset=30")], Some(100), None),
            (&[("ratelimit", "\"a\";q=10;w=60;r=9, \"b\";q=500;w=86400;r=7")], Some(500), Some(86_400)),
            (&[("x-ratelimit-limit", "none"), ("x-ratelimit-remaining", "5")], None, None),
        ] {
            let seen = observe(StatusCode::OK, &headers(pairs), Timestamp::from_unix(2_000_000_000)).unwrap();
            assert_eq!((seen.limit, seen.window_seconds), (limit, window), "{pairs:?}");
        }
    }

    #[test]
    fn only_refusals_make_us_wait() {
        let until = |status: u16, headers: &HeaderMap| {
            refusal(StatusCode::from_u16(status).unwrap(), headers).map(|until| until.unix() - now().unix())
        };
        let told = HeaderMap::from_iter([(RETRY_AFTER, "120".parse().unwrap())]);
        for status in [429, 503] {
            assert!((120..=121).contains(&until(status, &told).unwrap()));
        }
        assert!((60..=61).contains(&until(429, &HeaderMap::new()).unwrap()));
        assert!((299..=300).contains(&until(429, &headers(&[("ratelimit", "\"a\";r=0;t=300")])).unwrap()));
        assert_eq!((until(503, &HeaderMap::new()), until(500, &told)), (None, None));
        let for_ever = HeaderMap::from_iter([(RETRY_AFTER, u64::MAX.to_string().parse().unwrap())]);
        assert!(until(429, &for_ever).unwrap() > 0);
    }
}
