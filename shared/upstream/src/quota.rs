//! What one header says of one allowance or of several, in the forms of all drafts of `RateLimit` (IETF,
//! draft-ietf-httpapi-ratelimit-headers) and of what came before them.

use std::time::SystemTime;

use time::OffsetDateTime;

use crate::http_date;

/// The most allowances that are read of one header: registries have two or three.
const MAX_QUOTAS: usize = 16;

/// An allowance: how much is left of it, and what is said of when it begins anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) remaining: Option<u64>,
    /// In seconds from now, or as a moment.
    pub(crate) reset: Option<u64>,
    /// The length of the window, in seconds.
    pub(crate) window: Option<u64>,
    /// How much there is in a whole window.
    pub(crate) limit: Option<u64>,
}

/// `RateLimit`: `"a";r=50;t=30, "b";r=0;t=60` (drafts 8 to 10), `limit=100, remaining=0, reset=30` (draft 7), several of
/// both in one header.
pub(crate) fn structured(text: &str) -> Vec<Quota> {
    let mut quotas = vec![Quota::default()];
    for member in split(text, ',') {
        let mut parts = split(member, ';');
        let first = parts.next().unwrap_or_default();
        // An item begins an allowance; of a dictionary, a key that comes again does.
        let begins = match pair(first) {
            None => true,
            Some((key, _)) => {
                let current = quotas.last().copied().unwrap_or_default();
                is_any(key, &LIMIT) && current != Quota::default()
                    || is_any(key, &REMAINING) && current.remaining.is_some()
                    || is_any(key, &RESET) && current.reset.is_some()
            }
        };
        if begins {
            if quotas.len() > MAX_QUOTAS {
                break;
            }
            quotas.push(Quota::default());
        }
        if let Some(quota) = quotas.last_mut() {
            for (key, value) in std::iter::once(first).chain(parts).filter_map(pair) {
                quota.set(key, value);
            }
        }
    }
    quotas
}

/// The numbers of `RateLimit-Remaining` and `RateLimit-Reset` with their parameters: `0;w=21600`, `5, 0;w=60`.
pub(crate) fn numbers(text: &str) -> Vec<Quota> {
    let number = |member: &str| {
        let mut parts = split(member, ';');
        let mut quota = Quota { remaining: number(parts.next()?), ..Quota::default() };
        for (key, value) in parts.filter_map(pair) {
            quota.set(key, value);
        }
        Some(quota)
    };
    split(text, ',').take(MAX_QUOTAS).filter_map(number).collect()
}

/// The names of parameters and keys.
const LIMIT: [&str; 2] = ["limit", "q"];
const REMAINING: [&str; 2] = ["remaining", "r"];
const RESET: [&str; 2] = ["reset", "t"];
const WINDOW: [&str; 2] = ["window", "w"];

impl Quota {
    fn set(&mut self, key: &str, value: &str) {
        let field = if is_any(key, &REMAINING) {
            &mut self.remaining
        } else if is_any(key, &RESET) {
            &mut self.reset
        } else if is_any(key, &WINDOW) {
            &mut self.window
        } else if is_any(key, &LIMIT) {
            &mut self.limit
        } else {
            return;
        };
        *field = field.or(number(value));
    }
}

fn is_any(key: &str, names: &[&str]) -> bool {
    names.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// A whole number of any length; of a fraction the whole part.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.trim().trim_matches('"');
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    // What does not fit is as good as the most that does.
    is_number.then(|| whole.parse().unwrap_or(u64::MAX))
}

/// A reset as a number, or as a date of HTTP, in seconds since 1970.
pub(crate) fn reset(text: &str, now: SystemTime) -> Option<u64> {
    let date = || u64::try_from(http_date::parse(text, OffsetDateTime::from(now))?.unix_timestamp()).ok();
    number(text).or_else(date)
}

fn pair(part: &str) -> Option<(&str, &str)> {
    let part = part.trim();
    if part.starts_with('"') { None } else { part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) }
}

/// The parts between separators that are not in a string.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        character == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(remaining: u64, reset: impl Into<Option<u64>>) -> Quota {
        Quota { remaining: Some(remaining), reset: reset.into(), ..Quota::default() }
    }

    /// Without the whole of each, which has a test of its own.
    fn told(quotas: Vec<Quota>) -> Vec<Quota> {
        let quotas = quotas.into_iter().map(|quota| Quota { limit: None, ..quota });
        quotas.filter(|quota| *quota != Quota::default()).collect()
    }

    #[test]
    fn the_whole_of_an_allowance_is_read_where_it_is_said() {
        for (text, limits) in [
            ("limit=100, remaining=9, reset=30, limit=1000, remaining=0, reset=60", vec![Some(100), Some(1_000)]),
            ("\"a\";q=100;r=7, \"b\";r=5", vec![Some(100), None]),
            ("\"a\";q=many;r=7", vec![None]),
        ] {
            let seen: Vec<_> = structured(text).into_iter().filter(|quota| quota.remaining.is_some()).collect();
            assert_eq!(seen.iter().map(|quota| quota.limit).collect::<Vec<_>>(), limits, "{text}");
        }
    }

    #[test]
    fn allowances_of_all_drafts() {
        for (text, expected) in [
            ("\"default\";r=50;t=30", vec![quota(50, 30)]),
            ("default; R=50; T=30", vec![quota(50, 30)]),
            ("limit=100, remaining=0, reset=30", vec![quota(0, 30)]),
            ("remaining=7,reset=30,limit=100", vec![quota(7, 30)]),
            ("limit=100, remaining=9, reset=30, limit=1000, remaining=0, reset=60", vec![quota(9, 30), quota(0, 60)]),
            ("limit=100; remaining=0; reset=30", vec![quota(0, 30)]),
            ("\"a, r=9;t=1\";r=50;t=30, \"b\\\";r=7\";r=0;t=60", vec![quota(50, 30), quota(0, 60)]),
            ("\"a\";q=100;r=0", vec![quota(0, None)]),
            ("\"a\";r=99999999999999999999999;t=1.5", vec![quota(u64::MAX, 1)]),
            ("\"a\";r=-1;t=soon", vec![]),
            ("garbage", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(told(structured(text)), expected, "{text}");
        }
    }

    #[test]
    fn numbers_with_parameters() {
        let windowed = |remaining, window| Quota { window: Some(window), ..quota(remaining, None) };
        for (text, expected) in [
            ("76;w=21600", vec![windowed(76, 21_600)]),
            ("5, 0;w=60", vec![quota(5, None), windowed(0, 60)]),
            ("5.0", vec![quota(5, None)]),
            ("many", vec![]),
        ] {
            assert_eq!(told(numbers(text)), expected, "{text}");
        }
        assert!(structured(&"a;r=1,".repeat(1_000)).len() <= MAX_QUOTAS + 1);
    }
}
