//! Schedules in cron's words as starts at an interval.

use moorage_domain::Timestamp;

use crate::import::times::{EPOCH, Starts, duration, interval};

/// Seconds of a week.
const WEEK: u64 = 7 * 86_400;
/// The longest schedule, in bytes.
const LONGEST: usize = 256;
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// Its starts, and how they are others than it says. Its times are taken as UTC's.
pub(crate) fn starts(text: &str) -> Result<(Starts, Option<String>), String> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err("its schedule is longer than any".to_owned());
    }
    if let Some(every) = text.strip_prefix("@every ") {
        let (seconds, is_exact) = duration(every)?;
        let (interval, how) = interval(seconds);
        let how = how.or_else(|| (!is_exact).then(|| format!("it starts every {interval} seconds")));
        return Ok((Starts { interval: Some(interval), first: None }, how));
    }
    let text = match text {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        text => text,
    };
    let fields: Vec<_> = text.split_ascii_whitespace().collect();
    let unreadable = || format!("its schedule {text} cannot be read");
    let (seconds, fields) = match fields.as_slice() {
        [_, _, _, _, _] => ("0", fields.as_slice()),
        // Harbor's begin with seconds.
        [seconds, rest @ ..] if rest.len() == 5 => (*seconds, rest),
        _ => return Err(unreadable()),
    };
    let [minute, hour, day, month, weekday] = fields else { return Err(unreadable()) };
    let second = set(seconds, 0, 59, &[]).and_then(|set| set.first().copied()).ok_or_else(unreadable)?;
    let minutes = set(minute, 0, 59, &[]).ok_or_else(unreadable)?;
    let hours = set(hour, 0, 23, &[]).ok_or_else(unreadable)?;
    let days = set(day, 1, 31, &[]).ok_or_else(unreadable)?;
    let months = set(month, 1, 12, &MONTHS).ok_or_else(unreadable)?;
    let mut weekdays = set(weekday, 0, 7, &DAYS).ok_or_else(unreadable)?;
    for day in &mut weekdays {
        *day %= 7;
    }
    weekdays.sort_unstable();
    weekdays.dedup();
    let has_seconds = seconds.contains(['*', ',', '-', '/']);
    let is_each_day = days.len() == 31 && months.len() == 12;
    // If both kinds of days are said, cron starts on either.
    let weekdays = if is_each_day { weekdays } else { (0..7).collect() };
    let mut moments = Vec::new();
    for day in &weekdays {
        for hour in &hours {
            moments.extend(minutes.iter().map(|minute| ((day * 24 + hour) * 60 + minute) * 60 + second));
        }
    }
    moments.sort_unstable();
    let Some(first) = moments.first().copied() else { return Err(unreadable()) };
    let next = moments.iter().skip(1).copied().chain([first + WEEK]);
    let gaps: Vec<_> = moments.iter().zip(next).map(|(moment, next)| next - moment).collect();
    let gap = gaps.iter().min().copied().unwrap_or(WEEK);
    let is_even = gaps.iter().all(|other| *other == gap);
    let how = if !is_each_day {
        Some(format!("it starts every {gap} seconds, not only on the days of {text}"))
    } else if has_seconds || !is_even {
        Some(format!("it starts every {gap} seconds, as often as the closest starts of {text}, which are not even"))
    } else {
        None
    };
    let first = Timestamp::from_unix(EPOCH.saturating_add(i64::try_from(first).unwrap_or_default()));
    Ok((Starts { interval: Some(gap), first: Some(first) }, how))
}

/// The numbers of a field.
fn set(field: &str, least: u64, most: u64, names: &[&str]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step: u64 = step.map_or(Some(1), |step| step.parse().ok()).filter(|step| *step > 0)?;
        let (from, to) = match range {
            "*" | "?" => (least, if most == 7 { 6 } else { most }),
            _ => match range.split_once('-') {
                Some((from, to)) => (number(from, least, names)?, number(to, least, names)?),
                None if part.contains('/') => (number(range, least, names)?, most),
                None => (number(range, least, names)?, number(range, least, names)?),
            },
        };
        if from < least || to > most || from > to {
            return None;
        }
        let step = usize::try_from(step).ok()?;
        numbers.extend((from..=to).step_by(step));
    }
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

fn number(text: &str, least: u64, names: &[&str]) -> Option<u64> {
    let at = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    match at {
        Some(at) => Some(u64::try_from(at).ok()? + least),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_schedules_are_exact_and_others_are_said_to_be_others() {
        for (text, interval, first) in [
            ("0 3 * * *", 86_400, "2026-01-04T03:00:00Z"),
            ("*/15 * * * *", 900, "2026-01-04T00:00:00Z"),
            ("5 */6 * * *", 21_600, "2026-01-04T00:05:00Z"),
            ("30 1,13 * * *", 43_200, "2026-01-04T01:30:00Z"),
            ("0 2 * * 1", 604_800, "2026-01-05T02:00:00Z"),
            ("0 2 * * SUN", 604_800, "2026-01-04T02:00:00Z"),
            ("0 2 * * 7", 604_800, "2026-01-04T02:00:00Z"),
            ("0 0 2 * * *", 86_400, "2026-01-04T02:00:00Z"),
            ("@hourly", 3_600, "2026-01-04T00:00:00Z"),
            ("* * * * *", 60, "2026-01-04T00:00:00Z"),
        ] {
            let (starts, how) = starts(text).unwrap();
            assert_eq!((starts.interval, starts.first.unwrap().iso().as_str()), (Some(interval), first), "{text}");
            assert_eq!(how, None, "{text}");
        }
        for (text, interval, says) in [
            ("0 1,2 * * *", 3_600, "not even"),
            ("*/7 * * * *", 240, "not even"),
            ("0 0 1 * *", 86_400, "days"),
            ("0 9 * * 1-5", 86_400, "not even"),
            ("*/10 0 0 * * *", 86_400, "not even"),
            ("@monthly", 86_400, "days"),
        ] {
            let (starts, how) = starts(text).unwrap();
            assert_eq!(starts.interval, Some(interval), "{text}");
            assert!(how.unwrap().contains(says), "{text}");
        }
        assert_eq!(starts("@every 90m").unwrap().0, Starts { interval: Some(5_400), first: None });
        for text in
            ["", "* * *", "60 * * * *", "a * * * *", "*/0 * * * *", "5-1 * * * *", "TZ=UTC 0 3 * * *", "@reboot"]
        {
            assert!(starts(text).is_err(), "{text}");
        }
    }
}
