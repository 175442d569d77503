//! When mirrors start.

use moorage_domain::Timestamp;
use sha2::{Digest as _, Sha256};

/// Seconds between starts: the least that there can be.
pub(crate) const LEAST: u64 = 60;
/// Seconds between starts: the most.
const MOST: u64 = 3_162_240_000;
/// From when starts count: 2026-01-04T00:00:00Z, a Sunday, with which a week begins for cron.
pub(crate) const EPOCH: i64 = 1_767_484_800;
/// Nanoseconds of a second.
const NANOSECONDS: u128 = 1_000_000_000;

/// When a mirror starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Starts {
    /// Every so many seconds; as often as the API has it without it.
    pub(crate) interval: Option<u64>,
    /// At this moment, and from then on; at any moment without it.
    pub(crate) first: Option<Timestamp>,
}

/// Seconds, and whether they are exactly what was written: Go's `1h30m`, `90s`, `1.5h`.
pub(crate) fn duration(text: &str) -> Result<(u64, bool), String> {
    let wrong = || format!("{text:.40} is no duration");
    let mut rest = text.trim();
    if rest == "0" {
        return Ok((0, true));
    }
    let mut nanoseconds = 0_u128;
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => NANOSECONDS,
            "m" => 60 * NANOSECONDS,
            "h" => 3_600 * NANOSECONDS,
            _ => return Err(wrong()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
            return Err(wrong());
        }
        let read = |digits: &str| if digits.is_empty() { Ok(0) } else { digits.parse::<u64>().map_err(|_| wrong()) };
        let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
        let part = u128::from(read(whole)?).checked_mul(unit).ok_or_else(wrong)?;
        nanoseconds = nanoseconds.checked_add(part).ok_or_else(wrong)?;
        nanoseconds += u128::from(read(fraction)?) * unit / scale;
        rest = after;
    }
    let seconds = u64::try_from(nanoseconds.div_ceil(NANOSECONDS)).map_err(|_| wrong())?;
    Ok((seconds, nanoseconds.is_multiple_of(NANOSECONDS)))
}

/// An interval as it can be here, and how that is another one than is asked for.
pub(crate) fn interval(seconds: u64) -> (u64, Option<String>) {
    let taken = seconds.clamp(LEAST, MOST);
    let how = (taken != seconds).then(|| format!("it starts every {taken} seconds, not every {seconds}"));
    (taken, how)
}

/// The start of a mirror whose source starts at `first` and every `interval` seconds: on the same times of the day, moved by up
/// to `spread` seconds that its name makes. It is always the same one, however far the source has come meanwhile, unless that
/// waits for a moment that is further ahead than an interval.
pub(crate) fn start(name: &str, first: Timestamp, interval: u64, spread: u64, now: Timestamp) -> Timestamp {
    let moved = i64::try_from(offset(name, spread.min(interval))).unwrap_or_default();
    let interval = i64::try_from(interval).unwrap_or(i64::MAX).max(1);
    if first.unix().saturating_sub(now.unix()) > interval {
        return Timestamp::from_unix(first.unix().saturating_add(moved));
    }
    let since = first.unix().saturating_sub(EPOCH).saturating_add(moved).rem_euclid(interval);
    Timestamp::from_unix(EPOCH.saturating_add(since))
}

/// A number below `most` that a name makes; 0, if there is none.
fn offset(name: &str, most: u64) -> u64 {
    let hash = Sha256::digest(name);
    let number = hash.iter().take(8).fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
    number.checked_rem(most).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, expected) in [
            ("60m", (3_600, true)),
            ("1h30m", (5_400, true)),
            ("1.5h", (5_400, true)),
            ("90s", (90, true)),
            (".5m", (30, true)),
            ("1500ms", (2, false)),
            ("0", (0, true)),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for text in ["1", "1d", "h", "-1h", "1h-", "9999999999999999999999h", "1.0000000001s", ".h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(interval(3_600), (3_600, None));
        assert_eq!(interval(30).0, 60);
        assert!(interval(30).1.unwrap().contains("not every 30"));
    }

    #[test]
    fn starts_keep_their_time_of_the_day_are_spread_and_stay() {
        let (day, now) = (86_400, Timestamp::parse_iso("2026-11-29T12:00:00Z").unwrap());
        let at =
            |name: &str, first: &str, spread| start(name, Timestamp::parse_iso(first).unwrap(), day, spread, now).iso();
        assert_eq!(at("a/b", "2020-05-05T03:00:00Z", 0), "2026-01-04T03:00:00Z");
        assert_eq!(at("a/b", "2026-11-30T03:00:00Z", 0), "2026-01-04T03:00:00Z");
        assert_eq!(at("a/b", "2026-12-01T03:00:00Z", 0), "2026-12-01T03:00:00Z", "it waits for that day");
        let spread: std::collections::BTreeSet<_> =
            (0..1_000).map(|number| at(&format!("a/r{number}"), "2026-11-29T03:00:00Z", 3_600)).collect();
        assert!(spread.len() > 850, "{} moments", spread.len());
        assert!(spread.iter().all(|start| start.starts_with("2026-01-04T03:")), "within the hour");
        assert_eq!(at("a/r1", "2026-11-28T03:00:00Z", 3_600), at("a/r1", "2026-11-29T03:00:00Z", 3_600));
    }
}
