//! Points in time: whole seconds, UTC.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc2822},
    macros::format_description,
};

/// Quay's mirror dates: `%Y-%m-%dT%H:%M:%SZ`, exactly.
const ISO: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
/// Days in the queries of Quay's logs: `%m/%d/%Y`.
const US_DATE: &[BorrowedFormatItem<'_>] = format_description!("[month padding:none]/[day padding:none]/[year]");
/// What EventBridge Scheduler's `at()` takes.
const AT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// Seconds since 1970-01-01T00:00:00Z. Whole seconds, because a date with a fraction cannot be sent back to the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// The earliest and latest moments that the formats can print: years 0001 to 9999.
const PRINTABLE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

impl Timestamp {
    /// From seconds since the epoch, clamped to what can be printed as a date (years 1 to 9999).
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.clamp(*PRINTABLE.start(), *PRINTABLE.end()))
    }

    /// Seconds since the epoch.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// Parses `2026-01-31T23:59:59Z`, the one format that Quay accepts.
    pub fn parse_iso(text: &str) -> Option<Self> {
        let date = PrimitiveDateTime::parse(text, ISO).ok()?;
        Some(Self::from_unix(date.assume_utc().unix_timestamp()))
    }

    /// Parses a day, `01/31/2026`, as its beginning.
    pub fn parse_us_date(text: &str) -> Option<Self> {
        let date = time::Date::parse(text, US_DATE).ok()?;
        Some(Self::from_unix(date.midnight().assume_utc().unix_timestamp()))
    }

    /// `2026-01-31T23:59:59Z`, as in Quay's mirror answers.
    pub fn iso(self) -> String {
        self.format(ISO)
    }

    /// `2026-01-31T23:59:59`, for a schedule's `at()` expression in UTC.
    pub fn at_expression(self) -> String {
        self.format(AT)
    }

    /// `Sun, 26 Sep 2021 14:22:14 -0000`, as in Quay's robot, tag and log answers.
    pub fn rfc2822(self) -> String {
        // Quay's own writer marks UTC by "-0000"; the library writes the equivalent "+0000".
        let text = self.date().and_then(|date| date.format(&Rfc2822).ok()).unwrap_or_default();
        text.replace("+0000", "-0000")
    }

    /// This moment moved forward.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::from_unix(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// This moment moved backward.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self::from_unix(self.0.saturating_sub(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    fn date(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(self.0).ok()
    }

    fn format(self, format: &[BorrowedFormatItem<'_>]) -> String {
        self.date().and_then(|date| date.format(format).ok()).unwrap_or_default()
    }
}

impl From<SystemTime> for Timestamp {
    /// The whole second that a moment lies in, clamped as by [`Timestamp::from_unix`]. What lies before 1970 is 1970: so far
    /// back only a clock that is wrong goes.
    fn from(moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_back_as_they_came() {
        for text in ["2020-01-01T00:00:00Z", "2026-02-28T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(Timestamp::parse_iso(text).unwrap().iso(), text);
        }
        for text in [
            "2020-01-01",
            "2020-01-01T00:00:00",
            "2020-01-01T00:00:00.5Z",
            "2020-02-30T00:00:00Z",
            "",
            " 2020-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse_iso(text), None, "{text}");
        }
    }

    #[test]
    fn moments_of_a_clock_are_whole_seconds() {
        let at = |seconds, millis| UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis);
        assert_eq!(Timestamp::from(at(784_111_777, 999)), Timestamp::from_unix(784_111_777));
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_secs(1)), Timestamp::from_unix(0));
        assert_eq!(Timestamp::from(at(1 << 60, 0)).iso(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn days_are_american() {
        for text in ["01/31/2026", "1/31/2026"] {
            assert_eq!(Timestamp::parse_us_date(text).unwrap().iso(), "2026-01-31T00:00:00Z");
        }
        for text in ["31/01/2026", "2026-01-31", "02/30/2026", "", "01/31/26"] {
            assert_eq!(Timestamp::parse_us_date(text), None, "{text}");
        }
    }

    #[test]
    fn mail_dates_are_quays() {
        let date = Timestamp::parse_iso("2021-09-26T14:22:14Z").unwrap();
        assert_eq!(date.rfc2822(), "Sun, 26 Sep 2021 14:22:14 -0000");
        assert_eq!(date.at_expression(), "2021-09-26T14:22:14");
    }
}
