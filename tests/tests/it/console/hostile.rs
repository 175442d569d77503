//! Whatever a registry, a tenant or a client has written stays text.

use bytes::Bytes;
use moorage_tests::{
    browser::Browser,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::Method;
use serde_json::json;

const MARKUP: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>";

#[tokio::test]
async fn hostile_text_is_shown_as_text() {
    let world = World::new("console-hostile").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "onerror-alert.1").await;
    let proxy = Proxy::start(&upstream).await;
    let said = json!({"errors": [{"code": MARKUP, "message": MARKUP, "detail": MARKUP}]});
    world
        .create_mirror(&proxy.address, json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*", MARKUP]}}))
        .await;
    world.sync().await;
    proxy.fault("GET", "/tags/list", usize::MAX, Fault::Answer(403, Vec::new(), Bytes::from(said.to_string())));
    world.sync().await;
    let repository = format!("repository/{}", world.repository);
    let described = world.call(Method::PUT, &repository, Some(json!({"description": MARKUP}))).await;
    assert_eq!(described.0, 200, "{described:?}");
    let robot = format!("organization/{}/robots/evil", world.namespace);
    assert_eq!(world.call(Method::PUT, &robot, Some(json!({"description": MARKUP}))).await.0, 201);
    let team = format!("organization/{}/team/evil", world.namespace);
    assert_eq!(world.call(Method::PUT, &team, Some(json!({"role": "member", "description": MARKUP}))).await.0, 200);
    let token = json!({"description": MARKUP, "namespace": world.namespace, "role": "read"});
    assert_eq!(world.call(Method::POST, "tokens", Some(token)).await.0, 201);

    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    let organization = format!("organization/{}", world.namespace);
    for (screen, text) in [
        (String::new(), "Why:"),
        (format!("{repository}/information"), MARKUP),
        (format!("{repository}/logs"), MARKUP),
        (format!("{repository}/tags"), "onerror-alert.1"),
        (format!("{repository}/mirroring"), "Why:"),
        (format!("{organization}/repositories"), MARKUP),
        (format!("{organization}/robots"), MARKUP),
        (format!("{organization}/teams"), MARKUP),
        (format!("{organization}/logs"), MARKUP),
        ("tokens".to_owned(), MARKUP),
        (
            format!("repository/{}/%3Cimg%20src=x%20onerror=alert(1)%3E/tags", world.namespace),
            "<img src=x onerror=alert(1)>",
        ),
        ("repository/../../tokens/x/tags".to_owned(), "is no name"),
    ] {
        browser.go(&screen).await;
        browser.see("main", text).await;
        let made = browser.script(
            "return document.querySelectorAll('img, script:not([src]), iframe, [onerror], [style]').length",
            json!([]),
        );
        assert_eq!(made.await, json!(0), "{screen}");
    }
    browser.close().await;
}
