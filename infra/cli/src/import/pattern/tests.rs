//! Patterns select the same tags as the tools' own semantics.

use moorage_domain::{
    TagName,
    selection::{Candidate, Maturity, Verdict},
};
use proptest::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

use super::{
    Pattern,
    tags::{Rule, Tags, Term, Versions},
};

/// Whether a mirror with this rule has this tag, by the gate's own code.
pub(super) fn selects(rule: &Rule, tag: &str) -> bool {
    let tag: TagName = tag.parse().unwrap();
    if rule.root.0.select([tag.clone()]).unwrap().is_empty() {
        return false;
    }
    let Some(selection) = &rule.selection else { return true };
    let candidate =
        Candidate { tag, first_seen: None, maturity: Maturity::Mature, is_served: false, size: None, platforms: None };
    selection.decide(&[candidate])[0].verdict == Verdict::Kept
}

/// Go's own, which is the `regex` crate's where both have the same syntax.
fn go(expression: &str) -> Regex {
    RegexBuilder::new(expression).unicode(false).build().unwrap()
}

const TAGS: &[&str] = &[
    "latest",
    "v1",
    "v1.2",
    "v1.2.3",
    "1.2.3",
    "1.2.3-rc.1",
    "1.25-alpine",
    "a",
    "b",
    "ab",
    "xb",
    "ba",
    "x",
    "v3.2-4beta",
    "_x",
    "A",
    "a.b",
    "a-b",
    "edge",
    "20240101",
    "stable-2",
];

fn same(pattern: &Pattern, expected: impl Fn(&str) -> bool, what: &str) {
    let rule = Tags::matching(vec![pattern.clone()]).rule();
    for tag in TAGS {
        let selected = rule.as_ref().is_ok_and(|rule| selects(rule, tag));
        assert_eq!(selected, expected(tag), "{what}: {tag} by {rule:?}");
    }
}

#[test]
fn expressions_that_globs_can_say_are_globs() {
    for (text, globs) in [
        ("latest", vec!["latest"]),
        (r"v\d+", vec![]),
        ("v1.*", vec!["v1*"]),
        (r"v1\.[0-3]", vec!["v1.[0-3]"]),
        ("(a|b)c?", vec!["[ab]", "[ab]c"]),
        (".*-alpine", vec!["*-alpine"]),
        (".+", vec!["?*"]),
        ("[^/]*", vec!["*"]),
        ("v1..", vec!["v1??"]),
        ("[a-]", vec!["[a-]"]),
        ("[abcx-z]", vec!["[a-cx-z]"]),
        ("(?i)v", vec!["[Vv]"]),
        ("x{2}", vec!["xx"]),
        ("a$|b", vec![]),
        (".*", vec!["*"]),
    ] {
        let pattern = Pattern::between_anchors(text).unwrap();
        same(&pattern, |tag| go(&format!("^{text}$")).is_match(tag.as_bytes()), text);
        if !globs.is_empty() {
            assert_eq!(pattern, Pattern::Globs(globs.iter().map(ToString::to_string).collect()), "{text}");
        }
    }
}

#[test]
fn alternatives_without_a_group_mean_what_they_mean_there() {
    let pattern = Pattern::between_anchors("a|b").unwrap();
    assert_eq!(pattern, Pattern::Globs(vec!["*b".into(), "a*".into()]));
    same(&pattern, |tag| tag.starts_with('a') || tag.ends_with('b'), "a|b");
    assert!(super::ungrouped("a|b").unwrap().contains("begins with"));
    assert_eq!((super::ungrouped("(a|b)"), super::ungrouped(r"v\d+")), (None, None));
    let pattern = Pattern::between_anchors(r"v\d+|x").unwrap();
    assert!(matches!(&pattern, Pattern::Regex(_)));
    same(&pattern, |tag| go(r"^v\d+|x$").is_match(tag.as_bytes()), "numbers");
}

#[test]
fn expressions_without_anchors_are_found_anywhere() {
    for text in ["1", "^v", "3$", r"^v\d$", r"\d-", "a|^b", r"\.", "", "^$", "x^", r"\bb", "[^a]$", "(?i)A"] {
        let pattern = Pattern::somewhere(text).unwrap();
        same(&pattern, |tag| go(text).is_match(tag.as_bytes()), text);
    }
    assert_eq!(Pattern::somewhere("^v1").unwrap(), Pattern::Globs(vec!["v1*".into()]));
    for text in ["(", r"a\", "(?=a)", r"(a)\1", "a{3,2}"] {
        assert!(Pattern::somewhere(text).is_err(), "{text}");
    }
}

#[test]
fn globs_of_harbor_are_globs_of_ours() {
    for (text, globs) in [
        ("**", vec!["*"]),
        ("v1.*", vec!["v1.*"]),
        ("{latest,v?.*}", vec!["latest", "v?.*"]),
        ("v[^0-1]", vec!["v[.2-9A-Z_a-z-]"]),
        ("v[!0-1]*", vec!["v[.2-9A-Z_a-z-]*"]),
        (r"a\.b", vec!["a.b"]),
        ("a/b", vec![]),
        ("v[.-]", vec!["v[.-]"]),
    ] {
        let expected: Vec<String> = globs.iter().map(ToString::to_string).collect();
        assert_eq!(Pattern::doublestar(text), Ok(Pattern::Globs(expected)), "{text}");
    }
    for text in ["[a", "{a", "{a,{b}}", r"a\", "[]"] {
        assert!(Pattern::doublestar(text).is_err(), "{text}");
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the field has it")]
fn versions(ranges: &[&str]) -> Option<Versions> {
    Some(Versions { ranges: ranges.iter().map(ToString::to_string).collect(), has_prereleases: false })
}

#[test]
fn what_one_selection_cannot_say_is_refused() {
    let regex = |text: &str| Pattern::between_anchors(text).unwrap();
    let newer = Tags::of(Term { versions: versions(&[">=1.2"]), deny: vec![regex(".*-rc.*")], ..Term::default() });
    let rule = newer.clone().or(Tags::matching(vec![Pattern::tag("latest")])).rule().unwrap();
    let selected: Vec<_> = TAGS.iter().filter(|tag| selects(&rule, tag)).collect();
    assert_eq!(selected, [&"latest", &"v1.2", &"v1.2.3", &"1.2.3", &"20240101"]);
    let sent = serde_json::to_value(rule.selection.unwrap()).unwrap();
    assert_eq!(sent["always"], serde_json::json!(["latest"]));
    assert!(newer.clone().or(Tags::matching(vec![regex(r"v\d+x")])).rule().is_err());
    let other = Tags::of(Term { versions: versions(&["<1"]), ..Term::default() });
    assert!(newer.clone().or(other).rule().is_err());
    assert_eq!(newer.or(Tags::all()).rule().unwrap().selection, None);
    let one = Tags::of(Term { versions: versions(&["1"]), ..Term::default() });
    let two = Tags::of(Term { versions: versions(&["3"]), ..Term::default() });
    assert!(selects(&one.or(two).rule().unwrap(), "1.2.3"));
    assert!(Tags::matching(vec![Pattern::Globs(vec![])]).rule().is_err(), "nothing matches");
    let large = Pattern::somewhere("(?:[a-z0-9.-]{1,128}){1,128}");
    assert!(large.and_then(|large| Tags::matching(vec![large]).rule()).is_err(), "larger than the gate takes");
}

/// Expressions of what both have.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[ab1.]",
        Just(r"\.".to_owned()),
        Just(".".to_owned()),
        Just("[a-c0-1]".to_owned()),
        Just("[^b]".to_owned()),
        Just(r"\d".to_owned()),
        Just("^".to_owned()),
        Just("$".to_owned())
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one}|{other}")),
            inner.clone().prop_map(|one| format!("(?:{one})?")),
            inner.clone().prop_map(|one| format!("({one})*")),
            inner.clone().prop_map(|one| format!("(?:{one})+")),
            inner.prop_map(|one| format!("(?:{one}){{1,2}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_anywhere_is_selected(text in expression(), tags in proptest::collection::vec("[ab1c][ab1c.-]{0,4}", 8)) {
        let expected = go(&text);
        let rule = Tags::matching(vec![Pattern::somewhere(&text).unwrap()]).rule();
        for tag in &tags {
            let selected = rule.as_ref().is_ok_and(|rule| selects(rule, tag));
            prop_assert_eq!(selected, expected.is_match(tag.as_bytes()), "{} {} {:?}", text, tag, rule);
        }
    }

    #[test]
    fn what_is_between_anchors_is_selected(text in expression(), tags in proptest::collection::vec("[ab1c][ab1c.-]{0,4}", 8)) {
        let expected = go(&format!("^{text}$"));
        let rule = Tags::matching(vec![Pattern::between_anchors(&text).unwrap()]).rule();
        for tag in &tags {
            let selected = rule.as_ref().is_ok_and(|rule| selects(rule, tag));
            prop_assert_eq!(selected, expected.is_match(tag.as_bytes()), "{} {} {:?}", text, tag, rule);
        }
    }

    #[test]
    fn several_sets_select_what_any_of_them_does(
        allow in proptest::collection::vec(expression(), 0..3), deny in proptest::collection::vec(expression(), 0..2),
        plain in proptest::collection::vec("[ab1][ab1]{0,2}", 0..2),
        tags in proptest::collection::vec("[ab1][ab1.-]{0,3}", 8),
    ) {
        let patterns = |texts: &[String]| texts.iter().map(|it| Pattern::between_anchors(it).unwrap()).collect();
        let term = Term { versions: None, allow: patterns(&allow), deny: patterns(&deny) };
        let mut all = Tags::of(term);
        for tag in &plain {
            all = all.or(Tags::matching(vec![Pattern::tag(tag)]));
        }
        let is_any = |texts: &[String], tag: &str| texts.iter().any(|it| go(&format!("^{it}$")).is_match(tag.as_bytes()));
        let Ok(rule) = all.rule() else { return Ok(()) };
        for tag in &tags {
            let is_allowed = (allow.is_empty() || is_any(&allow, tag)) && !is_any(&deny, tag);
            let expected = is_allowed || plain.contains(tag);
            prop_assert_eq!(selects(&rule, tag), expected, "{:?} {:?} {:?} {} {:?}", allow, deny, plain, tag, rule);
        }
    }
}
