//! A preview sends a password where it was meant to go when it was sent, and keeps none.

use moorage_tests::registry::PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{NONE, credentials, everything, reference, shows_password, two_registries, warning, with};

#[tokio::test]
async fn a_preview_sends_a_password_only_where_it_was_sent_for() {
    let (world, one, two) = two_registries("previewed").await;
    let path = world.mirror_path("/preview");
    let preview = async |body: Value| {
        let (status, preview) = world.call(Method::POST, &path, Some(body)).await;
        assert_eq!(status, 200, "{preview}");
        (preview["failure"]["reason"].clone(), preview["warning"]["reason"].clone())
    };
    let (works, refused) = (NONE, json!("auth_failed"));
    // Before there is a mirror the password is in the body.
    let insecure = json!({"external_registry_config": {"verify_tls": false}});
    let new = with(with(reference(&world, &one), insecure), credentials());
    assert_eq!(preview(new).await, works);
    assert!(shows_password(&one.take_seen()));

    world.create_mirror(&one.address, credentials()).await;
    let before = world.mirror().await;
    // Another repository of the same registry, or another rule, is no other place.
    assert_eq!(preview(json!({})).await, works);
    assert_eq!(preview(reference(&world, &one)).await, works);
    assert_eq!(preview(json!({"skopeo_timeout_interval": 301})).await, works);
    one.take_seen();
    let untold = (refused, json!("credentials_dropped"));
    for change in [
        reference(&world, &two),
        json!({"external_registry_config": {"verify_tls": true}}),
        json!({"external_registry_config": {"proxy": {"http_proxy": format!("http://{}", two.address)}}}),
    ] {
        let (_, warned) = preview(change.clone()).await;
        assert_eq!(warned, untold.1, "{change}");
    }
    assert_eq!(preview(reference(&world, &two)).await, untold);
    assert!(!shows_password(&two.take_seen()) && !shows_password(&one.take_seen()));
    assert_eq!(preview(with(reference(&world, &two), credentials())).await, works);
    assert!(shows_password(&two.take_seen()));

    // The mirror is what it was, and nobody has kept anything.
    assert_eq!(world.mirror().await, before);
    assert_eq!((&world.sync().await["status"], warning(&world).await), (&json!("SUCCESS"), NONE));
    let all = everything(&world).await;
    assert!(!all.contains(PASSWORD) && !all.contains("ss %w"));
}
