//! What needs no page: sentences, and what is sent of a form.

use moorage_domain::{
    Dropped, FailureReason, Timestamp, Warning, changes::ChangeKind, preview::PreviewAction, run::Trigger,
};
use moorage_tests::{
    browser::{Browser, DESKTOP},
    stack::Stack,
};
use serde_json::{Value, json};

fn mirror(status: &str, changes: &Value) -> Value {
    let mut mirror = json!({"namespace": "a", "repository": "b", "is_enabled": true, "sync_status": status});
    mirror.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    mirror
}

#[tokio::test]
async fn the_front_page_says_no_more_than_is_true() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let fine = || mirror("SUCCESS", &json!({}));
    for (mirrors, sentence) in [
        (vec![], "There are no mirrors yet"),
        (vec![fine()], "The mirror is fine"),
        (vec![fine(), fine()], "All 2 mirrors are fine"),
        (
            vec![
                fine(),
                mirror("CANCEL", &json!({})),
                mirror("NEVER_RUN", &json!({})),
                mirror("SUCCESS", &json!({"is_enabled": false})),
            ],
            "1 of 4 mirrors is fine, 1 cancelled, 1 never ran, 1 disabled",
        ),
        (
            vec![mirror("SYNCING", &json!({"sync_waiting_until": "2099-01-01T00:00:00Z"}))],
            "1 waiting for the registry of 1 mirror",
        ),
        (vec![fine(), mirror("FAIL", &json!({})), mirror("CANCEL", &json!({}))], "1 failing of 3 mirrors"),
    ] {
        assert_eq!(browser.module("mirrors.js", "sentence", json!([mirrors])).await, json!(sentence));
    }
    browser.close().await;
}

#[tokio::test]
async fn a_password_is_sent_with_its_user_name() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let before = json!({"external_registry_username": "me", "sync_interval": 60, "deletion_limit": null});
    for (after, sent) in [
        (json!({"external_registry_username": "me", "sync_interval": 60}), json!({})),
        (json!({"external_registry_username": null}), json!({"external_registry_username": null})),
        (
            json!({"external_registry_username": "me", "external_registry_password": null}),
            json!({"external_registry_username": "me", "external_registry_password": null}),
        ),
        (
            json!({"external_registry_username": "me", "external_registry_password": "x", "sync_interval": 90}),
            json!({"external_registry_username": "me", "external_registry_password": "x", "sync_interval": 90}),
        ),
    ] {
        assert_eq!(browser.module("mirror-fields.js", "changes", json!([before, after])).await, sent);
    }
    browser.close().await;
}

#[tokio::test]
async fn a_preview_is_asked_with_the_source_where_it_is_not_the_mirrors() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let rule = json!({"rule_kind": "tag_glob_csv", "rule_value": ["v*"]});
    let mirror = json!({
        "external_reference": "a.example/b", "external_registry_username": "me", "root_rule": rule,
        "external_registry_config": {"verify_tls": true},
    });
    let typed = |reference: &str, password: &str| {
        json!({
            "external_reference": reference, "external_registry_username": "me", "external_registry_password": password,
            "root_rule": ["v*"], "verify_tls": true, "deletion_limit": null,
        })
    };
    for (mirror, typed, sent) in [
        (&mirror, typed("a.example/b", ""), json!({"root_rule": rule})),
        (&mirror, typed("c.example/b", ""), json!({"root_rule": rule, "external_reference": "c.example/b"})),
        (
            &mirror,
            typed("a.example/b", "x"),
            json!({"root_rule": rule, "external_registry_username": "me", "external_registry_password": "x"}),
        ),
    ] {
        let mut asked = browser.module("mirror-fields.js", "previewed", json!([mirror, typed])).await;
        // JSON knows no `undefined`, which is not sent.
        asked.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(asked, sent);
    }
    let new = browser.module("mirror-fields.js", "previewed", json!([null, typed("a.example/b", "x")])).await;
    assert_eq!(
        (&new["external_reference"], &new["external_registry_config"]["verify_tls"], &new["root_rule"]),
        (&json!("a.example/b"), &json!(true), &rule)
    );
    browser.close().await;
}

#[tokio::test]
async fn the_log_says_what_quays_says() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    for (kind, metadata, text) in [
        ("create_robot", json!({"robot": "a+b"}), "Create Robot Account a+b"),
        (
            "repo_mirror_sync_failed",
            json!({"message": "a/b", "stderr": "$& {tag}"}),
            "Mirror finished unsuccessfully for a/b; $& {tag}",
        ),
        (
            "repo_mirror_sync_failed",
            json!({"message": "'a/b' with tag pattern 'v*': PARTIAL SYNC", "tags": "v1, v2(FAILED)"}),
            "Mirror finished unsuccessfully for 'a/b' with tag pattern 'v*': PARTIAL SYNC: v1, v2(FAILED)",
        ),
        (
            "repo_mirror_sync_tag_failed",
            json!({"tag": "v1", "namespace": "a", "repo": "b", "stderr": "auth_failed: no (check external_registry_username)"}),
            "Mirror of v1 failure to repository a/b; auth_failed: no (check \"Username\")",
        ),
        (
            "delete_tag",
            json!({"tag": "v1", "namespace": "a", "repo": "b", "username": "me"}),
            "Tag v1 deleted in repository a/b by user me",
        ),
        (
            "repo_mirror_config_changed",
            json!({"changed": "mirror_rule", "to": ["v1", "v2"]}),
            "Mirror Tags changed to v1, v2",
        ),
        (
            "repo_mirror_config_changed",
            json!({"changed": "deletion_limit", "to": 3}),
            "Mirror Deletions in one sync changed to 3",
        ),
        ("repo_mirror_config_changed", json!({"changed": "mirror", "to": null}), "Mirror deleted"),
        (
            "repo_mirror_config_changed",
            json!({"changed": "hold_released", "to": {"digest": "sha256:0123456789abcdef", "tags": ["v1", "v2"], "reason": "a fix"}}),
            "Image 0123456789ab released for v1, v2: a fix",
        ),
        (
            "repo_mirror_config_changed",
            json!({"changed": "min_age", "to": {"mode": "off"}}),
            "Mirror Age changed to {\"mode\":\"off\"}",
        ),
        (
            "add_repo_notification",
            json!({"namespace": "a", "repo": "b", "event": "repo_mirror_late", "method": "slack"}),
            "Notification of \"mirror late\" by slack added to repository a/b",
        ),
        (
            "delete_repo_notification",
            json!({"namespace": "a", "repo": "b", "event": "repo_mirror_late", "method": "slack"}),
            "Notification of \"mirror late\" by slack removed from repository a/b",
        ),
        (
            "reset_repo_notification",
            json!({"namespace": "a", "repo": "b", "event": "repo_mirror_late", "method": "slack"}),
            "Notification of \"mirror late\" by slack started again in repository a/b",
        ),
        (
            "add_repo_notification",
            json!({"namespace": "a", "event": "repo_mirror_late", "method": "sns"}),
            "Notification of \"mirror late\" by sns added to organization a",
        ),
        (
            "org_mirror_config_changed",
            json!({"updated_fields": ["repository_filters", "sync_start_date"]}),
            "Organization mirror changed: Repository filters, Sync Start Date",
        ),
        (
            "org_mirror_sync_failed",
            json!({"namespace": "a", "message": "gone"}),
            "Organization mirror sync of a finished unsuccessfully: gone",
        ),
        (
            "change_repo_permission",
            json!({"team": "t", "repo": "b", "role": "read"}),
            "Change permission for team t in repository b to read",
        ),
        ("something_new", json!({"message": "m"}), "something new: m"),
    ] {
        let entry = json!([{"kind": kind, "metadata": metadata}]);
        assert_eq!(browser.module("log-text.js", "logText", entry).await, json!(text));
    }
    browser.close().await;
}

/// The names of all variants, as serde tells whoever gives none of them.
fn variants(unknown: &serde_json::Error) -> Vec<String> {
    unknown.to_string().split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_to_do_is_said_in_the_words_of_the_forms() {
    let reasons = variants(&serde_json::from_value::<FailureReason>(json!("?")).unwrap_err());
    let reasons: Vec<FailureReason> = serde_json::from_value(json!(reasons)).unwrap();
    let dropped = Dropped { external_registry_password: true, http_proxy: true, https_proxy: true, tls: true };
    let warnings = [
        Warning::DeletionsHeld { tags: 3, limit: 2, deselected: 0 },
        Warning::DeletionsHeld { tags: 3, limit: 2, deselected: 1 },
        Warning::DeletionsHeld { tags: 3, limit: 2, deselected: 3 },
        Warning::ListEmpty { tags: 1 },
        Warning::ListIncomplete { tags: 1 },
        Warning::AttachmentsIncomplete { unasked: 1, missing: 1, taken: 1 },
        Warning::TagsHeld { tags: 1, until: Some(Timestamp::from_unix(0)) },
        Warning::CredentialsDropped(dropped),
        Warning::CredentialsWithheld { insecure: true, proxy: true },
    ];
    let told: Vec<_> = warnings.iter().copied().map(Warning::reason).collect();
    let all = variants(&serde_json::from_value::<Warning>(json!({"reason": "?"})).unwrap_err());
    assert!(!all.is_empty() && all.iter().all(|it| told.contains(&it.as_str())), "{all:?}");
    let advice = reasons.iter().flat_map(|it| [it.advice(), it.advice_for_tag(), it.advice_for_organization()]);
    let texts: Vec<_> = advice.map(str::to_owned).chain(warnings.map(Warning::message)).collect();
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    for text in &texts {
        let said = browser.module("mirror-fields.js", "worded", json!([text])).await;
        let said = said.as_str().unwrap();
        let mut words = said.split(|it: char| it != '_' && !it.is_ascii_alphabetic());
        let field = words.find(|it| it.contains('_') && it.chars().any(char::is_lowercase));
        assert_eq!(field, None, "a field that no form has a label for: {said}");
    }
    let said = browser.module("mirror-fields.js", "worded", json!([FailureReason::TlsError.advice()])).await;
    assert!(said.as_str().unwrap().contains("turn \"Verify TLS\" off"), "{said}");
    browser.close().await;
}

#[tokio::test]
async fn each_part_of_a_run_has_words() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let triggers = variants(&serde_json::from_value::<Trigger>(json!("?")).unwrap_err());
    let actions = variants(&serde_json::from_value::<PreviewAction>(json!("?")).unwrap_err());
    let warnings = variants(&serde_json::from_value::<Warning>(json!({"reason": "?"})).unwrap_err());
    let changes = variants(&serde_json::from_value::<ChangeKind>(json!("?")).unwrap_err());
    // Those of tags that are to be turned back.
    let planned: Vec<_> = changes.iter().filter(|it| !it.contains("held")).map(|it| format!("to {it}")).collect();
    let missing = "const [given, done] = arguments, main = document.querySelector('script[type=module]').src;
        import(new URL('text.js', main)).then((it) => done(given.flatMap(([table, names]) => names.filter((name) => !(name in it[table])))))";
    let tables = json!([[
        ["TRIGGERS", triggers],
        ["WORDS", actions],
        ["WORDS", changes],
        ["WORDS", planned],
        ["WARNINGS", warnings]
    ]]);
    assert_eq!(browser.script_until_done(missing, tables).await, json!([]));
    browser.close().await;
}

#[tokio::test]
async fn a_field_of_the_gate_is_shown_part_by_part_only_if_that_is_all_of_it() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let authority = |more: Value| {
        let mut authority = json!({"name": "ci", "key": {"pem": "…"}});
        authority.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"mode": "enforce", "authorities": [authority]})
    };
    let keyless = |identities: Value| json!({"mode": "off", "authorities": [{"name": "ci", "keyless": {"identities": identities}}]});
    let one = json!({"issuer": "a", "subject_regex": "b"});
    let cases = [
        (
            "selection",
            json!({"include_regex": "v.*", "version": {"ranges": [">=1"], "prereleases": true}, "newest": 3}),
            true,
        ),
        (
            "selection",
            json!({"exclude": {"globs": ["*-dev"]}, "sort": "name", "platforms": ["linux/amd64"], "max_size": 5}),
            true,
        ),
        (
            "selection",
            json!({"sort": "version", "newest": 1, "version": {"ranges": ["1"], "prereleases": false}}),
            true,
        ),
        ("selection", json!({"version": {}}), false),
        ("selection", json!({"version": {"from": "(?<version>.*)-alpine"}}), false),
        ("selection", json!({"exclude": {"regex": "x"}}), false),
        ("selection", json!({"newest": 1, "group_by": "minor"}), false),
        ("min_age", json!({"mode": "off", "seconds": 5}), true),
        ("on_move", json!({"mode": "observe", "rules": [{"tags": ["a", "b"], "action": "keep"}]}), true),
        ("signature_policy", authority(json!({"transparency_log": "required"})), true),
        ("signature_policy", authority(json!({"formats": ["bundle"]})), false),
        ("signature_policy", authority(json!({"attestations": ["https://slsa.dev/provenance/v1"]})), false),
        ("signature_policy", keyless(json!([one])), true),
        ("signature_policy", keyless(json!([one, one])), false),
    ];
    let look = "const [cases, done] = arguments, main = document.querySelector('script[type=module]').src;
        import(new URL('gate.js', main)).then(({QUESTIONS, fromParts, isShown, meaning, toParts}) => done(cases.map(([name, value]) => {
          const {parts} = QUESTIONS.find((it) => it.name === name);
          return isShown(parts, value) && meaning(fromParts(parts, toParts(parts, value))) === meaning(value);
        })))";
    let given: Vec<_> = cases.iter().map(|(name, value, _)| json!([name, value])).collect();
    let shown = browser.script_until_done(look, json!([given])).await;
    for ((name, value, wanted), shown) in cases.iter().zip(shown.as_array().unwrap()) {
        assert_eq!(shown, wanted, "{name}: {value}");
    }
    for (message, path, said) in [
        ("selection.version.ranges[1]: is no range", "version.ranges.1", "is no range (number 2)"),
        ("selection: is larger: than that", "", "is larger: than that"),
        ("no field at all", "", "no field at all"),
    ] {
        let led = browser.module("gate.js", "blamed", json!(["selection", message])).await;
        assert_eq!(led, json!([path, said]), "{message}");
    }
    browser.close().await;
}

#[tokio::test]
async fn times_in_what_the_api_says_are_the_readers() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let text = "min_age: its image is held until 2001-02-03T04:05:06Z";
    let said = browser.module("mirror-fields.js", "worded", json!([text])).await;
    let said = said.as_str().unwrap();
    assert!(said.starts_with("\"Age\": its image is held until 3 Feb 2001") && !said.contains('Z'), "{said}");
    browser.close().await;
}

#[tokio::test]
async fn what_is_wrong_says_why_and_what_to_do() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let warning = json!({"reason": "list_empty", "message": "look at it"});
    for (mirror, said) in [
        (mirror("SUCCESS", &json!({})), json!([false])),
        (
            mirror("FAIL", &json!({"last_failure": "gone", "last_failure_advice": "push it"})),
            json!(["gone", "push it"]),
        ),
        (mirror("SUCCESS", &json!({"sync_warning": warning})), json!(["look at it"])),
        (mirror("SUCCESS", &json!({"sync_warning": warning, "is_late": true})), json!(["look at it"])),
        (
            mirror("SUCCESS", &json!({"is_late": true})),
            json!([
                "No sync has come to a good end for too long.",
                "look at the last runs; Sync Now starts another one"
            ]),
        ),
    ] {
        assert_eq!(browser.module("mirrors.js", "trouble", json!([mirror])).await, said);
    }
    browser.close().await;
}

#[tokio::test]
async fn very_few_dollars_are_shown_as_they_are() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    for (amount, shown) in
        [("0", "$0"), ("0.000033120000", "$0.0000331"), ("0.0062", "$0.0062"), ("23", "$23"), ("1234.5", "$1,230")]
    {
        assert_eq!(browser.module("text.js", "dollars", json!([amount])).await, json!(shown));
    }
    browser.close().await;
}

/// As the page of the documents has them, and `moorage nodes`.
#[tokio::test]
async fn nodes_get_the_files_of_the_page() {
    const PAGE: &str = include_str!("../../../../functions/registry/NODES.md");
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let at = |protocol: &str| {
        let host = "moorage.example.com";
        json!({"origin": format!("{protocol}//{host}"), "host": host})
    };
    let files = browser.module("nodes.js", "files", json!(["acme/nginx", "docker.io/nginx", at("https:")])).await;
    for file in files.as_array().unwrap() {
        assert!(PAGE.contains(&format!("```toml\n{}\n```\n", file.as_str().unwrap())), "{file}");
    }
    let files = browser.module("nodes.js", "files", json!(["acme/nginx", "quay.io/a", at("http:")])).await;
    assert!(files[1].as_str().unwrap().ends_with("/acme/nginx\"\ninsecure = true"), "{files}");
    for (reference, original) in [
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx"),
        ("Index.docker.io:443/acme/app", "docker.io/acme/app"),
        ("docker.io:5000/app", "docker.io:5000/app"),
        ("quay.io/app", "quay.io/app"),
    ] {
        assert_eq!(browser.module("nodes.js", "original", json!([reference])).await, json!(original));
    }
    browser.close().await;
}
