//! Versions and ranges beside the library whose dialect they are.

use std::{cmp::Ordering, collections::BTreeMap};

use proptest::prelude::*;

use crate::selection::{MAX_RANGE_LENGTH, Range, RangeError, Version};

fn version(text: &str) -> Version {
    Version::parse(text).unwrap_or_else(|| panic!("{text:?} is no version"))
}

/// `tests/semver.tsv` says what its lines are.
#[test]
fn its_own_cases() {
    let mut cases = BTreeMap::new();
    for line in include_str!("../../../tests/semver.tsv").lines().filter(|line| !line.starts_with('#')) {
        let unescaped = line.replace("\\n", "\n");
        let fields: Vec<_> = unescaped.split('\t').collect();
        match fields[..] {
            ["check", prereleases, range, text, expected] => {
                let range = Range::parse(range).unwrap();
                assert_eq!(range.contains(&version(text), prereleases == "1"), expected == "1", "{line}");
            }
            ["shape", range, alternatives, comparisons] => {
                let shape = Range::parse(range).unwrap().shape();
                assert_eq!(
                    [shape.len(), shape[0]].map(|count| count.to_string()),
                    [alternatives, comparisons],
                    "{line}"
                );
            }
            ["accept", range] => assert!(Range::parse(range).is_ok(), "{line}"),
            ["refuse", range] => assert!(Range::parse(range).is_err(), "{line}"),
            ["version", text] => assert!(Version::parse(text).is_some(), "{line}"),
            ["noversion", text] => assert!(Version::parse(text).is_none(), "{line}"),
            ["canonical", text, written] => assert_eq!(version(text).to_string(), written, "{line}"),
            ["order", one, other, expected] => {
                let order = version(one).cmp(&version(other));
                assert_eq!((order as i8).to_string(), expected, "{line}");
                assert_eq!(version(other).cmp(&version(one)), order.reverse(), "{line}");
            }
            ["less", one, other, expected] => assert_eq!(version(one) < version(other), expected == "1", "{line}"),
            ["greater", one, other, expected] => assert_eq!(version(one) > version(other), expected == "1", "{line}"),
            _ => panic!("{line}"),
        }
        *cases.entry(fields[0].to_owned()).or_insert(0) += 1;
    }
    assert!(cases["check"] > 400 && cases.len() == 10, "{cases:?}");
}

/// What it says of ranges by chance; see `tests/make_semver.go`.
#[test]
fn it_agrees() {
    let mut lines = include_str!("../../../tests/semver_random.tsv").lines();
    let versions: Vec<_> = lines.next().unwrap().split_whitespace().map(version).collect();
    let mut cases = [0, 0];
    for line in lines {
        let [text, plain, all] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let range = Range::parse(text);
        cases[usize::from(range.is_ok())] += 1;
        let Ok(range) = range else {
            assert_eq!([plain, all], ["-", "-"], "{text:?} is refused");
            continue;
        };
        for (expected, prereleases) in [(plain, false), (all, true)] {
            let contains = |version| if range.contains(version, prereleases) { '1' } else { '0' };
            let answers: String = versions.iter().map(contains).collect();
            assert_eq!(answers, expected, "{text:?}");
        }
    }
    assert!(cases[0] > 200 && cases[1] > 500, "{cases:?}");
}

#[test]
fn what_is_different_there() {
    let range = |text| Range::parse(text).unwrap();
    assert!(range(">=1 1.2 - 1.4").contains(&version("1.3.0"), false), "a hyphen range behind a blank");
    assert!(range("1.2 - 1.4||* - 0").contains(&version("1.3.0"), false), "and one before a bar");
    for text in ["1.2x", "x.1x", "1.2.x3", "*.99999999999999999999"] {
        assert!(matches!(Range::parse(text), Err(RangeError::Unreadable(_))), "{text}");
    }
    assert!(version("1.0.0-18446744073709551616") < version("1.0.0-28446744073709551616"));
    assert!(version("1.0.0-18446744073709551616") < version("1.0.0-0a"), "numbers come before words");
}

#[test]
fn ranges_say_where_they_cannot_be_read() {
    let refusal = |text: &str| Range::parse(text).unwrap_err();
    let unreadable = |text: &str| RangeError::Unreadable(text.into());
    assert_eq!(refusal(">=1, foo"), unreadable("foo"));
    assert_eq!(refusal("1.2 -1.4"), unreadable("-1.4"));
    assert_eq!(refusal("1, "), unreadable(","));
    assert_eq!(refusal(">1,,<2"), unreadable(",<2"));
    assert_eq!(refusal(">= 1 || v 2"), unreadable("v 2"));
    assert_eq!(refusal(">1 - 2"), unreadable("- 2"));
    assert_eq!(refusal("1.2 - >1.4"), unreadable("- >1.4"));
    assert_eq!([refusal(""), refusal("  "), refusal("1 ||"), refusal("||")], [const { RangeError::Empty }; 4]);
    assert_eq!(refusal(&"1 ".repeat(MAX_RANGE_LENGTH)), RangeError::TooLong);
    assert_eq!(refusal("é"), unreadable("é"));
}

#[test]
fn numbers_are_bounded() {
    assert_eq!(version("v18446744073709551615.0").major(), u64::MAX);
    for text in
        ["18446744073709551616", "1.99999999999999999999", "1.2.18446744073709551616", "+1", "1.+2", "1.-2", "1..2"]
    {
        assert!(Version::parse(text).is_none() && Range::parse(text).is_err(), "{text}");
    }
    for range in [">18446744073709551615", "^18446744073709551615", "~18446744073709551615.18446744073709551615"] {
        assert!(!Range::parse(range).unwrap().contains(&version("1"), false), "{range}");
    }
}

#[test]
fn tags_write_builds_in_another_way() {
    let of_tag = |text| Version::of_tag(text).map(|version| version.to_string());
    assert_eq!(of_tag("v1.2.0-rc.1_b.7").as_deref(), Some("1.2.0-rc.1+b.7"));
    assert_eq!(of_tag("1.2_3"), of_tag("1.2+3"));
    for text in ["1.2.0_", "_1.2.0", "1.2.0_a_b", "1.2.0_a+b", "latest", "V1.2", "1.2.0-a_b-_c"] {
        assert_eq!(of_tag(text), None, "{text}");
    }
    assert!(Version::parse("1.2.0_3").is_none(), "only in tags");
    assert_eq!(Version::of_tag("1.2.0_3"), Version::of_tag("v1.2"), "the build has no part in it");
}

/// Semver's precedence as its specification tells it, without what makes it fast.
fn precedence(one: &str, other: &str) -> Ordering {
    let split = |text: &str| {
        let text = text.split('+').next().unwrap().to_owned();
        let (numbers, prerelease) = text.split_once('-').unwrap_or((&text, ""));
        let numbers: Vec<u128> = numbers.split('.').map(|number| number.parse().unwrap()).collect();
        let identifiers: Vec<String> = prerelease.split('.').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        (numbers, identifiers)
    };
    let ((numbers, identifiers), (other_numbers, others)) = (split(one), split(other));
    if numbers != other_numbers {
        return numbers.cmp(&other_numbers);
    }
    match (identifiers.is_empty(), others.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    for (one, other) in identifiers.iter().zip(&others) {
        let order = match (one.parse::<u128>(), other.parse::<u128>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => one.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    identifiers.len().cmp(&others.len())
}

const VERSION: &str =
    r"[0-2]\.[0-2]\.[0-2](-(0|[1-9][0-9]{0,20}|[a-b-]{1,2}|0a)(\.(0|1|10|2|a|b)){0,2})?(\+[a-z0-9]{1,2})?";

proptest! {
    #[test]
    fn the_order_is_semvers(texts in [VERSION, VERSION, VERSION]) {
        let versions = texts.each_ref().map(|text| version(text));
        for (one, text) in versions.iter().zip(&texts) {
            prop_assert_eq!(&one.to_string(), text);
            for (other, other_text) in versions.iter().zip(&texts) {
                prop_assert_eq!(one.cmp(other), precedence(text, other_text));
                prop_assert_eq!(one == other, one.cmp(other).is_eq());
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-0-9.xX*v+_|,<>=!~^ a]{0,24}", range in ".{0,24}") {
        for text in [&text, &range] {
            if let Some(version) = Version::of_tag(text) {
                prop_assert_eq!(Version::parse(&version.to_string()), Some(version));
            }
            if let Ok(range) = Range::parse(text) {
                prop_assert!(!range.contains(&version("1.2.3-a"), false) || range.contains(&version("1.2.3-a"), true));
            }
        }
    }
}
