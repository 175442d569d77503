//! All screens: with the keyboard alone, for screen readers, on a phone, in light and dark.

use std::{fs, path::Path, time::Duration};

use moorage_tests::{
    browser::{Browser, ESCAPE, PHONE, TAB},
    eventually,
    image::{Image, layer},
    world::World,
};
use serde_json::json;

async fn world(name: &str) -> World {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    world.sync().await;
    world
}

/// Every screen, and what it shows when it is there.
fn screens(world: &World) -> Vec<(String, &'static str)> {
    let (repository, organization) =
        (format!("repository/{}", world.repository), format!("organization/{}", world.namespace));
    let mut all = vec![
        (String::new(), "In sync"),
        ("guide".to_owned(), "Create and sync"),
        ("organizations".to_owned(), "Administrator"),
        ("logs".to_owned(), "Immediate mirror scheduled"),
        ("tokens".to_owned(), "Revoke"),
        ("health".to_owned(), "Mirrors"),
        ("nonsense".to_owned(), "There is no such page"),
    ];
    for (tab, text) in [
        ("information", "docker pull"),
        ("tags", "linux/amd64"),
        ("history", "Now"),
        ("logs", "Mirror started"),
        ("mirroring", "1 of 1 tag"),
        ("mirroring?holds=all", "Nothing waits"),
        ("settings", "Delete this repository"),
    ] {
        all.push((format!("{repository}/{tab}"), text));
    }
    for (tab, text) in [
        ("repositories", "Mirror"),
        ("teams", "Create or change a team"),
        ("robots", "Credentials"),
        ("notifications", "Nobody is told"),
        ("mirroring", "Only an organization without repositories"),
        ("logs", "Immediate mirror scheduled"),
        ("settings", "Delete this organization"),
    ] {
        all.push((format!("{organization}/{tab}"), text));
    }
    all
}

/// The text of axe-core, which checks pages as screen readers need them.
pub(super) fn axe() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tests-venv/lib");
    let python = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    fs::read_to_string(python.join("site-packages/axe_core_python/axe.min.js")).expect("`make setup` installs axe-core")
}

/// What axe-core finds wrong with what is shown, in light and in dark. It has to have judged contrasts.
pub(super) async fn check(browser: &Browser, axe: &str, what: &str) -> Vec<String> {
    let check = "const done = arguments[arguments.length - 1];
        const text = (it) => [it.id, it.nodes.map((node) => node.html + ' ' + node.failureSummary)];
        axe.run(document).then(
            (it) => done(it.passes.some((one) => one.id === 'color-contrast') ? it.violations.map(text) : ['no contrast']),
            (error) => done([String(error)]))";
    browser.script(axe, json!([])).await;
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let wrong = browser.script_until_done(check, json!([])).await;
        if wrong != json!([]) {
            found.push(format!("{what}, {scheme}: {wrong}"));
        }
    }
    found
}

#[tokio::test]
async fn every_screen_is_for_everybody() {
    let world = world("console-pages").await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.see("h1", "The mirror is fine").await;
    let (axe, mut found) = (axe(), Vec::new());
    for (screen, text) in screens(&world) {
        browser.go(&screen).await;
        browser.see("main", text).await;
        assert!(browser.log().await.is_empty(), "{screen}");
        found.extend(check(&browser, &axe, &screen).await);
    }
    browser.go("tokens").await;
    browser.click("Create a token").await;
    browser.see("dialog", "Role").await;
    found.extend(check(&browser, &axe, "a form in a dialog").await);
    browser.click("Cancel").await;
    browser.go(&format!("repository/{}/tags", world.repository)).await;
    browser.click("v1").await;
    browser.see(".details", "Nothing is attached").await;
    found.extend(check(&browser, &axe, "a tag").await);
    world.change_mirror(json!({"external_reference": format!("{}/console/nothing", world.stack.upstream)})).await;
    world.sync().await;
    browser.go("").await;
    browser.see(".why", "What to do").await;
    found.extend(check(&browser, &axe, "a failing mirror").await);
    assert!(found.is_empty(), "{found:#?}");
    browser.quit().await;
}

#[tokio::test]
async fn a_phone_shows_all_of_it() {
    let world = world("console-phone").await;
    let browser = Browser::new(&world.stack, PHONE).await;
    browser.sign_in(&world.token(Some(&world.namespace), "admin").await).await;
    browser.see("h1", "The mirror is fine").await;
    for (screen, text) in screens(&world) {
        browser.go(&screen).await;
        browser.see("main", text).await;
        let wider = browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])).await;
        assert!(wider.as_i64().unwrap() <= 0, "{screen} is {wider} pixels wider than the phone");
    }
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    browser.find("[data-field=root_rule]").await;
    let unfold = "for (const it of document.querySelectorAll('details')) it.open = true;
        for (const it of document.querySelectorAll('[data-field$=mode]')) {
          it.value = 'observe';
          it.dispatchEvent(new Event('change', {bubbles: true}));
        }
        for (const it of document.querySelectorAll('.rows button')) it.click();
        return document.documentElement.scrollWidth - innerWidth";
    let wider = browser.script(unfold, json!([])).await;
    assert!(wider.as_i64().unwrap() <= 0, "the whole form is {wider} pixels wider than the phone");
    browser.close().await;
}

#[tokio::test]
async fn the_keyboard_is_enough() {
    let world = world("console-keys").await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.see("tbody", "In sync").await;
    browser.refresh().await;
    browser.see("tbody", "In sync").await;
    let focused =
        "const it = document.activeElement; return (it.innerText || it.getAttribute('aria-label') || '').trim()";
    let mut order = Vec::new();
    for _ in 0..12 {
        browser.press(TAB).await;
        order.push(browser.script(focused, json!([])).await.as_str().unwrap().replace('\n', " "));
        let visible = "const it = getComputedStyle(document.activeElement); return it.outlineStyle !== 'none' && it.outlineWidth !== '0px'";
        assert_eq!(browser.script(visible, json!([])).await, json!(true), "{order:?}");
    }
    let expected = [
        "Skip to the content",
        "Moorage",
        "Mirrors",
        "Organizations",
        "Logs",
        "Tokens",
        "Health",
        "Sign out",
        "New mirror",
        "1 In sync",
        "Search mirrors",
    ];
    assert_eq!(order[..expected.len()], expected);

    // A dialog takes the focus, keeps it, ends with Escape, and gives it back.
    browser.go(&format!("repository/{}/settings", world.repository)).await;
    browser.find("h1").await;
    browser.click("Delete this repository").await;
    browser.see("dialog", "v1").await;
    assert!(!browser.may("Delete").await, "nothing was typed");
    for _ in 0..8 {
        browser.press(TAB).await;
        let inside = browser.script(
            "return document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))",
            json!([]),
        );
        assert_eq!(inside.await, json!(true));
    }
    browser.press(ESCAPE).await;
    let back = "return [document.querySelectorAll('dialog').length, document.activeElement.innerText]";
    eventually("the dialog is gone, and the focus back", Duration::from_secs(10), async || {
        (browser.script(back, json!([])).await == json!([0, "Delete this repository"])).then_some(())
    })
    .await;
    assert_eq!(world.mirror().await["sync_status"], "SUCCESS", "nothing was deleted");
    browser.close().await;
}
