//! Numbers and times, as people read them.

use moorage_domain::Timestamp;
use serde_json::Value;

use crate::{clock::now, output::text::cut};

/// `1.2 GB`, in powers of a thousand.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut whole, mut tenth, mut unit) = (number, 0, 0);
    while whole >= 1_000 && unit + 1 < UNITS.len() {
        tenth = whole % 1_000 / 100;
        whole /= 1_000;
        unit += 1;
    }
    if unit == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenth} {}", UNITS[unit])
    }
}

/// `3m12s`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago a moment of an answer is.
pub(crate) fn age(moment: Option<&str>) -> String {
    let Some(moment) = moment.and_then(Timestamp::parse_iso) else { return "-".to_owned() };
    let seconds = now().unix().saturating_sub(moment.unix());
    match u64::try_from(seconds) {
        Ok(seconds) => format!("{} ago", duration(seconds)),
        Err(_) => format!("in {}", duration(seconds.unsigned_abs())),
    }
}

/// `11-29 08:39`: of a moment of an answer; the year is that of the day.
pub(crate) fn clock(moment: Option<&str>) -> String {
    let Some(moment) = moment else { return "-".to_owned() };
    moment.get(5..16).map_or_else(|| moment.to_owned(), |part| part.replace('T', " "))
}

/// `2026-11-29 08:39:05`.
pub(crate) fn day_and_time(moment: &str) -> String {
    moment.trim_end_matches('Z').replace('T', " ")
}

/// `1 tag`, `2 tags`.
pub(crate) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A digest's beginning, which people tell images apart by.
pub(crate) fn short(digest: Option<&Value>) -> String {
    let digest = digest.and_then(Value::as_str).unwrap_or("-");
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    cut(hex, 13).trim_end_matches('…').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_250_000, "1.2 MB"),
            (123_456_789, "123 MB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        for (seconds, text) in [(0, "0s"), (61, "1m01s"), (3_660, "1h01m"), (200_000, "2d")] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(clock(Some("2026-11-29T08:39:05Z")), "11-29 08:39");
        assert_eq!(day_and_time("2026-11-29T08:39:05Z"), "2026-11-29 08:39:05");
        assert_eq!((count(1, "tag"), count(0, "tag")), ("1 tag".into(), "0 tags".into()));
        assert_eq!(short(Some(&json!("sha256:0123456789abcdef"))), "0123456789ab");
        assert_eq!((age(None), clock(None)), ("-".into(), "-".into()));
    }
}
