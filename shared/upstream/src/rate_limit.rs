//! A registry's limit, as its answers tell it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moorage_domain::{
    RateLimit, Timestamp,
    rate_limit::{LONGEST_RESET, UNTOLD_RESET, UNTOLD_WAIT},
};
use reqwest::{StatusCode, header::HeaderMap};

use crate::retry::retry_after;

/// Docker Hub's and the first drafts' names, and the ones from before there were drafts.
const REMAINING: [&str; 2] = ["ratelimit-remaining", "x-ratelimit-remaining"];
const RESET: [&str; 2] = ["ratelimit-reset", "x-ratelimit-reset"];
/// A reset above this is a moment, in seconds since 1970, and not a number of seconds from now; a thousand times that, a
/// moment in milliseconds; and so on to nanoseconds.
const EARLIEST_MOMENT: u64 = 1_000_000_000;

/// Now, in whole seconds.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A moment that lies at least `wait` ahead.
pub(crate) fn after(wait: Duration) -> Timestamp {
    now().plus(wait.saturating_add(Duration::from_secs(1)))
}

/// What an answer says of the limit, if anything: `RateLimit-Remaining: 76;w=21600` as Docker Hub writes it, with or
/// without `RateLimit-Reset`; or `RateLimit: "default";r=76;t=300` (IETF draft ratelimit-headers-09).
/// Of a refusal it is only what is left; of a success also that the registry is open, if anything is.
pub(crate) fn observe(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<RateLimit> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let field = text("ratelimit").and_then(|text| Some((parameter(text, "r")?, text)));
    let (remaining, reset) = if let Some((remaining, text)) = field {
        (remaining, parameter(text, "t"))
    } else {
        let value = REMAINING.iter().find_map(|name| text(name))?;
        let reset = RESET.iter().find_map(|name| text(name)).and_then(|text| text.trim().parse().ok());
        // A window without a reset slides: a part of it is back before its end.
        let window = || parameter(value, "w").map(|window| window.min(UNTOLD_RESET.as_secs()));
        (value.split(';').next()?.trim().parse().ok()?, reset.or_else(window))
    };
    let open_at = if status.is_success() && remaining > 0 { now } else { Timestamp::default() };
    let resets_at = reset.map(|reset| begins_anew(reset, now));
    Some(RateLimit { seen_at: now, remaining: Some(remaining), resets_at, open_at, ..RateLimit::default() })
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
    let told = retry_after(headers, SystemTime::now()).map(after);
    match status.as_u16() {
        429 => told.or_else(|| observe(status, headers, now())?.resets_at).or(Some(after(UNTOLD_WAIT))),
        503 => told,
        _ => None,
    }
}

/// A parameter of a structured field: `;name=5`.
fn parameter(text: &str, name: &str) -> Option<u64> {
    let mut parameters = text.split([';', ',']).filter_map(|parameter| parameter.split_once('='));
    parameters.find(|(key, _)| key.trim() == name).and_then(|(_, value)| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, RETRY_AFTER};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
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
