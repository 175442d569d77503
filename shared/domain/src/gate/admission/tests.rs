use serde_json::{Value, json};

use super::*;
use crate::{gate::MinAge, plan::tests::held, selection::Selection};

const NOW: i64 = 1_000_000;

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn tag(name: &str) -> TagName {
    name.parse().unwrap()
}

fn image(number: u8) -> Digest {
    Digest::sha256(&[number])
}

fn holding(digest: Digest, first_seen: i64, size: u64) -> HeldTag {
    HeldTag { digest, first_seen: at(first_seen), size, ..held() }
}

fn gate(selection: Option<Value>, min_age: Option<Value>) -> Gate {
    Gate {
        selection: selection.map(|given| Selection::parse(given).unwrap()),
        min_age: min_age.map(|given| MinAge::parse(&given).unwrap()),
        on_move: None,
        signature_policy: None,
    }
}

/// Asks until nothing is open. Returns the decisions, and what was asked for in which order.
fn run(admission: &mut Admission<'_>, registry: &[(&str, u8)], facts: &[(u8, Facts)]) -> (Vec<Decision>, Vec<Ask>) {
    let mut all = Vec::new();
    loop {
        let (decisions, asks) = admission.decide();
        if asks.is_empty() {
            return (decisions, all);
        }
        for ask in asks {
            assert!(!all.contains(&ask), "asked twice: {ask:?}");
            match &ask {
                Ask::Digest(tag) => {
                    let found = registry.iter().find(|(name, _)| *name == tag.as_str());
                    admission.answer(tag.clone(), found.map(|(_, number)| image(*number)));
                }
                Ask::Facts(_, digest) => {
                    let found = facts.iter().find(|(number, _)| image(*number) == *digest);
                    admission.found(digest.clone(), found.map(|(_, facts)| facts.clone()));
                }
            }
            all.push(ask);
        }
    }
}

fn verdict(decisions: &[Decision], name: &str) -> Verdict {
    decisions.iter().find(|decision| decision.tag.as_str() == name).unwrap().verdict
}

fn tags(names: &[&str]) -> (Vec<TagName>, Vec<TagName>) {
    (names.iter().map(|name| tag(name)).collect(), Vec::new())
}

#[test]
fn names_alone_ask_for_nothing() {
    let gate = gate(Some(json!({"newest": 1})), None);
    let (held, sightings) = (BTreeMap::new(), BTreeMap::new());
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&["1.0", "1.1"]), at(NOW));
    let (decisions, asked) = run(&mut admission, &[], &[]);
    assert_eq!(asked, []);
    assert_eq!(verdict(&decisions, "1.1"), Verdict::Kept);
    assert_eq!(verdict(&decisions, "1.0"), Verdict::Removed { step: Step::Newest });
    assert!(admission.sightings().is_empty());
}

#[test]
fn only_what_may_be_let_in_is_asked_for_and_young_images_push_out_no_old_ones() {
    let gate = gate(Some(json!({"newest": 2})), Some(json!({"mode": "enforce", "seconds": 100})));
    let held = BTreeMap::from([(tag("1.1"), holding(image(1), 5, 1))]);
    let sightings =
        BTreeMap::from([(image(2), Sighting { first_seen: at(NOW - 100), release: None, facts: Facts::default() })]);
    let names = ["1.0", "1.1", "1.2", "1.3"];
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&names), at(NOW));
    let (decisions, asked) = run(&mut admission, &[("1.0", 0), ("1.1", 1), ("1.2", 2), ("1.3", 3)], &[]);
    let until = at(NOW + 100);
    assert_eq!(verdict(&decisions, "1.3"), Verdict::Held { until });
    assert_eq!(verdict(&decisions, "1.2"), Verdict::Kept);
    assert_eq!(verdict(&decisions, "1.1"), Verdict::Kept, "it is here, and not asked for its age");
    assert_eq!(verdict(&decisions, "1.0"), Verdict::Removed { step: Step::Newest });
    let expected: Vec<_> = ["1.2", "1.3", "1.1", "1.0"].map(|name| Ask::Digest(tag(name))).into();
    assert_eq!(asked, expected, "the first two, and as many more as that, once one of them is too young");
    let seen = admission.sightings();
    assert_eq!(
        seen.keys().collect::<BTreeSet<_>>(),
        BTreeSet::from([&image(0), &image(3)]),
        "the others are known, or here"
    );
    assert_eq!(seen[&image(3)].first_seen, at(NOW));
}

#[test]
fn a_moved_tag_waits_anew_and_an_image_that_is_here_under_another_name_has_its_clock() {
    let gate = gate(None, Some(json!({"mode": "enforce", "seconds": 100})));
    let held = BTreeMap::from([(tag("latest"), holding(image(1), 5, 1)), (tag("v2"), holding(image(2), NOW - 60, 1))]);
    let sightings = BTreeMap::new();
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&["latest", "stable", "v2"]), at(NOW));
    let (decisions, _) = run(&mut admission, &[("latest", 3), ("stable", 2), ("v2", 2)], &[]);
    assert_eq!(verdict(&decisions, "latest"), Verdict::Held { until: at(NOW + 100) });
    assert_eq!(verdict(&decisions, "stable"), Verdict::Held { until: at(NOW + 40) });
    assert_eq!(verdict(&decisions, "v2"), Verdict::Kept);
}

#[test]
fn a_registry_that_does_not_say_lets_nothing_in_and_takes_nothing_away() {
    let gate = gate(Some(json!({"newest": 1})), Some(json!({"mode": "enforce", "seconds": 100})));
    let held = BTreeMap::from([(tag("1.0"), holding(image(1), 5, 1))]);
    let sightings = BTreeMap::new();
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&["1.0", "1.1"]), at(NOW));
    let (decisions, _) = run(&mut admission, &[("1.0", 1)], &[]);
    assert_eq!(verdict(&decisions, "1.1"), Verdict::Unknown { step: Step::MinAge });
    assert_eq!(verdict(&decisions, "1.0"), Verdict::Kept);
    assert!(admission.is_silent(&tag("1.1")));
}

#[test]
fn images_are_looked_at_once_and_what_is_known_of_them_is_not_asked_again() {
    let gate = gate(Some(json!({"platforms": ["linux/amd64"], "max_size": 10})), None);
    let known = Facts { size: Some(5), platforms: Some(vec!["linux/amd64".parse().unwrap()]) };
    let large = Facts { size: Some(11), ..known.clone() };
    let arm = Facts { size: Some(1), platforms: Some(vec!["linux/arm64".parse().unwrap()]) };
    let sightings = BTreeMap::from([(image(1), Sighting { first_seen: at(1), release: None, facts: known.clone() })]);
    let held = BTreeMap::new();
    let names = ["a", "b", "c", "d", "e"];
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&names), at(NOW));
    let registry = [("a", 1), ("b", 2), ("c", 2), ("d", 3), ("e", 4)];
    let (decisions, asked) = run(&mut admission, &registry, &[(2, large.clone()), (3, arm)]);
    assert_eq!(verdict(&decisions, "a"), Verdict::Kept);
    for name in ["b", "c"] {
        assert_eq!(verdict(&decisions, name), Verdict::Removed { step: Step::MaxSize });
    }
    assert_eq!(verdict(&decisions, "d"), Verdict::Removed { step: Step::Platforms });
    assert_eq!(verdict(&decisions, "e"), Verdict::Unknown { step: Step::Platforms }, "it could not be read");
    let facts = asked.iter().filter(|ask| matches!(ask, Ask::Facts(..))).count();
    assert_eq!(facts, 3, "once for each image that nothing is known of");
    let seen = admission.sightings();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[&image(2)].facts, large);
}

#[test]
fn what_vanished_takes_no_place_but_may_be_without_one() {
    let gate = gate(Some(json!({"newest": 1})), None);
    let held = BTreeMap::from([
        (tag("1.0"), holding(image(1), 5, 1)),
        (tag("1.9"), holding(image(2), 5, 1)),
        (tag("1.5"), holding(image(3), 5, 1)),
    ]);
    let sightings = BTreeMap::new();
    let listed = (vec![tag("1.5")], vec![tag("1.0"), tag("1.9")]);
    let admission = Admission::new(&gate, &held, &sightings, listed, at(NOW));
    let (decisions, _) = admission.decide();
    assert_eq!(verdict(&decisions, "1.5"), Verdict::Kept);
    assert_eq!(verdict(&decisions, "1.0"), Verdict::Removed { step: Step::Newest });
    assert!(matches!(verdict(&decisions, "1.9"), Verdict::Held { .. }), "the rule would have it");
}

#[test]
fn observing_lets_in_and_says_until_when_it_would_have_waited() {
    let gate = gate(None, Some(json!({"mode": "observe", "seconds": 100})));
    let (held, sightings) = (BTreeMap::new(), BTreeMap::new());
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&["a"]), at(NOW));
    let (decisions, _) = run(&mut admission, &[("a", 1)], &[]);
    assert_eq!(verdict(&decisions, "a"), Verdict::Kept);
    assert_eq!(admission.observed(&tag("a")), Some(at(NOW + 100)));
    assert_eq!(admission.sightings().len(), 1, "its clock has begun");
}

#[test]
fn a_tag_that_moves_to_an_image_that_does_not_fit_stays_what_it_is_here() {
    let gate = gate(Some(json!({"platforms": ["linux/amd64"]})), None);
    let arm = Facts { size: None, platforms: Some(vec!["linux/arm64".parse().unwrap()]) };
    let held = BTreeMap::from([(tag("v1"), holding(image(1), 5, 1)), (tag("v2"), holding(image(2), 5, 1))]);
    let sightings = BTreeMap::new();
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&["v1", "v2", "v3"]), at(NOW));
    let registry = [("v1", 9), ("v2", 2), ("v3", 9)];
    let (decisions, _) = run(&mut admission, &registry, &[(9, arm.clone()), (2, arm)]);
    let stays = |name: &str| admission.stays(decisions.iter().find(|decision| decision.tag.as_str() == name).unwrap());
    assert_eq!([stays("v1"), stays("v2"), stays("v3")], [true, false, false], "moved; here and not wanted; new");
}

#[test]
fn many_young_versions_take_few_rounds() {
    let gate = gate(Some(json!({"newest": 1})), Some(json!({"mode": "enforce", "seconds": 100})));
    let (held, sightings) = (BTreeMap::new(), BTreeMap::new());
    let names: Vec<_> = (0..1_000).map(|number| format!("1.{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut admission = Admission::new(&gate, &held, &sightings, tags(&names), at(NOW));
    let mut rounds = 0;
    loop {
        let (_, asks) = admission.decide();
        if asks.is_empty() {
            break;
        }
        rounds += 1;
        for ask in asks {
            let Ask::Digest(tag) = ask else { panic!("nothing has to be looked at") };
            admission.answer(tag.clone(), Some(Digest::sha256(tag.as_str().as_bytes())));
        }
    }
    assert!(rounds <= 12, "{rounds}");
}

#[test]
fn a_selection_that_is_only_observed_keeps_nothing_out_and_says_what_it_would() {
    let selection = json!({"mode": "observe", "include_regex": "v.*", "max_size": 10});
    let gate = gate(Some(selection), None);
    let (held, sightings) = (BTreeMap::new(), BTreeMap::new());
    let tags = ["v1", "v2", "x"].map(|tag| tag.parse().unwrap()).to_vec();
    let mut admission = Admission::new(&gate, &held, &sightings, (tags, Vec::new()), at(0));
    let facts = |size| Facts { size: Some(size), platforms: None };
    let (decisions, _) = run(&mut admission, &[("v1", 1), ("v2", 2), ("x", 3)], &[(1, facts(5)), (2, facts(50))]);
    let observed: Vec<_> = decisions.iter().map(|it| (it.tag.as_str(), it.verdict, it.observed)).collect();
    let removed = |step| Some(Verdict::Removed { step });
    let expected = [
        ("v1", Verdict::Kept, None),
        ("v2", Verdict::Kept, removed(Step::MaxSize)),
        ("x", Verdict::Kept, removed(Step::IncludeRegex)),
    ];
    assert_eq!(observed, expected);
    let off =
        Gate { selection: Some(Selection::parse(json!({"mode": "off", "newest": 1})).unwrap()), ..Gate::default() };
    assert!(!off.asks());
}
