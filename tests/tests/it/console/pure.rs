//! What needs no page: sentences, and what is sent of a form.

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
            "1 of 4 mirrors is fine, 1 cancelled, 1 not synced yet, 1 disabled",
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
            "Mirror finished unsuccessfully for a/b $& {tag}",
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
            "change_repo_permission",
            json!({"team": "t", "repo": "b", "role": "read"}),
            "Change permission for team t in repository b to read",
        ),
        ("something_new", json!({"message": "m"}), "something new m"),
    ] {
        let entry = json!([{"kind": kind, "metadata": metadata}]);
        assert_eq!(browser.module("log-text.js", "logText", entry).await, json!(text));
    }
    browser.close().await;
}
