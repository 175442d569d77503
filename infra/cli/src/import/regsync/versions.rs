//! regsync's ranges of versions in the gate's dialect. Both differ in what is not written: there, `=1.2` is 1.2.0, `~1` is
//! below 1.1, and prereleases are compared as everything else.

use crate::import::pattern::tags::Versions;

/// Which tags are versions there and not here; said of every entry that has ranges.
pub(super) const OTHERS: &str =
    "tags like 1.2.3.4, 1.2.3-01 or 1.2.3-a_b are versions there and none here: they are not mirrored";

/// The same ranges; none if there are only empty ones.
pub(super) fn translate(ranges: &[String]) -> Result<Option<Versions>, String> {
    let ranges =
        ranges.iter().filter(|range| !range.is_empty()).map(|range| one(range)).collect::<Result<Vec<_>, _>>()?;
    Ok((!ranges.is_empty()).then_some(Versions { ranges, has_prereleases: true }))
}

fn one(range: &str) -> Result<String, String> {
    let parts: Vec<_> = range.split_whitespace().map(comparison).collect::<Result<_, _>>()?;
    if parts.is_empty() {
        return Err(format!("its range {range:.60} is empty"));
    }
    Ok(parts.join(" "))
}

fn comparison(part: &str) -> Result<String, String> {
    let bounds = |version: &str, upper: fn([u64; 3]) -> [u64; 3]| {
        let numbers = numbers(version)?;
        let [major, minor, patch] = upper(numbers);
        Ok(format!(">={} <{major}.{minor}.{patch}", text(numbers)))
    };
    if let Some(version) = part.strip_prefix('^') {
        return bounds(version, |[major, minor, patch]| match (major, minor) {
            (0, 0) => [0, 0, patch.saturating_add(1)],
            (0, _) => [0, minor.saturating_add(1), 0],
            _ => [major.saturating_add(1), 0, 0],
        });
    }
    if let Some(version) = part.strip_prefix('~') {
        return bounds(version, |[major, minor, _]| [major, minor.saturating_add(1), 0]);
    }
    let operators = [">=", "<=", ">", "<", "="];
    let found = operators.into_iter().find_map(|operator| Some((operator, part.strip_prefix(operator)?)));
    let (operator, version) = found.unwrap_or(("=", part));
    Ok(format!("{operator}{}", text(numbers(version)?)))
}

fn text([major, minor, patch]: [u64; 3]) -> String {
    format!("{major}.{minor}.{patch}")
}

/// The numbers of a bound. Of a prerelease it is not the same what comes before it, there and here.
fn numbers(version: &str) -> Result<[u64; 3], String> {
    let cannot = |why: &str| Err(format!("its range has {version:.60}, {why}"));
    let plain = version.strip_prefix('v').unwrap_or(version);
    let plain = plain.split_once('+').map_or(plain, |(plain, _)| plain);
    if plain.contains('-') {
        return cannot("a prerelease, which is compared otherwise here");
    }
    let parts: Vec<_> = plain.split('.').collect();
    if parts.len() > 3 {
        return cannot("which has more than three numbers, and none that has is a version here");
    }
    let mut numbers = [0; 3];
    for (number, part) in numbers.iter_mut().zip(parts) {
        match part.parse() {
            Ok(read) if part.bytes().all(|byte| byte.is_ascii_digit()) => *number = read,
            _ => return cannot("which is no version"),
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use moorage_domain::selection::{Range, Version};

    use super::*;

    #[test]
    fn ranges_mean_what_they_mean_there() {
        for (range, inside, outside) in [
            (">=1.0.0 <2.0.0", vec!["1.0.0", "v1.9", "1.5.0-rc.1", "2.0.0-rc.1"], vec!["2.0.0", "1.0.0-rc.1"]),
            ("=1.2", vec!["1.2.0", "v1.2"], vec!["1.2.1"]),
            ("1.2", vec!["1.2.0"], vec!["1.2.1", "1.3.0"]),
            ("^1.2", vec!["1.2.0", "1.9.9", "2.0.0-rc.1"], vec!["2.0.0", "1.1.9"]),
            ("^0.2.3", vec!["0.2.3", "0.2.9"], vec!["0.3.0"]),
            ("^0.0.3", vec!["0.0.3"], vec!["0.0.4"]),
            ("~1.2.3", vec!["1.2.3", "1.2.9"], vec!["1.3.0"]),
            ("~1", vec!["1.0.0", "1.0.9"], vec!["1.1.0"]),
            (">1.2", vec!["1.2.1", "1.3.0"], vec!["1.2.0"]),
            ("<=1.2", vec!["1.2.0", "1.1.9"], vec!["1.2.1"]),
        ] {
            let versions = translate(&[range.to_owned()]).unwrap().unwrap();
            let parsed = Range::parse(&versions.ranges[0]).unwrap();
            let has = |tag: &str| parsed.contains(&Version::of_tag(tag).unwrap(), versions.has_prereleases);
            for tag in inside {
                assert!(has(tag), "{tag} in {range}");
            }
            for tag in outside {
                assert!(!has(tag), "{tag} not in {range}");
            }
        }
        assert_eq!(translate(&[String::new()]), Ok(None));
        for range in [">=1.0.0-rc.1", "1.2.3.4", "latest", ">=", " "] {
            assert!(translate(&[range.to_owned()]).is_err(), "{range}");
        }
    }
}
