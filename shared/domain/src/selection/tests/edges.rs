//! Each step, and the edges at which selections of others differ or say nothing.

use serde_json::json;

use super::{about, candidate, candidates, decided, kept, later, removed, verdicts, waiting};
use crate::selection::{Candidate, Maturity, Step, Verdict};

#[test]
fn include_regex_matches_whole() {
    assert_eq!(kept(json!({"include_regex": "a|b"}), &candidates("a b ab ax xb")), "a b");
    let out = about(json!({"include_regex": "a"}), &candidates("ab"), "ab");
    assert_eq!((out.verdict, out.key, out.rank), (removed(Step::IncludeRegex), None, None));
}

#[test]
fn what_is_no_version_is_not_dropped_without_a_word() {
    let all = candidates("latest 1.2 1.2.0-rc.1 v1.3.0 2.0.0_b1 1.2.3.4");
    assert_eq!(kept(json!({"version": {}}), &all), "1.2 v1.3.0 2.0.0_b1");
    assert_eq!(kept(json!({"version": {"ranges": ["~1.2", "2.x"]}}), &all), "1.2 2.0.0_b1");
    assert_eq!(kept(json!({"version": {"ranges": ["1.2"], "prereleases": true}}), &all), "1.2");
    assert_eq!(kept(json!({"version": {"prereleases": true}}), &all), "1.2 1.2.0-rc.1 v1.3.0 2.0.0_b1");
    assert_eq!(kept(json!({"version": {"ranges": ["1.2.0-0"]}}), &all), "", "one version, which no tag is");
    assert_eq!(kept(json!({"version": {"ranges": [">=1.2.0-0 <1.3"]}}), &all), "1.2 1.2.0-rc.1");
    let out = about(json!({"version": {"ranges": ["^1"]}}), &all, "2.0.0_b1");
    assert_eq!((out.verdict, out.key.unwrap().to_string().as_str()), (removed(Step::Version), "2.0.0+b1"));
    let out = about(json!({"version": {}}), &all, "latest");
    assert_eq!((out.verdict, out.key), (removed(Step::Version), None));
}

#[test]
fn versions_are_taken_from_a_group() {
    let all = candidates("app-1.2.0-alpine app-1.3.0 1.4.0 app-1.5.0-debian app-x");
    let version = json!({"from": r"app-(?<version>\d\S*?)?(-alpine|-debian)?", "ranges": [">=1.2"]});
    assert_eq!(kept(json!({"version": version.clone()}), &all), "app-1.2.0-alpine app-1.3.0 app-1.5.0-debian");
    let newest = json!({"version": version, "newest": 1});
    assert_eq!(kept(newest, &all), "app-1.5.0-debian");
    let part = json!({"version": {"from": "app-(?<version>1.2)"}});
    assert_eq!(kept(part, &all), "", "the whole tag is matched");
    let key = json!({"include_regex": "app-(?<key>.*?)(-alpine)?", "version": {}});
    assert_eq!(kept(key, &all), "app-1.2.0-alpine app-1.3.0", "what is compared of a tag is its version, too");
}

#[test]
fn exclude_has_globs_and_a_regex() {
    let all = candidates("1.0 1.0-debug 1.1-rc1 1.2-rc2");
    let exclude = json!({"globs": ["*-debug", "[!1]*"], "regex": r".*-rc\d"});
    assert_eq!(kept(json!({"exclude": exclude}), &all), "1.0");
    assert_eq!(kept(json!({"exclude": {"globs": ["*-RC?"], "regex": "rc"}}), &all), "1.0 1.0-debug 1.1-rc1 1.2-rc2");
    let out = about(json!({"version": {}, "exclude": {"globs": ["1.0"]}}), &all, "1.0");
    assert_eq!((out.verdict, out.key.unwrap().to_string().as_str()), (removed(Step::Exclude), "1.0.0"));
}

#[test]
fn always_is_kept_from_steps_two_to_five_only() {
    let all = candidates("latest 3.0 2.0 1.0");
    let always = json!(["latest", "1.*"]);
    for (mut rule, step) in [
        (json!({"include_regex": r"[2-3]\.0"}), Step::IncludeRegex),
        (json!({"version": {"ranges": [">=2"]}}), Step::Version),
        (json!({"exclude": {"globs": ["latest", "1.0"]}}), Step::Exclude),
        (json!({"newest": 2}), Step::Newest),
    ] {
        rule["always"] = always.clone();
        assert_eq!(kept(rule.clone(), &all), "latest 3.0 2.0 1.0");
        let spared: Vec<_> = decided(rule, &all).into_iter().map(|decision| decision.spared).collect();
        assert_eq!(spared, [Some(step), None, None, Some(step)]);
    }
    let small = json!({"always": ["*"], "max_size": 1, "platforms": ["linux/amd64"]});
    let large = Candidate { size: Some(2), ..candidate("latest") };
    let other = Candidate { platforms: Some(vec!["linux/arm64".parse().unwrap()]), ..candidate("latest") };
    let expected = [removed(Step::MaxSize), removed(Step::Platforms), Verdict::Held { until: later() }];
    assert_eq!(verdicts(small, &[large, other, waiting("latest")]), expected);
    let unseen = Candidate { first_seen: None, ..candidate("latest") };
    let out = about(json!({"always": ["*"], "newest": 1, "sort": "first_seen"}), &[unseen], "latest");
    assert_eq!((out.verdict, out.spared), (Verdict::Kept, Some(Step::Newest)));
}

#[test]
fn tags_made_from_digests_are_no_candidates() {
    let hex = "0123456789abcdef".repeat(4);
    let derived = candidates(&format!("sha256-{hex} sha256-{hex}.sig sha256-{hex}.att sha256-{hex}.sbom sha512-{hex}"));
    let all = [derived.clone(), candidates("main sha256-main")].concat();
    for rule in [json!({}), json!({"always": ["*"]}), json!({"include_regex": ".*"})] {
        assert_eq!(kept(rule.clone(), &all), "main sha256-main");
        assert_eq!(verdicts(rule, &derived), [removed(Step::Derived); 5]);
    }
    assert_eq!(kept(json!({"sort": "name", "newest": 2}), &all), "main sha256-main", "nor do they take a place");
}

#[test]
fn platforms_are_all_that_there_are() {
    let of = |name: &str, platforms: &[&str]| {
        let platforms = platforms.iter().map(|platform| platform.parse().unwrap()).collect();
        Candidate { platforms: Some(platforms), ..candidate(name) }
    };
    let all = [
        of("both", &["linux/amd64", "linux/riscv64"]),
        of("arm", &["linux/arm/v6", "linux/arm64"]),
        of("windows", &["windows/amd64"]),
        of("chart", &[]),
        Candidate { platforms: None, ..candidate("unknown") },
    ];
    assert_eq!(kept(json!({"platforms": ["linux/riscv64", "linux/arm64/v8"]}), &all), "both arm chart");
    assert_eq!(kept(json!({"platforms": ["windows/amd64", "linux/arm/v7"]}), &all), "windows chart");
    let verdicts = verdicts(json!({"platforms": ["linux/amd64"]}), &all);
    let unknown = Verdict::Unknown { step: Step::Platforms };
    let other = removed(Step::Platforms);
    assert_eq!(verdicts, [Verdict::Kept, other, other, Verdict::Kept, unknown]);
    assert_eq!(kept(json!({}), &all[4..]), "unknown", "who does not ask need not know");
}

#[test]
fn sizes_are_bounded_and_what_is_not_known_is_held() {
    let of = |size| Candidate { size, ..candidate("a") };
    let all = [of(Some(0)), of(Some(10)), of(Some(11)), of(Some(u64::MAX)), of(None)];
    let large = removed(Step::MaxSize);
    let unknown = Verdict::Unknown { step: Step::MaxSize };
    let max_size = json!({"max_size": 10});
    assert_eq!(verdicts(max_size, &all), [Verdict::Kept, Verdict::Kept, large, large, unknown]);
    assert_eq!(verdicts(json!({}), &all), [Verdict::Kept; 5]);
}

#[test]
fn the_first_step_that_does_not_let_it_pass_is_named() {
    let mut tag = Candidate {
        first_seen: None,
        maturity: Maturity::Waiting { until: later() },
        size: Some(2),
        platforms: Some(vec!["linux/arm64".parse().unwrap()]),
        ..candidate("1.0-rc")
    };
    let mut rule = json!({
        "include_regex": "x", "version": {}, "exclude": {"globs": ["*"]}, "newest": 1, "sort": "first_seen",
        "platforms": ["linux/amd64"], "max_size": 1,
    });
    let mut lift = |fields: &[&str], tag: &Candidate| {
        for field in fields {
            rule.as_object_mut().unwrap().remove(*field);
        }
        about(rule.clone(), std::slice::from_ref(tag), "1.0-rc").verdict
    };
    assert_eq!(lift(&[], &tag), removed(Step::IncludeRegex));
    assert_eq!(lift(&["include_regex"], &tag), removed(Step::Version));
    assert_eq!(lift(&["version"], &tag), removed(Step::Exclude));
    assert_eq!(lift(&["exclude"], &tag), Verdict::Unknown { step: Step::Newest });
    assert_eq!(lift(&["newest"], &tag), removed(Step::Platforms));
    assert_eq!(lift(&["platforms"], &tag), Verdict::Held { until: later() });
    tag.maturity = Maturity::Unknown;
    assert_eq!(lift(&[], &tag), Verdict::Unknown { step: Step::MinAge });
    tag.maturity = Maturity::Mature;
    assert_eq!(lift(&[], &tag), removed(Step::MaxSize));
    assert_eq!(lift(&["max_size"], &tag), Verdict::Kept);
}

#[test]
fn nothing_is_decided_about_nothing() {
    assert_eq!(decided(json!({"newest": 1}), &[]), []);
}
