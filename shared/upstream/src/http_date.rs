//! Dates of HTTP in their three forms (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`, the obsolete one of RFC 850,
//! `Sunday, 06-Nov-94 08:49:37 GMT`, and that of C's `asctime`, `Sun Nov  6 08:49:37 1994`.

use time::{Date, Month, OffsetDateTime, Time};

/// The months, as all forms write them.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// A year of two digits that would be so many years ahead is of the century before.
const MOST_AHEAD: i32 = 50;

/// A moment, if the text is a date of HTTP: a time, a month by its name, and two numbers, first the day, then the year. What
/// else there is, the day of the week and the zone, says nothing new.
pub(crate) fn parse(text: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let words = text.split([' ', ',', '-', '\t']).filter(|word| !word.is_empty());
    let (mut at, mut month, mut day, mut year) = (None, None, None, None);
    for word in words {
        if word.contains(':') {
            at = at.or(Some(time(word)?));
        } else if word.starts_with(|first: char| first.is_ascii_digit()) {
            if day.is_none() {
                day = Some(word.parse::<u8>().ok()?);
            } else if year.is_none() {
                year = Some(full(word, now.year())?);
            } else {
                return None;
            }
        } else if month.is_none() && word.len() == 3 {
            month = MONTHS.iter().position(|name| word.eq_ignore_ascii_case(name));
        }
    }
    let month = Month::try_from(u8::try_from(month?.checked_add(1)?).ok()?).ok()?;
    let date = Date::from_calendar_date(year?, month, day?).ok()?;
    Some(date.with_time(at?).assume_utc())
}

/// Hours, minutes and seconds; a leap second is the one before it.
fn time(word: &str) -> Option<Time> {
    let mut numbers = word.split(':').map(|number| number.parse::<u8>().ok());
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() {
        None
    } else {
        Time::from_hms(hour, minute, if second == 60 { 59 } else { second }).ok()
    }
}

/// A year, of which RFC 850 writes two digits.
fn full(word: &str, now: i32) -> Option<i32> {
    let year: i32 = word.parse().ok()?;
    match word.len() {
        4 => Some(year),
        2 => {
            let year = now.checked_sub(now.rem_euclid(100))?.checked_add(year)?;
            Some(if year > now.checked_add(MOST_AHEAD)? { year.checked_sub(100)? } else { year })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        for (text, unix) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("sun, 06 nov 1994 08:49:37 gmt", Some(784_111_777)),
            ("Saturday, 16-Jan-27 08:00:00 GMT", Some(1_800_086_400)),
            ("Thu, 31 Dec 1998 23:59:60 GMT", Some(915_148_799)),
            ("Sun, 06 Nov 1994", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("Sun, 06 Nov 19940 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT 7", None),
            ("Sun, 99999999999 Nov 1994 08:49:37 GMT", None),
            ("06 11 1994 08:49:37", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse(text, now).map(OffsetDateTime::unix_timestamp), unix, "{text}");
        }
    }
}
