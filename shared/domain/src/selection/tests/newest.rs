//! Who is among the newest, and at the edges of that.

use serde_json::json;

use super::{about, candidate, candidates, decided, kept, later, removed, verdicts, waiting};
use crate::{
    Timestamp,
    selection::{Candidate, Maturity, Step, Verdict},
};

fn seen(name: &str, moment: i64) -> Candidate {
    Candidate { first_seen: Some(Timestamp::from_unix(moment)), ..candidate(name) }
}

#[test]
fn the_newest_are_the_highest() {
    let all = candidates("9 10 11-rc 8 8.1");
    assert_eq!(kept(json!({"newest": 2}), &all), "10 11-rc", "versions, unless it says otherwise");
    assert_eq!(kept(json!({"newest": 2, "version": {}}), &all), "9 10");
    assert_eq!(kept(json!({"newest": 2, "sort": "name"}), &all), "9 8.1");
    assert_eq!(kept(json!({"newest": 2, "sort": "numeric"}), &all), "9 10");
    assert_eq!(kept(json!({"newest": 99}), &all), "9 10 11-rc 8 8.1");
    let ranks: Vec<_> =
        decided(json!({"sort": "version"}), &all).iter().map(|decision| decision.rank.unwrap()).collect();
    assert_eq!(ranks, [3, 2, 1, 5, 4], "sorting alone removes nothing");
    assert_eq!(kept(json!({"sort": "numeric"}), &all), "9 10 11-rc 8 8.1");
}

#[test]
fn what_has_no_key_is_not_among_the_newest() {
    let all = candidates("latest 2.0 nightly 18446744073709551616 7");
    assert_eq!(kept(json!({"newest": 5}), &all), "2.0 7");
    assert_eq!(kept(json!({"newest": 5, "sort": "numeric"}), &all), "7");
    let out = about(json!({"newest": 5}), &all, "latest");
    assert_eq!((out.verdict, out.key, out.rank), (removed(Step::Newest), None, None));
    let key = json!({"include_regex": r"latest|(?<key>\d+)\.0|\d+", "sort": "numeric", "newest": 5});
    assert_eq!(kept(key, &all), "2.0", "a group that has no part in the match is no key");
}

#[test]
fn numbers_and_names_are_those_of_a_group() {
    let builds = candidates("main-beef-170 main-cafe-169 main-0000-171 main-ffff");
    let build = json!({"include_regex": "main-[0-9a-f]{4}(-(?<key>[0-9]+))?", "sort": "numeric", "newest": 2});
    assert_eq!(kept(build, &builds), "main-beef-170 main-0000-171");
    let nights = candidates("nightly-2026-11-02-b nightly-2026-10-30-z nightly-2026-11-01-a");
    let night = json!({"include_regex": "nightly-(?<key>[-0-9]{10}).*", "sort": "name", "newest": 1});
    assert_eq!(kept(night, &nights), "nightly-2026-11-02-b");
}

#[test]
fn two_spellings_are_one_place_and_both_kept() {
    let all = candidates("1.2.0 v1.2.0 1.2 1.2.0_3 1.1.0 1.0.0 v1.0");
    assert_eq!(kept(json!({"newest": 1}), &all), "1.2.0 v1.2.0 1.2 1.2.0_3");
    assert_eq!(kept(json!({"newest": 2}), &all), "1.2.0 v1.2.0 1.2 1.2.0_3 1.1.0");
    let out = about(json!({"newest": 2}), &all, "v1.0");
    assert_eq!((out.verdict, out.rank), (removed(Step::Newest), Some(3)));
    assert_eq!(kept(json!({"newest": 1, "sort": "numeric"}), &candidates("007 7 6")), "007 7");
    let half = [candidate("2.0"), waiting("v2.0"), candidate("1.0")];
    let ranks: Vec<_> = decided(json!({"newest": 1}), &half).iter().map(|decision| decision.rank).collect();
    assert_eq!(ranks, [Some(1), Some(1), Some(2)]);
}

#[test]
fn only_mature_tags_count_among_the_newest() {
    let newest = json!({"newest": 2});
    let all = [waiting("4.0"), candidate("3.0"), candidate("2.0"), candidate("1.0"), waiting("0.9"), waiting("2.5")];
    let held = Verdict::Held { until: later() };
    let expected = [held, Verdict::Kept, Verdict::Kept, removed(Step::Newest), removed(Step::Newest), held];
    assert_eq!(verdicts(newest.clone(), &all), expected);
    let ranks: Vec<_> = decided(newest.clone(), &all).iter().map(|decision| decision.rank.unwrap()).collect();
    assert_eq!(ranks, [1, 1, 2, 3, 4, 2], "those that wait have the place that they would have");
    let lost = all.clone().map(|candidate| Candidate { maturity: Maturity::Unknown, ..candidate });
    let unknown = Verdict::Unknown { step: Step::MinAge };
    assert_eq!(verdicts(newest, &lost), [unknown; 6], "a state that is lost removes nothing and lets nothing in");
}

#[test]
fn a_tag_that_moves_keeps_the_place_that_it_has() {
    let moved = Candidate { is_served: true, ..waiting("3.0") };
    let all = [moved.clone(), candidate("2.0"), candidate("1.0")];
    let held = Verdict::Held { until: later() };
    assert_eq!(verdicts(json!({"newest": 1}), &all), [held, removed(Step::Newest), removed(Step::Newest)]);
    let lost = [Candidate { maturity: Maturity::Unknown, ..moved }, candidate("2.0")];
    let unknown = Verdict::Unknown { step: Step::MinAge };
    assert_eq!(verdicts(json!({"newest": 1}), &lost), [unknown, removed(Step::Newest)]);
}

#[test]
fn each_group_has_its_own_newest() {
    let all = candidates("1.2.3 v1.2.4 1.2.5 1.3.0 1.3.0-alpine 1 2");
    let rule = json!({"include_regex": r"v?((?<minor>\d+\.\d+)\.)?\d+(-alpine)?", "group_by": "minor", "newest": 1});
    assert_eq!(kept(rule.clone(), &all), "1.2.5 1.3.0 2", "what has nothing of it is a group, too");
    let groups: Vec<_> = decided(rule, &all).into_iter().map(|decision| (decision.group, decision.rank)).collect();
    let of = |group: &str, rank| (Some(group.to_owned()), Some(rank));
    let expected =
        [of("1.2", 3), of("1.2", 2), of("1.2", 1), of("1.3", 1), of("1.3", 2), (None, Some(2)), (None, Some(1))];
    assert_eq!(groups, expected);
    let from = json!({"version": {"from": "(?<os>[a-z]+)-(?<version>.*)"}, "group_by": "os", "newest": 1});
    assert_eq!(kept(from, &candidates("a-1 a-2 b-1 b-0")), "a-2 b-1");
}

#[test]
fn moments_are_no_spellings() {
    let rule = json!({"sort": "first_seen", "newest": 2});
    let first_sync = [seen("a", 5), seen("c", 5), seen("b", 5), seen("z", 4)];
    assert_eq!(kept(rule.clone(), &first_sync), "c b", "what was seen in one second is ordered by name");
    assert_eq!(kept(rule.clone(), &[seen("a", 7), seen("b", 6), seen("c", 5)]), "a b");
    let unknown = Candidate { first_seen: None, ..candidate("x") };
    let all = [unknown, seen("a", 3), seen("b", 2), seen("c", 1)];
    let verdicts = verdicts(rule, &all);
    assert_eq!(verdicts[0], Verdict::Unknown { step: Step::Newest }, "it may be the newest");
    assert_eq!(verdicts[1..], [Verdict::Kept, Verdict::Kept, removed(Step::Newest)], "and pushes out none");
}

#[test]
fn the_order_in_which_they_come_has_no_part() {
    let mut all = candidates("b a v1 1 1.0.0-a 1.0 01 2_b 2_a latest");
    let rule = json!({"newest": 2, "always": ["a"]});
    let sorted = |all: &[Candidate]| {
        let mut decided = decided(rule.clone(), all);
        decided.sort_by(|one, other| one.tag.cmp(&other.tag));
        decided
    };
    let expected = sorted(&all);
    for _ in 0..all.len() {
        all.rotate_left(1);
        assert_eq!(sorted(&all), expected);
    }
    all.reverse();
    assert_eq!(sorted(&all), expected);
}

#[test]
fn always_takes_the_place_that_it_has() {
    let rule = json!({"newest": 2, "always": ["1.0", "3.0", "latest"]});
    assert_eq!(kept(rule, &candidates("latest 4.0 3.0 2.0 1.0")), "latest 4.0 3.0 1.0");
}

#[test]
fn later_steps_free_no_place() {
    let large = Candidate { size: Some(2), ..candidate("3.0") };
    let all = [large, candidate("2.0"), candidate("1.0")];
    assert_eq!(
        kept(json!({"newest": 2, "max_size": 1}), &all),
        "2.0",
        "the newest are chosen before sizes are asked for"
    );
    assert_eq!(kept(json!({"newest": 1, "exclude": {"globs": ["3*"]}}), &all), "2.0", "and after what is excluded");
}
