//! Answers from elsewhere: whatever a registry's redirects, realms and storages say, the password reaches nobody whom the
//! mirror's owner has not named, and what counts is what the registry itself says.

use moorage_tests::{
    bucket,
    hostile::{Answer, Hostile, basic},
    image::{Image, layer},
    registry::{PASSWORD, USER},
    victim::Victim,
    world::{World, outcome},
};
use serde_json::{Value, json};

/// What the token servers give.
const TOKEN: &str = "a-token-of-the-tests";

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 1_000)])
}

fn blob(world: &World, image: &Image) -> String {
    format!("/v2/{}/blobs/{}", world.path, moorage_domain::Digest::sha256(&image.blobs[1]))
}

/// A registry, somebody else's server, and a tenant who mirrors from the registry, too.
struct Place {
    world: World,
    registry: Hostile,
    thief: Hostile,
    victim: Victim,
    good: Image,
    bad: Image,
}

impl Place {
    /// The mirror has credentials; the registry holds `good` and `bad`.
    async fn new(name: &str, registry: Hostile, config: Value) -> Self {
        let (world, thief) = (World::new(name).await, Hostile::start().await);
        let victim = Box::pin(Victim::new(&format!("{name}-v"))).await;
        Box::pin(victim.mirror(&registry)).await;
        let (good, bad) = (image(), image());
        registry.hold(&world.path, "good", &good);
        registry.hold(&world.path, "bad", &bad);
        let body = json!({
            "external_registry_username": USER, "external_registry_password": PASSWORD,
            "external_registry_config": config,
        });
        Box::pin(world.create_mirror(&registry.address, body)).await;
        Self { world, registry, thief, victim, good, bad }
    }

    /// Has the registry ask for Basic credentials.
    fn asks_for_basic(&self) {
        self.registry.refuse_without(&self.world.path, &basic(USER, PASSWORD), "Basic realm=\"x\"");
    }

    /// Has the registry ask for a token of this realm.
    fn asks_for_token(&self, realm: &str) {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        self.registry.refuse_without(&self.world.path, &format!("Bearer {TOKEN}"), &challenge);
    }

    /// Nothing that belongs to the registry came to the thief, and the other tenant is well.
    async fn assert_nothing_stolen(&self, what: &str) {
        assert!(!self.thief.heard(USER, PASSWORD), "{what}: the password is stolen");
        for asked in self.thief.take_asked() {
            assert_eq!(asked.header("authorization"), None, "{what}: {asked:?}");
            assert!(!asked.holds(TOKEN), "{what}: {asked:?}");
        }
        self.victim.is_well().await;
    }
}

fn plain() -> Value {
    json!({"verify_tls": false})
}

#[tokio::test]
async fn a_challenge_behind_a_redirect_is_not_answered() {
    let place = Place::new("origin-challenge", Hostile::start().await, plain()).await;
    let realm = format!("Bearer realm=\"{}/token\",service=\"x\"", place.thief.url);
    let own_realm = format!("Bearer realm=\"{}/token\",service=\"x\"", place.registry.url);
    for status in [401, 403] {
        for challenge in ["Basic realm=\"x\"", &realm, &own_realm] {
            for is_manifest in [true, false] {
                // Another image each time: nothing of it is there yet.
                let bad = image();
                place.registry.repent();
                place.registry.hold(&place.world.path, "bad", &bad);
                let manifest = format!("/v2/{}/manifests/{}", place.world.path, bad.digest());
                let path = if is_manifest { manifest } else { blob(&place.world, &bad) };
                place.asks_for_basic();
                let location = format!("{}{path}", place.thief.url);
                place.registry.always("GET", &path, move || Answer::redirect(307, &location));
                let told = challenge.to_owned();
                place.thief.always("", "/v2/", move || Answer::new(status).header("www-authenticate", &told));
                let run = place.world.sync().await;
                let bad = outcome(&run, "bad");
                assert_eq!(bad["outcome"], "failed", "{challenge} {path}: {run}");
                let good = outcome(&run, "good")["outcome"].as_str().unwrap();
                assert!(matches!(good, "copied" | "unchanged"), "{challenge} {path}: {run}");
                assert!(place.thief.count() > 0);
                assert!(!place.thief.heard(USER, PASSWORD), "{challenge} {path}: the password is stolen");
            }
        }
    }
    place.assert_nothing_stolen("a challenge").await;
    let held = bucket::check(&place.world.stack, &place.world.repository).await;
    assert_eq!(held.tags.into_iter().collect::<Vec<_>>(), [("good".to_owned(), place.good.digest())]);
}

#[tokio::test]
async fn a_list_that_is_redirected_does_not_take_the_password_along() {
    let place = Place::new("origin-list", Hostile::start().await, plain()).await;
    place.asks_for_basic();
    let tags = format!("/v2/{}/tags/list", place.world.path);
    let location = format!("{}{tags}", place.thief.url);
    place.registry.always("GET", &tags, move || Answer::redirect(302, &location));
    place.thief.always("", "/v2/", || Answer::new(401).header("www-authenticate", "Basic realm=\"x\""));
    let run = place.world.sync().await;
    assert_eq!(run["status"], "FAIL", "{run}");
    place.assert_nothing_stolen("a list").await;
    place.registry.repent();
    assert_eq!(place.world.sync().await["status"], "SUCCESS");
}

#[tokio::test]
async fn a_realm_elsewhere_gets_the_password_only_if_it_is_named() {
    let place = Place::new("origin-realm", Hostile::start().await, plain()).await;
    let realm = format!("{}/token", place.thief.url);
    place.asks_for_token(&realm);
    place.thief.give_token(USER, PASSWORD, TOKEN);
    let run = place.world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("auth_failed")), "{run}");
    let message = run["failure"]["message"].as_str().unwrap();
    assert!(message.contains("token_realms") && message.contains("127.0.0.1"), "{message}");
    place.assert_nothing_stolen("a realm").await;

    // One that looks like it is not it.
    for (near, says) in
        [("127.0.0.1.example.com", "a longer name"), ("0.0.1", "a part of the address"), ("*", "a pattern")]
    {
        let config = json!({"external_registry_config": {"verify_tls": false, "token_realms": [near]}});
        let (status, _) = place.world.call(reqwest::Method::PUT, &place.world.mirror_path(""), Some(config)).await;
        assert!(matches!(status, 201 | 400), "{says}: {status}");
        if status == 201 {
            assert_eq!(place.world.sync().await["failure"]["reason"], "auth_failed", "{says}");
        }
        place.assert_nothing_stolen(says).await;
    }

    let config = json!({"external_registry_config": {"verify_tls": false, "token_realms": ["127.0.0.1"]}});
    place.world.change_mirror(config).await;
    assert_eq!(place.world.mirror().await["external_registry_config"]["token_realms"], json!(["127.0.0.1"]));
    let run = place.world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(2)), "it is named now: {run}");
    assert!(place.thief.heard(USER, PASSWORD));
    place.victim.is_well().await;
}

#[tokio::test]
async fn a_realm_elsewhere_may_give_tokens_to_anybody() {
    let place = Place::new("origin-anybody", Hostile::start().await, plain()).await;
    let nobody = json!({"external_registry_username": null, "external_registry_password": null});
    place.world.change_mirror(nobody).await;
    place.asks_for_token(&format!("{}/token", place.thief.url));
    place.thief.always("GET", "/token", || Answer::json(&json!({"token": TOKEN})));
    let run = place.world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(2)), "{run}");
    place.assert_nothing_stolen("anonymous").await;
}

#[tokio::test]
async fn the_realm_stays_the_one_that_it_was() {
    let place = Place::new("origin-moves", Hostile::start().await, plain()).await;
    place.asks_for_token(&format!("{}/token", place.registry.url));
    place.registry.give_token(USER, PASSWORD, TOKEN);
    for header in [format!("Bearer realm=\"{}/token\",service=\"x\"", place.thief.url), "Basic realm=\"x\"".into()] {
        // In the midst of the run another one is named, for one image.
        let header = header.clone();
        let path = blob(&place.world, &place.bad);
        place.registry.always("GET", &path, move || Answer::new(401).header("www-authenticate", &header));
        place.thief.give_token(USER, PASSWORD, "another-token");
        let run = place.world.sync().await;
        assert_eq!(outcome(&run, "bad")["outcome"], "failed", "{run}");
        let good = outcome(&run, "good")["outcome"].as_str().unwrap();
        assert!(matches!(good, "copied" | "unchanged"), "{run}");
        place.assert_nothing_stolen("a realm that moves").await;
    }
}

#[tokio::test]
async fn no_password_goes_from_https_to_http() {
    let place = Place::new("origin-https", Hostile::start_tls().await, plain()).await;
    place.asks_for_token(&format!("{}/token", place.thief.url));
    place.thief.give_token(USER, PASSWORD, TOKEN);
    let run = place.world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("auth_failed")), "{run}");
    place.assert_nothing_stolen("http").await;
    let config = json!({"external_registry_config": {"verify_tls": false, "token_realms": ["127.0.0.1"]}});
    place.world.change_mirror(config).await;
    let run = place.world.sync().await;
    assert_eq!(run["status"], "FAIL", "not even if it is named: {run}");
    place.assert_nothing_stolen("http that is named").await;
    // Nor is an https registry that redirects to http given it.
    place.registry.repent();
    place.asks_for_basic();
    let path = blob(&place.world, &place.bad);
    let location = format!("{}{path}", place.thief.url);
    place.registry.always("GET", &path, move || Answer::redirect(307, &location));
    place.thief.always("", "/v2/", || Answer::new(401).header("www-authenticate", "Basic realm=\"x\""));
    let run = place.world.sync().await;
    assert_eq!(outcome(&run, "good")["outcome"], "copied", "{run}");
    place.assert_nothing_stolen("a redirect to http").await;
}

#[tokio::test]
async fn requests_for_tokens_are_not_sent_on() {
    let place = Place::new("origin-token", Hostile::start().await, plain()).await;
    place.asks_for_token(&format!("{}/token", place.registry.url));
    let location = format!("{}/token", place.thief.url);
    place.thief.always("", "/token", || Answer::json(&json!({"token": TOKEN, "access_token": TOKEN})));
    for status in [301, 302, 303, 307, 308] {
        let to = location.clone();
        place.registry.always("GET", "/token", move || Answer::redirect(status, &to));
        let run = place.world.sync().await;
        assert_eq!(run["status"], "FAIL", "GET {status}: {run}");
        assert_eq!(place.thief.take_asked().len(), 0, "GET {status}");
        // OAuth2's POST has the password in its body.
        place.registry.always("GET", "/token", || Answer::new(405));
        let to = location.clone();
        place.registry.always("POST", "/token", move || Answer::redirect(status, &to));
        let run = place.world.sync().await;
        assert_eq!(run["status"], "FAIL", "POST {status}: {run}");
        let asked = place.thief.take_asked();
        assert_eq!(asked.len(), 0, "POST {status}: {asked:?}");
    }
    place.assert_nothing_stolen("a token request").await;
    place.registry.repent();
    assert_eq!(place.world.sync().await["status"], "SUCCESS");
}

#[tokio::test]
async fn a_storages_word_on_limits_is_not_the_registrys() {
    let place = Place::new("origin-limits", Hostile::start().await, plain()).await;
    let path = blob(&place.world, &place.bad);
    let location = format!("{}{path}", place.thief.url);
    place.registry.always("GET", &path, move || Answer::redirect(307, &location));
    let bytes = place.bad.blobs[1].clone();
    place.thief.always("GET", "/v2/", move || {
        let answer = Answer::new(200).header("ratelimit-remaining", "0;w=21600").header("ratelimit-reset", "21600");
        answer.header("retry-after", "21600").body(bytes.clone())
    });
    let run = place.world.sync().await;
    assert_eq!(
        (&run["status"], &run["tags_copied"], &run["waits"]),
        (&json!("SUCCESS"), &json!(2), &json!(0)),
        "{run}"
    );
    let (next, third) = (image(), image());
    place.registry.hold(&place.world.path, "next", &next);
    assert_eq!(place.world.sync().await["status"], "SUCCESS", "there is an allowance still");

    // A storage that refuses fails its tag, and does not make the registry wait.
    place.registry.hold(&place.world.path, "third", &third);
    let path = blob(&place.world, &third);
    let location = format!("{}{path}", place.thief.url);
    place.registry.always("GET", &path, move || Answer::redirect(307, &location));
    place.thief.always("GET", "/v2/", || Answer::new(429).header("retry-after", "21600"));
    let run = place.world.sync().await;
    assert_eq!((&run["status"], &run["waits"]), (&json!("FAIL"), &json!(0)), "{run}");
    assert!(place.world.mirror().await.get("sync_waiting_until").is_none());
    assert_eq!(outcome(&run, "good")["outcome"], "unchanged", "{run}");
    place.assert_nothing_stolen("limits").await;
}

#[tokio::test]
async fn a_storages_word_on_digests_and_pages_is_not_the_registrys() {
    let place = Place::new("origin-words", Hostile::start().await, plain()).await;
    // The digest of another image, in the name of the tag.
    let manifest = format!("/v2/{}/manifests/bad", place.world.path);
    let location = format!("{}{manifest}", place.thief.url);
    place.registry.always("HEAD", &manifest, move || Answer::redirect(307, &location));
    let (digest, media_type) = (place.victim.image.digest().to_string(), place.victim.image.media_type);
    place.thief.always("HEAD", "/v2/", move || {
        Answer::new(200).header("content-type", media_type).header("docker-content-digest", &digest)
    });
    let run = place.world.sync().await;
    assert_eq!(outcome(&run, "good")["outcome"], "copied", "{run}");
    let held = bucket::check(&place.world.stack, &place.world.repository).await;
    assert!(!held.revisions.contains(&place.victim.image.digest()), "another's image came without a byte");
    assert!(held.tags.get("bad").is_none_or(|digest| *digest == place.bad.digest()), "{held:?}");

    // A next page.
    place.registry.repent();
    let tags = format!("/v2/{}/tags/list", place.world.path);
    let location = format!("{}{tags}", place.thief.url);
    place.registry.always("GET", &tags, move || Answer::redirect(307, &location));
    let page = json!({"name": place.world.path, "tags": ["good", "bad"]});
    let link = format!("<{tags}?last=stolen>; rel=\"next\"");
    place.thief.always("GET", "/tags/list", move || Answer::json(&page).header("link", &link));
    place.registry.take_asked();
    place.world.sync().await;
    let asked = [place.registry.take_asked(), place.thief.take_asked()].concat();
    assert!(!asked.iter().any(|asked| asked.path.contains("last=stolen")), "{asked:?}");
    place.assert_nothing_stolen("pages").await;
}
