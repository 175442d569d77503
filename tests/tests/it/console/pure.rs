//! What needs no page: sentences, and what is sent of a form.

use moorage_domain::{Dropped, FailureReason, Timestamp, Warning};
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

/// What the console has no form for, so that its words are the API's: the login of a robot at an external registry.
const WITHOUT_LABEL: [&str; 2] = ["allow_insecure", "allow_proxy"];

#[tokio::test]
async fn what_to_do_is_said_in_the_words_of_the_forms() {
    let reasons = variants(&serde_json::from_value::<FailureReason>(json!("?")).unwrap_err());
    let reasons: Vec<FailureReason> = serde_json::from_value(json!(reasons)).unwrap();
    let dropped = Dropped { external_registry_password: true, http_proxy: true, https_proxy: true };
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
        let field =
            words.find(|it| it.contains('_') && it.chars().any(char::is_lowercase) && !WITHOUT_LABEL.contains(it));
        assert_eq!(field, None, "a field that no form has a label for: {said}");
    }
    let said = browser.module("mirror-fields.js", "worded", json!([FailureReason::TlsError.advice()])).await;
    assert!(said.as_str().unwrap().contains("turn \"Verify TLS\" off"), "{said}");
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
