//! What is taken as a selection, and what is said of the rest.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{candidates, kept, parse, selection};
use crate::{FieldError, selection::Selection, sent::MAX_SENT};

fn refusal(given: Value) -> (String, String) {
    let FieldError { field, reason } = parse(given).unwrap_err();
    (field, reason)
}

fn everything() -> Value {
    json!({
        "include_regex": r"v?(?<minor>\d+\.\d+)\.\d+.*", "version": {"from": "(?<version>.*)", "ranges": [">=1", "~0.9 || ^0.8.1"], "prereleases": false},
        "exclude": {"globs": ["*-debug"], "regex": ".*-rc.*"}, "sort": "version", "newest": 3, "group_by": "minor",
        "always": ["latest", "v1*"], "platforms": ["linux/amd64", "linux/arm/v7"], "max_size": 10_000_000_000_u64,
    })
}

#[test]
fn it_goes_back_as_it_came() {
    let texts = [
        "{}",
        r#"{"newest":null,"version":{},"exclude":{}}"#,
        r#"{"version":{"ranges":null,"from":null,"prereleases":null},"exclude":{"globs":[],"regex":null},"always":[]}"#,
        r#"{"always":["b","a","b","{never}"],"sort":"first_seen"}"#,
        &everything().to_string(),
    ];
    for text in texts {
        let selection: Selection = serde_json::from_str(text).unwrap();
        let given: Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&selection).unwrap(), given);
        assert_eq!(selection, parse(given).unwrap());
    }
    assert_ne!(selection(json!({})), selection(json!({"always": []})));
}

#[test]
fn what_is_refused_is_named() {
    for (given, field, reason) in [
        (json!([]), "selection", "expected an object"),
        (json!("v*"), "selection", "expected an object"),
        (json!(null), "selection", "expected an object"),
        (json!([null, null, null, null, 3, null, null, null, null]), "selection", "expected an object"),
        (json!({"version": [null, [">=1"], null]}), "selection.version", "expected an object"),
        (json!({"newset": 3}), "selection.newset", "unknown field `newset`"),
        (json!({"include_regex": 1}), "selection.include_regex", "expected a string"),
        (json!({"include_regex": "(?!a)b"}), "selection.include_regex", "has a look-around"),
        (json!({"include_regex": "(a"}), "selection.include_regex", "is no regular expression: unclosed group"),
        (json!({"include_regex": "a".repeat(2_000)}), "selection.include_regex", "is longer than 1024 bytes"),
        (json!({"version": []}), "selection.version", "expected an object"),
        (json!({"version": {"range": "1"}}), "selection.version.range", "unknown field `range`"),
        (json!({"version": {"from": "v(.*)"}}), "selection.version.from", "(?<version>…)"),
        (json!({"version": {"from": "v(?<v>.*)"}}), "selection.version.from", "(?<version>…)"),
        (json!({"version": {"from": "(?<version>.*)(?<=a)"}}), "selection.version.from", "has a look-around"),
        (json!({"version": {"ranges": [">=1", "foo"]}}), "selection.version.ranges[1]", "cannot be read from `foo` on"),
        (json!({"version": {"ranges": [">=1", 1]}}), "selection.version.ranges[1]", "expected a string"),
        (json!({"version": {"ranges": [">=1", ""]}}), "selection.version.ranges[1]", "every version is `*`"),
        (json!({"version": {"ranges": ["1 ".repeat(200)]}}), "selection.version.ranges[0]", "longer than 256 bytes"),
        (json!({"version": {"ranges": []}}), "selection.version.ranges", "is empty"),
        (json!({"version": {"ranges": vec!["1"; 33]}}), "selection.version.ranges", "has more than 32 entries"),
        (json!({"version": {"ranges": ">=1"}}), "selection.version.ranges", "expected a sequence"),
        (json!({"version": {"prereleases": "no"}}), "selection.version.prereleases", "expected a boolean"),
        (json!({"exclude": ["a"]}), "selection.exclude", "expected an object"),
        (json!({"exclude": {"glob": []}}), "selection.exclude.glob", "unknown field `glob`"),
        (json!({"exclude": {"globs": ["a", null]}}), "selection.exclude.globs[1]", "expected a string"),
        (json!({"exclude": {"regex": "a)|(b"}}), "selection.exclude.regex", "unopened group"),
        (json!({"sort": "semver"}), "selection.sort", "unknown variant `semver`"),
        (json!({"newest": 0}), "selection.newest", "expected a nonzero u32"),
        (json!({"newest": -1}), "selection.newest", "expected a nonzero u32"),
        (json!({"newest": 2.5}), "selection.newest", "expected a nonzero u32"),
        (json!({"newest": 4_294_967_296_u64}), "selection.newest", "expected a nonzero u32"),
        (json!({"group_by": "minor"}), "selection.group_by", "is no group of `include_regex` or `version.from`"),
        (json!({"group_by": "a", "include_regex": "(a)"}), "selection.group_by", "write (?<a>…) in one of them"),
        (
            json!({"group_by": "a", "include_regex": "(?<a>.*)", "version": {"from": "(?<a>.)(?<version>.*)"}}),
            "selection.group_by",
            "is a group of both",
        ),
        (json!({"always": "latest"}), "selection.always", "expected a sequence"),
        (json!({"always": ["a", "b".repeat(1_025)]}), "selection.always[1]", "is longer than 1024 bytes"),
        (json!({"platforms": []}), "selection.platforms", "is empty"),
        (json!({"platforms": ["linux/amd64", "amd64"]}), "selection.platforms[1]", "is no platform"),
        (json!({"max_size": "1GB"}), "selection.max_size", "expected a nonzero u64"),
        (json!({"max_size": 0}), "selection.max_size", "expected a nonzero u64"),
        (json!({"always": vec!["a"; 5_000]}), "selection", "is larger than 16384 bytes"),
    ] {
        let said = refusal(given.clone());
        assert!(said.0 == field && said.1.contains(reason), "{given}\n{said:?}");
        let error = serde_json::from_value::<Selection>(given).unwrap_err().to_string();
        assert_eq!(error, format!("{}: {}", said.0, said.1), "and by whoever reads it as a part");
    }
}

#[test]
fn a_selection_of_the_largest_size_is_taken() {
    let of = |length: usize| json!({"always": vec!["a".repeat(1_000); 16], "group_by": null, "include_regex": "b".repeat(length)});
    let room = MAX_SENT - of(0).to_string().len();
    assert!(room < 1_000 && parse(of(room)).is_ok());
    assert_eq!(refusal(of(room + 1)).0, "selection");
}

#[test]
fn null_is_nothing() {
    let given = json!({"include_regex": null, "version": null, "exclude": null, "sort": null, "newest": null, "group_by": null, "always": null, "platforms": null, "max_size": null});
    let all = "latest v1 2-rc.1";
    assert_eq!(kept(given, &candidates(all)), all);
    assert_eq!(kept(json!({}), &candidates(all)), all);
}

/// Any JSON that looks a little like a selection.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c(?<version>)*.^$|x0-9 -]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["version", "linux/amd64", ">=1", "name", "(?<version>.*)", "(?=a)"])
            .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "include_regex",
        "version",
        "from",
        "ranges",
        "prereleases",
        "exclude",
        "globs",
        "regex",
        "sort",
        "newest",
        "group_by",
        "always",
        "platforms",
        "max_size",
        "other",
    ]);
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_is_taken_or_refused_by_a_field(given in anything()) {
        match parse(given.clone()) {
            Ok(selection) => {
                prop_assert_eq!(serde_json::to_value(&selection).unwrap(), given);
                prop_assert_eq!(selection.decide(&candidates("a 1 2-x")).len(), 3);
            }
            Err(error) => prop_assert!(error.field.starts_with("selection") && !error.reason.is_empty()),
        }
    }
}
