//! Robots: who logs in as one without its token, and what one logs in with elsewhere.

use std::time::Duration;

use moorage_tests::{
    browser::{Browser, DESKTOP, PHONE},
    eventually,
    sigstore::authority::Authority,
    stack::Stack,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::pages::{axe, check};

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";
/// A registry that logins of AWS are for.
const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

async fn opened(name: &str) -> (World, Browser) {
    let world = World::new(name).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("organization/{}/robots", world.namespace)).await;
    browser.click(&format!("Credentials of {}", world.robot_name())).await;
    browser.see("dialog", "Workloads that log in without the token").await;
    (world, browser)
}

async fn robot(world: &World) -> Value {
    world.call(Method::GET, &format!("organization/{}/robots/bot", world.namespace), None).await.1
}

/// What a dialog shows has to be for everybody, also on a phone.
async fn judged(browser: &Browser, what: &str) {
    let mut found = check(browser, &axe(), what).await;
    browser.resize(PHONE).await;
    let wider = browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])).await;
    if wider.as_i64().unwrap() > 0 {
        found.push(format!("{what} is {wider} pixels wider than the phone"));
    }
    let inner = "return [...document.querySelectorAll('dialog')].map((it) => it.scrollWidth - it.clientWidth)";
    let inner = browser.script(inner, json!([])).await;
    if inner.as_array().unwrap().iter().any(|it| it.as_i64().unwrap() > 0) {
        found.push(format!("{what} has to be scrolled sideways on the phone: {inner}"));
    }
    browser.resize(DESKTOP).await;
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn workloads_may_log_in_as_a_robot() {
    let (world, browser) = opened("console-federation").await;
    let field = |name: &str| format!("federation-workloads-0-{name}");
    browser.click("Change the workloads…").await;
    browser.click("Add a workload").await;
    browser.fill(&field("issuer"), "ftp://idp.example").await;
    browser.fill(&field("subject"), SUBJECT).await;
    browser.fill(&field("audiences"), "https://registry.example.com\nsecond").await;
    judged(&browser, "a form of workloads").await;
    browser.click("Save").await;
    browser.see("dialog .problem", "Issuer must be a URL").await;
    browser.fill(&field("issuer"), ISSUER).await;
    browser.click("Save").await;
    browser.see("dialog [aria-label=Workloads]", "https://registry.example.com, second").await;
    let audiences = json!(["https://registry.example.com", "second"]);
    let first = json!({"issuer": ISSUER, "subject": SUBJECT, "audiences": audiences});
    assert_eq!(robot(&world).await["federation"], json!([first]));
    judged(&browser, "a robot").await;

    // Another one is added; then both go.
    browser.click("Change the workloads…").await;
    browser.click("Add a workload").await;
    browser.fill("federation-workloads-1-issuer", ISSUER).await;
    browser.fill("federation-workloads-1-subject", "other").await;
    browser.click("Save").await;
    browser.see("dialog [aria-label=Workloads]", "any").await;
    assert_eq!(robot(&world).await["federation"], json!([first, {"issuer": ISSUER, "subject": "other"}]));
    browser.click("Change the workloads…").await;
    browser.click("Remove Workload 1").await;
    browser.click("Remove Workload 2").await;
    browser.click("Save").await;
    browser.see("dialog .empty", "There are none.").await;
    assert_eq!(robot(&world).await.get("federation"), None);
    browser.click("Close").await;

    browser.go(&format!("organization/{}/logs", world.namespace)).await;
    browser.see("tbody", "Workloads may log in as robot bot").await;
    browser.see("tbody", "No workload may log in as robot bot").await;
    browser.close().await;
}

#[tokio::test]
async fn a_login_is_not_lost_by_a_change_of_something_else() {
    let browser = Browser::new(&Stack::from_env().await, DESKTOP).await;
    let filled = |more: Value| {
        let mut filled = json!({
            "host": "h", "username": "", "password": "", "no_password": false,
            "allow_insecure": false, "allow_proxy": true,
        });
        filled.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        filled
    };
    let sent = |more: Value| {
        let mut sent = json!({"host": "h", "allow_insecure": false, "allow_proxy": true});
        sent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sent
    };
    let (by_certificate, nothing) = (json!({"host": "h", "tls": {"client_subject": "CN=x"}}), Value::Null);
    for (form, login, body) in [
        (json!({}), &by_certificate, json!({"tls": {}})),
        (json!({"client_key": "K"}), &by_certificate, json!({"tls": {"client_key": "K"}})),
        (
            json!({"username": "u", "password": "p"}),
            &by_certificate,
            json!({"username": "u", "password": "p", "tls": {}}),
        ),
        // What is asked for without a login the API refuses.
        (json!({"forget_tls": true}), &by_certificate, json!({"username": "", "password": "", "tls": null})),
        (json!({"host": "i"}), &by_certificate, json!({"host": "i", "username": "", "password": ""})),
        (json!({}), &nothing, json!({"username": "", "password": ""})),
        (json!({"username": "u", "no_password": true}), &nothing, json!({"username": "u", "password": ""})),
        (json!({"credentials": {"type": "ecr"}}), &nothing, json!({"credentials": {"type": "ecr"}})),
    ] {
        let shown = browser.module("robot-access.js", "toLogin", json!([filled(form.clone()), login])).await;
        assert_eq!(shown, sent(body), "{form}");
    }
    browser.close().await;
}

#[tokio::test]
async fn a_robot_logs_in_elsewhere() {
    let (world, browser) = opened("console-elsewhere").await;
    let registry = async || robot(&world).await["external_registry"].clone();
    browser.click("Add… the login").await;
    assert!(!browser.may("Save").await, "no registry is named");
    browser.fill("host", "registry.example.com").await;
    browser.click("Save").await;
    browser.see("dialog .wrong, dialog .problem", "username must not be empty").await;
    browser.fill("username", "puller").await;
    browser.fill("password", "hunter2").await;
    browser.find("[data-field=allow_proxy]").await.click().await.unwrap();
    judged(&browser, "a form of a login").await;
    browser.click("Save").await;
    browser.see("dialog .facts", "registry.example.com").await;
    browser.see("dialog .facts", "Through proxies, too").await;
    let expected =
        json!({"host": "registry.example.com", "username": "puller", "allow_insecure": false, "allow_proxy": true});
    assert_eq!(registry().await, expected);

    // An authority of its own, for a while; then a cloud's login. The password is never lost by saying nothing of it.
    browser.click("Change… the login").await;
    browser.click("Save").await;
    browser.see("dialog .wrong", "say that the user has none").await;
    browser.fill("password", "hunter2").await;
    browser.script("document.querySelector('dialog details.group').open = true", json!([])).await;
    let set = "const field = document.querySelector('dialog [data-field=ca_bundle]'); field.value = arguments[0];
        field.dispatchEvent(new Event('input', {bubbles: true}))";
    browser.script(set, json!([Authority::new("a company").pem()])).await;
    browser.click("Save").await;
    browser.see("dialog .facts", "CN=a company").await;
    assert_eq!(registry().await["tls"]["ca_subjects"], json!(["CN=a company"]));
    browser.click("Change… the login").await;
    browser.fill("password", "hunter2").await;
    browser.script("document.querySelector('dialog [data-field=forget_tls]').click()", json!([])).await;
    browser.click("Save").await;
    eventually("the authority is gone", Duration::from_secs(20), async || {
        registry().await.get("tls").is_none().then_some(())
    })
    .await;
    browser.click("Change… the login").await;
    browser.choose("credentials-type", "ecr").await;
    let hidden = "return document.querySelector('dialog [data-field=username]').closest('.field').hidden";
    assert_eq!(browser.script(hidden, json!([])).await, json!(true));
    browser.click("Save").await;
    browser.see("dialog .wrong", "no registry that a login of type ecr is for").await;
    browser.fill("host", ECR).await;
    browser.click("Save").await;
    browser.see("dialog .facts", ECR).await;
    assert_eq!(registry().await["credentials"], json!({"type": "ecr"}));
    assert_eq!(registry().await.get("tls"), None);

    browser.click("Remove the login").await;
    browser.see("dialog", "Mirrors with").await;
    browser.click("Remove").await;
    browser.click("Add… the login").await;
    assert_eq!(registry().await, Value::Null);
    browser.close().await;
}
