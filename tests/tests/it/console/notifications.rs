//! Who is told of what happens to mirrors, and what people were told.

use std::time::Duration;

use moorage_domain::notification::{Event, Method, SigningSecret};
use moorage_tests::{
    browser::{Browser, DESKTOP},
    eventually,
    image::{Image, layer},
    receiver::{Manner, Receiver},
    stack::Stack,
    world::World,
};
use serde_json::{Value, json};

use super::pages::{axe, check};

const LIST: &str = "table[aria-label=Notifications]";
/// How long a message that nobody takes is tried again on these stacks, and longer.
const TRIES: Duration = Duration::from_secs(90);

async fn browser(world: &World, screen: &str) -> Browser {
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(screen).await;
    browser
}

async fn notifications(world: &World, of: &str) -> Vec<Value> {
    let (status, body) = world.call(reqwest::Method::GET, of, None).await;
    assert_eq!(status, 200, "{body}");
    body["notifications"].as_array().unwrap().clone()
}

#[tokio::test]
async fn one_is_made_tried_switched_on_again_and_deleted() {
    let (world, receiver) = (World::new("console-told").await, Receiver::start().await);
    let path = format!("repository/{}/notification/", world.repository);
    let browser = browser(&world, &format!("repository/{}/settings", world.repository)).await;
    browser.see("main", "Nobody is told of what happens.").await;
    browser.click("New notification…").await;
    let mut found = check(&browser, &axe(), "a new notification").await;
    browser.fill("title", "to the team").await;
    browser.choose("event", "repo_mirror_sync_failed").await;
    // What the API refuses is said where it is wrong, and a dialog keeps what was filled in.
    browser.click("Create").await;
    browser.see("dialog .field:has([data-field=url]) .wrong", "Missing webhook URL").await;
    browser.fill("url", &receiver.url).await;
    browser.script("document.querySelector('dialog details').open = true", json!([])).await;
    found.extend(check(&browser, &axe(), "all of its filters").await);
    browser.find("dialog [value=recovery]").await.click().await.unwrap();
    browser.click("Create").await;
    browser.see("dialog .several .wrong", "is never told of a recovery").await;
    browser.find("dialog [value=recovery]").await.click().await.unwrap();
    browser.find("dialog [value=failure]").await.click().await.unwrap();
    browser.fill("tags", "v1.*, latest").await;
    browser.fill("reasons", "bad_luck").await;
    browser.click("Create").await;
    browser.see("dialog .field:has([data-field=reasons]) .wrong", "bad_luck").await;
    browser.fill("reasons", "auth_failed").await;
    browser.fill("min_interval", "5").await;
    browser.click("Make a random one").await;
    let secret = browser.value("secret").await;
    assert!(SigningSecret::parse(&secret).is_ok(), "it is one that the API takes");
    browser.see("dialog m-copy", &secret).await;
    browser.click("Create").await;
    browser.see(LIST, "to the team").await;
    assert_eq!(browser.text("dialog").await, "");
    let shown = browser.text(LIST).await;
    for text in ["A sync fails", "Webhook", "Signed", "On", receiver.url.split_once("://").unwrap().1] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let made = notifications(&world, &path).await.remove(0);
    assert_eq!((&made["config"], &made["signed"]), (&json!({"url": receiver.url}), &json!(true)));
    let filters =
        json!({"only": ["failure"], "reasons": ["auth_failed"], "tags": ["v1.*", "latest"], "min_interval": 300});
    assert_eq!(made["event_config"], filters);

    receiver.answer_with(Manner::Status(503));
    browser.click("Test to the team").await;
    browser.see("main [role=status]", "A sample is on its way. Webhook: 127.0.0.1").await;
    eventually("its failure is seen", TRIES, async || {
        browser.text(LIST).await.contains("1 message in a row not delivered").then_some(())
    })
    .await;
    found.extend(check(&browser, &axe(), "a failing one").await);
    browser.click("Enable to the team").await;
    browser.see("main [role=status]", "It is on.").await;
    eventually("it is as new", Duration::from_secs(20), async || {
        (!browser.text(LIST).await.contains("not delivered")).then_some(())
    })
    .await;
    assert_eq!(notifications(&world, &path).await[0]["number_of_failures"], 0);

    browser.click("Delete to the team").await;
    browser.see("dialog", "A sync fails. Webhook: 127.0.0.1").await;
    browser.see("dialog", "Its secret").await;
    browser.click("Delete").await;
    browser.see("main", "Nobody is told of what happens.").await;
    assert_eq!(notifications(&world, &path).await, [] as [Value; 0]);
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}

#[tokio::test]
async fn people_of_an_organization_read_what_they_were_told() {
    let world = World::new("console-notes").await;
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, "v1").await;
    let screen = format!("organization/{}/notifications", world.namespace);
    let browser = browser(&world, &screen).await;
    browser.see("main", "Notes of the last thirty days").await;
    browser.click("New notification…").await;
    browser.choose("event", "repo_mirror_changed").await;
    browser.choose("method", "quay_notification").await;
    assert_eq!(browser.value("target").await, world.namespace);
    browser.fill("target", "somebody-else").await;
    browser.click("Create").await;
    browser.see("dialog .field:has([data-field=target]) .wrong", "must match").await;
    browser.fill("target", &world.namespace).await;
    browser.click("Create").await;
    browser.see(LIST, &format!("org {}", world.namespace)).await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let run = world.sync().await;
    let notes = format!("organization/{}/notes", world.namespace);
    eventually("they are told", Duration::from_secs(20), async || {
        let (_, shown) = world.call(reqwest::Method::GET, &notes, None).await;
        (shown["notes"].as_array()?.len() == 1).then_some(())
    })
    .await;
    browser.refresh().await;
    browser.see("table[aria-label=Notes]", "tags changed: 1 created").await;
    let found = check(&browser, &axe(), "notes").await;
    assert!(found.is_empty(), "{found:#?}");
    browser.click(world.repository.as_str()).await;
    browser.see("section[aria-label=Run]", "What it changed").await;
    let address = browser.script("return location.hash", json!([])).await;
    let id = run["run_id"].as_str().unwrap();
    assert_eq!(address, json!(format!("#/repository/{}/mirroring?run={id}", world.repository)));
    browser.close().await;

    let reader = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "read").await).await;
    reader.go(&screen).await;
    reader.see("table[aria-label=Notes]", "Tags come, move or go").await;
    assert_eq!(reader.text("main button").await, "");
    assert!(!reader.text("main").await.contains("Nobody is told"));
    reader.close().await;
}

#[tokio::test]
async fn each_event_and_method_has_words() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let look = "const [done] = arguments, main = document.querySelector('script[type=module]').src;
        import(new URL('notification.js', main)).then(({FIELDS, eventText}) => {
          const [events, methods] = ['event', 'method'].map((name) => FIELDS.find((it) => it.name === name).options);
          done([events.map(([it]) => it), methods.map(([it]) => it), events.every(([it, text]) => eventText(it) === text)]);
        })";
    let sorted = |names: &Value| {
        let mut names: Vec<_> = names.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let said = browser.script_until_done(look, json!([])).await;
    assert_eq!(sorted(&said[0]), sorted(&json!(Event::ALL)));
    assert_eq!(sorted(&said[1]), sorted(&json!(Method::ALL)));
    assert_eq!(said[2], true);
    browser.close().await;
}

#[tokio::test]
async fn what_is_sent_is_what_the_method_takes() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let url = json!({"url": "https://a.example/x"});
    for (method, config, goes) in [
        ("webhook", url.clone(), "Webhook: a.example"),
        ("slack", url, "Slack: a.example"),
        ("sns", json!({"topic_arn": "arn"}), "SNS: arn"),
        ("eventbridge", json!({"bus": "default"}), "EventBridge: default"),
        ("quay_notification", json!({"target": {"kind": "org", "name": "acme"}}), "Note: org acme"),
    ] {
        let filled = json!({
            "event": "repo_mirror_late", "method": method, "title": "", "url": "https://a.example/x", "template": "",
            "secret": "", "topic_arn": "arn", "bus": "default", "kind": "org", "target": "acme", "only": [],
            "reasons": [], "tags": ["v*"], "min_interval": null, "intervals": 5, "every_attempt": false,
        });
        let sent = browser.module("notification.js", "toNotification", json!([filled])).await;
        let wanted = json!({
            "event": "repo_mirror_late", "method": method, "title": "", "config": config,
            "eventConfig": {"tags": ["v*"], "intervals": 5},
        });
        assert_eq!(sent, wanted);
        assert_eq!(browser.module("notification.js", "goesTo", json!([sent])).await, json!(goes));
    }
    browser.close().await;
}
