//! Lists that are searched and read on.

use std::time::Duration;

use moorage_tests::{
    browser::{Browser, TAB},
    eventually,
    image::{Image, layer},
    world::World,
};
use serde_json::json;

/// A repository with these tags, and its screen of this name.
async fn tagged(name: &str, tags: &[&str], screen: &str) -> Browser {
    let world = World::new(name).await;
    for tag in tags {
        let image = Image::oci("amd64", &[layer(rand::random(), 100)]);
        image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    }
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    world.sync().await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("repository/{}/{screen}", world.repository)).await;
    browser.see("tbody", tags[0]).await;
    browser
}

/// Searches for something, and for something else before the first answer comes: the second one counts.
async fn searched_twice(browser: &Browser, parameter: &str) {
    for (text, calls) in [("one", 1), ("two", 0)] {
        if calls > 0 {
            browser.hold("GET", &format!("{parameter}{text}"), calls).await;
        }
        let search = browser.find("input[type=search]").await;
        search.clear().await.unwrap();
        search.send_keys(text).await.unwrap();
        browser.press(TAB).await;
        if calls > 0 {
            browser.holds(1).await;
        }
    }
    eventually("the second one is answered", Duration::from_secs(20), async || {
        (browser.text("tbody th").await == "two").then_some(())
    })
    .await;
    browser.release().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(browser.text("tbody th").await, "two");
}

#[tokio::test]
async fn an_earlier_search_of_tags_replaces_no_later_one() {
    let browser = tagged("console-search", &["one", "two"], "tags").await;
    searched_twice(&browser, "filter_tag_name=like%3A").await;
    browser.close().await;
}

#[tokio::test]
async fn an_earlier_search_of_the_past_replaces_no_later_one() {
    let browser = tagged("console-past", &["one", "two"], "history").await;
    searched_twice(&browser, "specificTag=").await;
    browser.close().await;
}

#[tokio::test]
async fn what_could_not_be_read_of_a_tag_is_not_nothing() {
    let browser = tagged("console-unread", &["one"], "tags").await;
    let fail = "const real = window.fetch;
        window.fetch = (where, options) => String(where).includes('/referrers/')
            ? Promise.resolve(new Response('{\"message\": \"slow down\"}', {status: 429}))
            : real(where, options)";
    browser.script(fail, json!([])).await;
    browser.click("one").await;
    browser.see(".details", "What is attached could not be read. slow down").await;
    browser.close().await;
}
