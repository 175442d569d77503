//! TLS with an authority and client certificates of a mirror's own, against nginx in front of a stock registry: with the
//! registry, with its token server, and where it redirects to.

use moorage_tests::{
    guarded::Guarded,
    image::{Image, layer},
    organization_mirror as whole,
    sigstore::authority::{Authority, Certified},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{NONE, dropped, everything, reference_to, warning, with};

/// A moment long after any test.
const FAR: i64 = 2_500_000_000;
/// A moment that is past.
const PAST: i64 = 1_600_000_000;

/// A world with an image, and the registry that has it for whoever shows a certificate.
async fn guarded(name: &str) -> (World, Guarded, Certified) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 900)]).push(&upstream, &world.path, "v1").await;
    let registry = Guarded::new(&world.stack.upstream);
    let client = registry.client("puller", FAR);
    (world, registry, client)
}

fn config(tls: Value) -> Value {
    let mut config = json!({"external_registry_config": {"verify_tls": true}});
    config["external_registry_config"]["tls"] = tls;
    config
}

fn trusting(registry: &Guarded) -> Value {
    json!({"ca_bundle": registry.authority.pem()})
}

fn shown_by(client: &Certified) -> Value {
    json!({"client_certificate": client.pem, "client_key": client.key.serialize_pem()})
}

/// The status of a run, its reason, and what is said of it.
fn ended(run: &Value) -> (&str, &str, String) {
    let (status, failure) = (run["status"].as_str().unwrap(), &run["failure"]);
    (status, failure["reason"].as_str().unwrap_or_default(), failure["message"].to_string())
}

async fn assert_fails(world: &World, said: &str) {
    let run = world.sync().await;
    let (status, reason, message) = ended(&run);
    assert_eq!((status, reason), ("FAIL", "tls_error"), "{run}");
    assert!(message.contains(said), "{message}");
}

async fn assert_succeeds(world: &World) {
    let run = world.sync().await;
    assert_eq!(ended(&run).0, "SUCCESS", "{run}");
}

/// Nothing of what was sent is anywhere: no line of the key, and none of a certificate.
async fn assert_untold(world: &World, texts: &[&str]) {
    let all = everything(world).await;
    for line in texts.iter().flat_map(|text| text.lines()).filter(|line| line.len() > 20 && !line.starts_with('-')) {
        assert!(!all.contains(line), "{line}");
    }
}

#[tokio::test]
async fn an_authority_and_a_certificate_of_its_own() {
    let (world, registry, client) = guarded("own-tls").await;
    let key = client.key.serialize_pem();
    world.create_mirror(&registry.address, config(json!({}))).await;
    assert_fails(&world, "ca_bundle").await;
    world.change_mirror(config(trusting(&registry))).await;
    assert_fails(&world, "client_certificate").await;
    // One is kept where the other is sent.
    world.change_mirror(config(shown_by(&client))).await;
    let run = world.sync().await;
    assert_eq!((ended(&run).0, &run["tags_copied"]), ("SUCCESS", &json!(1)), "{run}");
    for (port, status) in registry.ports.into_iter().zip([200, 200, 200]) {
        let seen = registry.visitors(port);
        assert!(seen.contains(&("CN=puller".to_owned(), status)), "{port}: {seen:?}");
    }
    let facts = json!({
        "ca_subjects": ["CN=a company"], "ca_expires": "2049-12-31T23:59:59Z",
        "client_subject": "CN=puller", "client_expires": "2049-03-22T04:26:40Z",
    });
    let shown = || async { world.mirror().await["external_registry_config"].clone() };
    assert_eq!(shown().await, json!({"verify_tls": true, "tls": facts}));
    // What is shown may be sent back, and what says nothing of it changes nothing of it.
    world.change_mirror(json!({"external_registry_config": shown().await})).await;
    world.change_mirror(json!({"external_registry_config": {"unsigned_images": true}})).await;
    assert_eq!(shown().await["tls"], facts);
    let (status, preview) = world.call(Method::POST, &world.mirror_path("/preview"), Some(json!({}))).await;
    assert_eq!((status, &preview["failure"], &preview["counts"]["keep"]), (200, &Value::Null, &json!(1)), "{preview}");
    let new = with(config(with(trusting(&registry), shown_by(&client))), reference_to(&world, &registry.address));
    let (status, preview) = world.call(Method::POST, &world.mirror_path("/preview"), Some(new)).await;
    assert_eq!((status, &preview["failure"]), (200, &Value::Null), "{preview}");
    // Who verifies nothing shows who asks all the same.
    world.change_mirror(json!({"external_registry_config": {"verify_tls": false}})).await;
    assert_succeeds(&world).await;
    assert_eq!(warning(&world).await, NONE, "a key that is sent to nobody goes by any way");
    let logged = world.log().await;
    let entry =
        |what: &str| logged.iter().find(|entry| entry["metadata"]["changed"] == what).unwrap()["metadata"].clone();
    assert_eq!(entry("client_certificate")["to"], json!(["CN=puller"]));
    assert_eq!(entry("ca_bundle")["to"], json!(["CN=a company"]));

    world.change_mirror(config(json!(null))).await;
    assert_eq!(shown().await.get("tls"), None);
    assert_fails(&world, "ca_bundle").await;
    assert_untold(&world, &[&key, &client.pem, registry.authority.pem()]).await;
}

#[tokio::test]
async fn what_was_sent_for_one_registry_is_not_for_another() {
    let (world, registry, client) = guarded("own-tls-moved").await;
    world.create_mirror(&registry.address, config(with(trusting(&registry), shown_by(&client)))).await;
    assert_succeeds(&world).await;
    let other = Guarded::new(&world.stack.upstream);
    world.change_mirror(reference_to(&world, &other.address)).await;
    assert_eq!(warning(&world).await, dropped(&["tls"]));
    assert_fails(&world, "ca_bundle").await;
    assert_eq!(world.last_run().await["warning"]["reason"], "credentials_dropped");
    let theirs = other.client("other", FAR);
    world.change_mirror(config(with(trusting(&other), shown_by(&theirs)))).await;
    assert_eq!(warning(&world).await, NONE);
    assert_succeeds(&world).await;
    // A certificate that the registry does not know.
    world.change_mirror(config(shown_by(&client))).await;
    assert_fails(&world, "does not accept the client certificate").await;
    world.change_mirror(reference_to(&world, &registry.address)).await;
    world.change_mirror(config(json!(null))).await;
    assert_eq!(warning(&world).await, NONE, "what was removed is not missed");
}

#[tokio::test]
async fn a_new_authority_gets_no_password_that_is_stored() {
    let world = World::new("own-tls-passwords").await;
    let password = json!({"external_registry_username": "u", "external_registry_password": "p"});
    let trusting = |name: &str| config(json!({"ca_bundle": Authority::new(name).pem()}));
    world.create_mirror(&world.stack.upstream, with(password.clone(), config(json!({})))).await;
    world.change_mirror(trusting("one")).await;
    assert_eq!(warning(&world).await, dropped(&["external_registry_password"]));
    // What is sent together with it is for whoever is trusted then.
    world.change_mirror(with(password, trusting("two"))).await;
    assert_eq!(warning(&world).await, NONE);
    world.change_mirror(config(json!({"ca_bundle": null}))).await;
    assert_eq!(warning(&world).await, NONE);
    world.change_mirror(trusting("three")).await;
    assert_eq!(warning(&world).await, dropped(&["external_registry_password"]));
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_once() {
    let (world, registry, client) = guarded("own-tls-refused").await;
    let stranger = registry.client("stranger", FAR);
    let mixed = json!({"client_certificate": client.pem, "client_key": stranger.key.serialize_pem()});
    let cases = [
        (json!({"ca_bundle": "hunter2"}), "ca_bundle: has no certificate"),
        (json!({"ca_bundle": client.pem}), "ca_bundle: certificate 1 (CN=puller) is not an authority's"),
        (shown_by(&registry.client("late", PAST)), "client_certificate: certificate 1 (CN=late) has expired"),
        (mixed, "client_key: does not belong"),
    ];
    let robot = format!("organization/{}/robots/bot/external-registry", world.namespace);
    for (tls, said) in cases {
        let new = with(world.mirror_body(&registry.address), config(tls.clone()));
        let organization = with(whole::body(&world, "distribution", &registry.address), config(tls.clone()));
        for (method, path, body) in [
            (Method::POST, world.mirror_path(""), new),
            (
                Method::POST,
                world.mirror_path("/preview"),
                with(config(tls.clone()), reference_to(&world, &registry.address)),
            ),
            (Method::PUT, robot.clone(), json!({"host": registry.address, "tls": tls})),
            (Method::POST, whole::path(&world, ""), organization),
        ] {
            let (status, answer) = world.call(method, &path, Some(body)).await;
            assert_eq!(status, 400, "{path}: {answer}");
            let text = answer.to_string();
            assert!(text.contains(said) && !text.contains("hunter2") && !text.contains("BEGIN"), "{path}: {answer}");
        }
    }
    assert_eq!(world.call(Method::GET, &world.mirror_path(""), None).await.0, 404);
}

#[tokio::test]
async fn a_robot_has_it_for_all_mirrors_that_have_none() {
    let (world, registry, client) = guarded("own-tls-robot").await;
    let path = format!("organization/{}/robots/bot/external-registry", world.namespace);
    let put = async |body: Value| {
        let (status, robot) = world.call(Method::PUT, &path, Some(body)).await;
        assert_eq!(status, 200, "{robot}");
        robot["external_registry"].clone()
    };
    // Who shows a certificate needs no password.
    let tls = with(trusting(&registry), shown_by(&client));
    let shown = put(json!({"host": registry.address, "tls": tls})).await;
    assert_eq!((&shown["username"], &shown["tls"]["client_subject"]), (&json!(""), &json!("CN=puller")), "{shown}");
    world.create_mirror(&registry.address, config(json!({}))).await;
    assert_succeeds(&world).await;
    // What is not sent again stays with its host; the certificate does not go where the robot's password may not.
    put(json!({"host": registry.address, "username": "u", "password": "p"})).await;
    assert_succeeds(&world).await;
    world.change_mirror(json!({"external_registry_config": {"verify_tls": false}})).await;
    let run = world.sync().await;
    assert_eq!((ended(&run).0, &run["warning"]["reason"]), ("FAIL", &json!("credentials_withheld")), "{run}");
    world.change_mirror(json!({"external_registry_config": {"verify_tls": true}})).await;
    // Whoever has a mirror's own authority could be the registry: the robot's are withheld.
    let other = Authority::new("another");
    world.change_mirror(config(json!({"ca_bundle": other.pem()}))).await;
    assert_fails(&world, "ca_bundle").await;
    let run = world.last_run().await;
    assert_eq!(run["warning"]["settings"], json!(["allow_insecure"]), "{run}");
    world.change_mirror(config(trusting(&registry))).await;
    assert_fails(&world, "client_certificate").await;
    // The robot may allow it.
    put(json!({"host": registry.address, "username": "u", "password": "p", "allow_insecure": true})).await;
    assert_succeeds(&world).await;
    world.change_mirror(config(json!(null))).await;
    let elsewhere = put(json!({"host": "registry.example.com", "username": "u", "password": "p"})).await;
    assert_eq!(elsewhere.get("tls"), None, "{elsewhere}");
    assert_fails(&world, "ca_bundle").await;
    assert_untold(&world, &[&client.key.serialize_pem(), &client.pem, registry.authority.pem()]).await;
}

#[tokio::test]
async fn an_organizations_mirror_finds_and_copies_by_it() {
    let world = World::empty("own-tls-whole").await;
    whole::push(&world, "app", &["v1"]).await;
    let registry = Guarded::new(&world.stack.upstream);
    let client = registry.client("puller", FAR);
    let body = json!({"external_registry_url": format!("https://{}", registry.address)});
    whole::create(&world, "distribution", &registry.address, with(body, config(trusting(&registry)))).await;
    let verified = || async { world.call(Method::POST, &whole::path(&world, "/verify"), None).await.1 };
    let without = verified().await;
    assert!(without.to_string().contains("client certificate"), "{without}");
    // The rest of the configuration is replaced as a whole; what cannot be read back stays.
    whole::change(&world, config(shown_by(&client))).await;
    let with_it = verified().await;
    assert_eq!(with_it["success"], true, "{with_it}");
    whole::sync_now(&world).await;
    whole::wait_for(&world, json!({"SUCCESS": 1})).await;
    let found = format!("repository/{}/mirror", whole::named(&world, "app"));
    let (_, mirror) = world.call(Method::GET, &found, None).await;
    assert_eq!(mirror["external_registry_config"]["tls"]["client_subject"], "CN=puller", "{mirror}");
    whole::change(&world, json!({"external_registry_config": {"verify_tls": true}})).await;
    assert_eq!(whole::mirror(&world).await["external_registry_config"]["tls"]["ca_subjects"], json!(["CN=a company"]));
    whole::change(&world, config(json!(null))).await;
    let gone = whole::mirror(&world).await;
    assert_eq!(gone["external_registry_config"], json!({"verify_tls": true}), "{gone}");
}
