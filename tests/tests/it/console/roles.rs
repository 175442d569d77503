//! What a token that may only read, or write, is offered.

use moorage_tests::{
    browser::Browser,
    image::{Image, layer},
    world::World,
};
use serde_json::json;

#[tokio::test]
async fn nobody_is_offered_what_they_may_not_do() {
    let world = World::new("console-roles").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let run = world.sync().await["run_id"].as_str().unwrap().to_owned();
    for role in ["read", "write"] {
        let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), role).await).await;
        browser.see("tbody", "In sync").await;
        let bar = browser.text("#bar").await;
        assert!(!bar.contains("Tokens") && !bar.contains("Logs"), "{bar}");
        assert!(!browser.text("main").await.contains("New mirror"));
        browser.click(&world.repository.to_string()).await;
        browser.see("main", "docker pull").await;
        browser.see("main", "skopeo copy").await;
        assert_eq!(browser.text("main button").await.contains("Edit the description"), role == "write");
        assert_eq!(browser.text(".tabs").await, "Information\nTags\nTag history");
        assert!(!browser.text("main").await.contains("Mirroring"));
        browser.click("Tags").await;
        browser.see("tbody", "v1").await;
        browser.go("organizations").await;
        browser.see("tbody", if role == "read" { "Reader" } else { "Writer" }).await;
        assert!(!browser.text("main").await.contains("Mirroring"));
        for (tab, text) in [
            ("repositories", "app"),
            ("teams", "Repositories"),
            ("robots", "bot"),
            ("notifications", "Notes of the last"),
        ] {
            browser.go(&format!("organization/{}/{tab}", world.namespace)).await;
            browser.see("main", text).await;
            assert_eq!(browser.text("main button").await, "", "{tab}");
        }
        assert_eq!(browser.text(".tabs").await, "Repositories\nTeams\nRobots\nNotifications");
        // What somebody else has sent a link to.
        for screen in [
            format!("repository/{}/mirroring", world.repository),
            format!("repository/{}/mirroring?run={run}", world.repository),
            format!("organization/{}/logs", world.namespace),
            "tokens".to_owned(),
            "guide".to_owned(),
        ] {
            browser.go(&screen).await;
            browser.see("main .notice", "Administrators of ").await;
            assert!(browser.text("main").await.contains("This token may"), "{screen}");
            assert_eq!(browser.text("main :is(button, form)").await, "", "{screen}");
        }
        browser.go("health").await;
        browser.see("main", &world.namespace).await;
        browser.close().await;
    }
}
