//! Logins of clouds in the forms: of a mirror, of an organization's, and of the first one.

use moorage_tests::{
    browser::{Browser, DESKTOP, PHONE},
    organization_mirror,
    sigstore::authority::Authority,
    world::World,
};
use serde_json::{Value, json};

use super::pages::{axe, check};

/// A registry that logins of AWS are for.
const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const REPOSITORY: &str = "[aria-label='Mirror settings'] [role=status]";
const ORGANIZATION: &str = "[aria-label='Organization mirror'] [role=status]";

async fn opened(world: &World, screen: &str) -> Browser {
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(screen).await;
    browser.find("[data-field=credentials-type]").await;
    browser
}

async fn save(browser: &Browser, said: &str) {
    browser.script("document.querySelector(arguments[0]).textContent = ''", json!([said])).await;
    browser.click("Update Mirror").await;
}

/// Whether a field is asked for.
async fn asks(browser: &Browser, field: &str) -> bool {
    let code = "return !document.querySelector(`[data-field=${arguments[0]}]`).closest('.field').hidden";
    browser.script(code, json!([field])).await == json!(true)
}

#[tokio::test]
async fn a_cloud_stands_in_for_a_password() {
    let world = World::new("console-cloud").await;
    let login = json!({
        "external_registry_username": "me", "external_registry_password": "hunter2",
        "external_registry_config": {"verify_tls": true},
    });
    world.create_mirror(&world.stack.upstream.clone(), login).await;
    let browser = opened(&world, &format!("repository/{}/mirroring", world.repository)).await;
    let config = async || world.mirror().await["external_registry_config"]["credentials"].clone();
    assert!(asks(&browser, "external_registry_username").await && !asks(&browser, "credentials-role_arn").await);

    browser.choose("credentials-type", "google").await;
    assert!(!asks(&browser, "external_registry_username").await, "nobody has a password then");
    assert!(asks(&browser, "credentials-provider").await && asks(&browser, "credentials-service_account").await);
    let mut found = check(&browser, &axe(), "a cloud's login").await;
    browser.resize(PHONE).await;
    let wider = browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])).await;
    if wider.as_i64().unwrap() > 0 {
        found.push(format!("{wider} pixels wider than the phone"));
    }
    assert!(found.is_empty(), "{found:#?}");
    browser.resize(DESKTOP).await;

    browser.choose("credentials-type", "ecr").await;
    browser.fill("credentials-role_arn", "nobody").await;
    save(&browser, REPOSITORY).await;
    browser.see("[aria-label='Mirror settings'] .wrong", "it must be arn:aws:iam::").await;
    browser.fill("credentials-role_arn", "").await;
    save(&browser, REPOSITORY).await;
    browser.see("[aria-label='Mirror settings'] .wrong", "no registry that a login of type ecr is for").await;
    assert_eq!(config().await, Value::Null);
    browser.fill("external_reference", &format!("{ECR}/base/app")).await;
    save(&browser, REPOSITORY).await;
    browser.see(REPOSITORY, "Saved").await;
    let mirror = world.mirror().await;
    assert_eq!(
        (&mirror["external_registry_config"]["credentials"], &mirror["external_registry_username"]),
        (&json!({"type": "ecr"}), &Value::Null)
    );

    // It is shown again, other settings leave it, and it can be taken away.
    browser.refresh().await;
    browser.find("[data-field=credentials-type]").await;
    assert_eq!(browser.value("credentials-type").await, "ecr");
    browser.fill("root_rule", "v2").await;
    save(&browser, REPOSITORY).await;
    browser.see(REPOSITORY, "Saved").await;
    assert_eq!(config().await, json!({"type": "ecr"}));
    browser.choose("credentials-type", "").await;
    assert!(asks(&browser, "external_registry_username").await);
    save(&browser, REPOSITORY).await;
    browser.see(REPOSITORY, "Saved").await;
    assert_eq!(config().await, Value::Null);
    browser.close().await;
}

#[tokio::test]
async fn an_organizations_mirror_has_clouds_and_authorities_too() {
    let world = World::empty("console-org-cloud").await;
    let config = json!({"external_registry_config": {"verify_tls": true}});
    organization_mirror::create(&world, "distribution", &world.stack.upstream, config).await;
    let browser = opened(&world, &format!("organization/{}/mirroring", world.namespace)).await;
    let config = async || organization_mirror::mirror(&world).await["external_registry_config"].clone();
    let unfold = "for (const group of document.querySelectorAll('details.group')) group.open = true";
    browser.script(unfold, json!([])).await;
    let set = "const field = document.querySelector('[data-field=ca_bundle]'); field.value = arguments[0];
        field.dispatchEvent(new Event('input', {bubbles: true}))";
    browser.script(set, json!([Authority::new("a company").pem()])).await;
    save(&browser, ORGANIZATION).await;
    browser.see(ORGANIZATION, "Saved").await;
    assert_eq!(config().await["tls"]["ca_subjects"], json!(["CN=a company"]));

    browser.script(unfold, json!([])).await;
    browser.see("[aria-label='Organization mirror']", "CN=a company").await;
    browser.fill("external_registry_url", &format!("https://{ECR}")).await;
    browser.choose("credentials-type", "ecr").await;
    browser.script("document.querySelector('[data-field=forget_tls]').click()", json!([])).await;
    save(&browser, ORGANIZATION).await;
    browser.see(ORGANIZATION, "Saved").await;
    let now = config().await;
    assert_eq!((&now["credentials"], now.get("tls")), (&json!({"type": "ecr"}), None));

    browser.choose("credentials-type", "").await;
    save(&browser, ORGANIZATION).await;
    browser.see(ORGANIZATION, "Saved").await;
    assert_eq!(config().await.get("credentials").unwrap_or(&Value::Null), &Value::Null);
    browser.close().await;
}

#[tokio::test]
async fn what_a_new_mirror_logs_in_by_is_asked_on_one_page() {
    let world = World::empty("console-first-cloud").await;
    let browser = opened(&world, "guide").await;
    browser.fill("external_reference", &format!("{}/base/app", world.stack.upstream)).await;
    browser.choose("credentials-type", "azure").await;
    assert!(!asks(&browser, "external_registry_password").await);
    browser.fill("credentials-tenant_id", "11111111-2222-4333-8444-555555555555").await;
    browser.fill("credentials-client_id", "66666666-7777-4888-9999-000000000000").await;
    browser.click("Create and sync").await;
    browser.see(".wrong", "no registry that a login of type azure is for").await;
    browser.see("section[aria-label=Progress]", "failed").await;
    browser.close().await;
}
