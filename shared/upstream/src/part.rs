//! Parts of a blob: what is asked for, and whether what comes is that.

use std::ops::Range;

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

/// What `Content-Range: bytes 5-9/10` says (RFC 9110, 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first byte.
    pub(crate) first: u64,
    /// The last byte, not before the first.
    pub(crate) last: u64,
    /// The length of the whole, above the last byte, if it is told.
    pub(crate) total: Option<u64>,
}

/// Asks for a range that is not empty. Some registries take both ends only.
pub(crate) fn range(range: &Range<u64>) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("bytes={}-{}", range.start, range.end.saturating_sub(1))).ok()
}

/// How many bytes come of a part of a blob of `size` bytes that was asked for; nothing if it is not that, or nobody knows.
/// A server may send less than was asked for, from the same byte on.
pub(crate) fn usable(headers: &HeaderMap, asked: &Range<u64>, size: u64) -> Option<u64> {
    let is_multipart = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().starts_with(b"multipart/");
    if headers.get(CONTENT_TYPE).is_some_and(is_multipart) {
        return None;
    }
    let part = content_range(headers)?;
    let is_asked = part.first == asked.start && part.last < asked.end && part.total.is_none_or(|total| total == size);
    let length = part.last.checked_sub(part.first)?.checked_add(1)?;
    let is_told = number(headers, CONTENT_LENGTH).is_none_or(|told| told == length);
    (is_asked && is_told).then_some(length)
}

/// A header that is a number.
pub(crate) fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

pub(crate) fn content_range(headers: &HeaderMap) -> Option<Part> {
    let (unit, rest) = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().split_once(' ')?;
    let (range, total) = rest.split_once('/').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let is_whole = first <= last && total.is_none_or(|total| last < total);
    is_whole.then_some(Part { first, last, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn ranges() {
        let part = |text: &str| content_range(&headers(&[(CONTENT_RANGE, text)]));
        assert_eq!(part("bytes 5-9/10"), Some(Part { first: 5, last: 9, total: Some(10) }));
        assert_eq!(part("Bytes 0-0/*"), Some(Part { first: 0, last: 0, total: None }));
        for text in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes -5/10",
            "bytes */10",
            "items 5-9/10",
            "bytes 5-99999999999999999999/*",
            "bytes 18446744073709551615-0/1",
        ] {
            assert_eq!(part(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_was_asked_for_is_of_use() {
        let (told, length, kind) = (CONTENT_RANGE, CONTENT_LENGTH, CONTENT_TYPE);
        let usable = |pairs: &[(HeaderName, &str)]| usable(&headers(pairs), &(5..10), 20);
        assert_eq!(usable(&[(told.clone(), "bytes 5-9/20")]), Some(5));
        assert_eq!(usable(&[(told.clone(), "bytes 5-9/*"), (length.clone(), "5")]), Some(5));
        assert_eq!(usable(&[(told.clone(), "bytes 5-7/20")]), Some(3), "a server may send less");
        for pairs in [
            &[][..],
            &[(told.clone(), "bytes 0-19/20")],
            &[(told.clone(), "bytes 4-9/20")],
            &[(told.clone(), "bytes 5-10/20")],
            &[(told.clone(), "bytes 5-9/21")],
            &[(told.clone(), "bytes 5-9/20"), (length, "20")],
            &[(told, "bytes 5-9/20"), (kind, "Multipart/byteranges; boundary=x")],
        ] {
            assert_eq!(usable(pairs), None, "{pairs:?}");
        }
    }

    #[test]
    fn both_ends_are_named() {
        assert_eq!(range(&(5..10)).unwrap(), "bytes=5-9");
    }
}
