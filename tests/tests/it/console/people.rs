//! People who sign in with the company's provider: how they come, how they go, and what they see.

mod sees;
mod sign_in;

use moorage_tests::{
    browser::{Browser, DESKTOP, PHONE},
    people::{People, Person},
    world::World,
};
use reqwest::Method;
use serde_json::json;

use super::pages::{axe, check};

fn host(people: &People) -> &str {
    people.issuer.trim_start_matches("http://")
}

/// Signs in as people do: here, and then at the provider.
async fn sign_in(browser: &Browser, people: &People, person: &Person) {
    browser.click(&format!("Sign in with {}", host(people))).await;
    let (login, password) = person.login();
    browser.find("input[name=login]").await.send_keys(login).await.unwrap();
    browser.find("input[name=password]").await.send_keys(password).await.unwrap();
    browser.click("Sign in").await;
}

/// A browser in which somebody has signed in.
async fn signed_in(world: &World, people: &People, person: &Person) -> Browser {
    let browser = Browser::new(&world.stack, DESKTOP).await;
    sign_in(&browser, people, person).await;
    browser.see("#bar", &person.name).await;
    browser
}

/// Has the stack know somebody, as a first sign-in does.
async fn known(world: &World, person: &Person) {
    let (status, user) = world.send(Method::GET, "user/", Some(&person.token().await), None).await;
    assert_eq!((status, &user["username"]), (200, &json!(person.name)), "{user}");
}

/// What is wrong for somebody, on a wide window and on a phone.
async fn judged(browser: &Browser, what: &str) -> Vec<String> {
    let mut found = check(browser, &axe(), what).await;
    browser.resize(PHONE).await;
    let wider = browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])).await;
    if wider.as_i64().unwrap() > 0 {
        found.push(format!("{what} is {wider} pixels wider than the phone"));
    }
    browser.resize(DESKTOP).await;
    found
}
