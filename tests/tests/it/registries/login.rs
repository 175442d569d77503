//! Registries as people meet them: how they want to be logged in to, where their lists go on, and how they say that they
//! are asked too often. Beside skopeo, where it says what is right.

use std::time::Duration;

use moorage_tests::{
    bucket, eventually,
    hostile::{Answer, Asked, Hostile, basic},
    image::{Image, layer, push_blob},
    organization_mirror::{change, create, named, push, repositories, sync_now, wait_for},
    registry::{PASSWORD, USER},
    skopeo,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-the-tests";

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 100)])
}

fn credentials() -> Value {
    json!({"external_registry_username": USER, "external_registry_password": PASSWORD})
}

/// A registry with one image, and a world that mirrors it.
async fn place(name: &str, changes: Value) -> (World, Hostile) {
    let (world, registry) = (World::new(name).await, Hostile::start().await);
    registry.hold(&world.path, "v1", &image());
    world.create_mirror(&registry.address, changes).await;
    (world, registry)
}

/// Has `/v2/` challenge whoever does not send this.
fn root_challenges(registry: &Hostile, authorization: &str, challenge: &str) {
    let (authorization, challenge) = (authorization.to_owned(), challenge.to_owned());
    registry.plan("", "/v2/", move |asked| {
        let is_known = asked.header("authorization") == Some(&authorization);
        let refusal = || Answer::new(401).header("www-authenticate", &challenge);
        (asked.path == "/v2/").then(|| if is_known { Answer::json(&json!({})) } else { refusal() })
    });
}

/// Has a repository answer so to whoever does not send this.
fn hide(registry: &Hostile, path: &str, authorization: &str, status: u16) {
    let authorization = authorization.to_owned();
    registry.plan("", &format!("/v2/{path}/"), move |asked| {
        (asked.header("authorization") != Some(&authorization)).then(|| Answer::new(status))
    });
}

fn asks_skopeo(world: &World, registry: &Hostile) {
    let login = format!("{USER}:{PASSWORD}");
    skopeo::copies(&registry.address, &world.path, "v1", &["--src-creds", &login]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_from_nobody_in_particular_is_found_by_whoever_logs_in() {
    let (world, registry) = place("login-hidden", credentials()).await;
    let bearer = (format!("Bearer {TOKEN}"), format!("Bearer realm=\"{}/token\",service=\"x\"", registry.url));
    let plain = (basic(USER, PASSWORD), "Basic realm=\"x\"".to_owned());
    for (status, (authorization, challenge)) in [(404, &plain), (403, &plain), (404, &bearer), (401, &plain)] {
        registry.repent();
        registry.give_token(USER, PASSWORD, TOKEN);
        root_challenges(&registry, authorization, challenge);
        hide(&registry, &world.path, authorization, status);
        asks_skopeo(&world, &registry);
        registry.take_asked();
        let tag = format!("{}-{status}", challenge.split(' ').next().unwrap());
        registry.hold(&world.path, &tag, &image());
        let run = world.sync().await;
        assert_eq!(outcome(&run, &tag)["outcome"], "copied", "{status} {challenge}: {run}");
        // One of them looks for https.
        let roots = registry.take_asked().into_iter().filter(|asked| asked.path == "/v2/").count();
        assert!(roots <= 2, "{roots}");
    }
    bucket::check(&world.stack, &world.repository).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_by_the_scope_of_the_challenge() {
    let (world, registry) = place("login-scope", json!({})).await;
    let challenge = |scope: &str| format!("Bearer realm=\"{}/token\",service=\"x\"{scope}", registry.url);
    let good = format!("Bearer {TOKEN}");
    for (scope, needed) in [(",scope=\"repository:app:pull\"", "repository:app:pull"), (",scope=\"aws\"", ""), ("", "")]
    {
        registry.repent();
        registry.refuse_without(&world.path, &good, &challenge(scope));
        root_challenges(&registry, &good, &challenge(""));
        let needed = needed.replace(':', "%3A");
        registry.plan("GET", "/token", move |asked: &Asked| {
            let token = if asked.path.contains(&needed) { TOKEN } else { "of no use" };
            Some(Answer::json(&json!({"token": token, "expires_in": 300})))
        });
        if !scope.contains("app") {
            skopeo::copies(&registry.address, &world.path, "v1", &[]).unwrap();
        }
        let tag = format!("scoped-{}", scope.len());
        registry.hold(&world.path, &tag, &image());
        let run = world.sync().await;
        assert_eq!(outcome(&run, &tag)["outcome"], "copied", "{scope}: {run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_password_is_stored_and_sent_and_null_is_none() {
    let empty = json!({"external_registry_username": USER, "external_registry_password": ""});
    let (world, registry) = place("login-empty", empty.clone()).await;
    registry.refuse_without(&world.path, &basic(USER, ""), "Basic realm=\"x\"");
    // skopeo reads challenges of `/v2/` only.
    root_challenges(&registry, &basic(USER, ""), "Basic realm=\"x\"");
    let login = format!("{USER}:");
    assert_eq!(skopeo::copies(&registry.address, &world.path, "v1", &["--src-creds", &login]), Ok(()));
    assert!(skopeo::copies(&registry.address, &world.path, "v1", &[]).is_err(), "nobody else");
    let run = world.sync().await;
    assert_eq!(outcome(&run, "v1")["outcome"], "copied", "{run}");
    // A user name alone keeps the password; another host gets none of it.
    world.change_mirror(json!({"external_registry_username": USER})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    world.change_mirror(json!({"external_registry_username": USER, "external_registry_password": null})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("auth_failed")), "{run}");
    world.change_mirror(empty).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // Both empty is Quay's way to have none.
    world.change_mirror(json!({"external_registry_username": null, "external_registry_password": null})).await;
    assert_eq!(world.sync().await["status"], "FAIL");
}

/// `Link` of a page: with the registry's host, and path and query of the next page.
type Form = fn(&str, &str) -> String;

/// Lists in pages of one tag or repository; each page names the next one as `form` says.
fn in_pages(path: &str, key: &'static str, names: &[&str], form: Form) -> impl Fn(&Asked) -> Option<Answer> + use<> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let path = path.to_owned();
    move |asked| {
        let last = asked.path.split_once("last=").map(|(_, last)| last.split('&').next().unwrap_or_default());
        let after = |last| names.iter().position(|name| name == last).map(|at| at + 1);
        let Some(next) = last.map_or(Some(0), after) else { return Some(Answer::new(404)) };
        let page = Answer::json(&json!({key: names.get(next).into_iter().collect::<Vec<_>>()}));
        let has_more = next + 1 < names.len();
        let link = || form(asked.header("host").unwrap_or_default(), &format!("{path}?last={}", names[next]));
        Some(if has_more { page.header("link", &link()) } else { page })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_lists_go_on_by_every_form_of_link_or_fail() {
    let (world, registry) = place("login-links", json!({})).await;
    let path = format!("/v2/{}/tags/list", world.path);
    let forms: [Form; 6] = [
        |_, next| format!("<{next}>"),
        |_, next| format!("<{next}>; rel = \"next\""),
        |_, next| format!("<{next}>; title=\"a, b\"; rel='next'"),
        |_, next| format!("{next}; rel=\"next\""),
        |_, next| format!("<http://internal.example:5000{next}>; rel=next"),
        |host, next| format!("</x>; rel=help, <https://{host}{next}>; rel=\"next\""),
    ];
    for (number, form) in forms.into_iter().enumerate() {
        let tag = format!("z{number}");
        registry.hold(&world.path, &tag, &image());
        registry.plan("GET", &path, in_pages(&path, "tags", &["v1", &tag], form));
        let form = form("HOST", "NEXT");
        // skopeo takes the first link for the next page, whatever it says to be; ours finds the one that is.
        let by_skopeo = skopeo::tags(&registry.address, &world.path).ok();
        assert_eq!(by_skopeo, (!form.contains("rel=help")).then(|| vec!["v1".to_owned(), tag.clone()]), "{form}");
        let run = world.sync().await;
        assert_eq!(outcome(&run, &tag)["outcome"], "copied", "{form}: {run}");
    }
    let held = bucket::check(&world.stack, &world.repository).await.tags;
    let broken: [(Form, _); 2] = [
        (|_, next| format!("<{next}; rel=next"), Some(vec!["other".to_owned(), "v1".to_owned()])),
        (|_, next| format!("{next},x; rel=next"), None),
    ];
    for (form, by_skopeo) in broken {
        registry.plan("GET", &path, in_pages(&path, "tags", &["v1", "other"], form));
        // skopeo tries what stands before the semicolon, which is right once; a mirror deletes what is not listed, so ours
        // does not guess.
        assert_eq!(skopeo::tags(&registry.address, &world.path).ok(), by_skopeo);
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("registry_error")), "{run}");
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags, held, "nothing is taken for gone");
    }
}

#[tokio::test]
async fn catalogs_go_on_by_every_form_of_link() {
    let (world, registry) = (World::empty("login-catalog").await, Hostile::start().await);
    let names: Vec<_> = ["a", "b", "c"].map(|name| format!("{}/{name}", world.namespace)).to_vec();
    for name in &names {
        registry.hold(name, "v1", &image());
    }
    let all: Vec<_> = names.iter().map(String::as_str).collect();
    registry.plan("GET", "/v2/_catalog", in_pages("/v2/_catalog", "repositories", &all, |_, next| format!("<{next}>")));
    create(&world, "distribution", &registry.address, json!({})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 3})).await;
    let internal = |_: &str, next: &str| format!("http://internal.example{next}; rel='next'");
    registry.plan("GET", "/v2/_catalog", in_pages("/v2/_catalog", "repositories", &all, internal));
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 3})).await;
    // What is not understood ends no list.
    let broken = |_: &str, next: &str| format!("<{next}");
    registry.plan("GET", "/v2/_catalog", in_pages("/v2/_catalog", "repositories", &all, broken));
    sync_now(&world).await;
    let mirror = wait_for(&world, json!({"SUCCESS": 3})).await;
    assert_eq!(mirror["sync_status"], "FAIL");
    assert_eq!(repositories(&world, "").await["total"], 3);
}

#[tokio::test]
async fn a_repository_without_a_manifest_is_nothing_to_do() {
    let world = World::empty("login-blobs").await;
    push(&world, "app", &["v1"]).await;
    push_blob(&format!("http://{}", world.stack.upstream), &format!("{}/blobs", world.namespace), b"a blob alone")
        .await;
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    sync_now(&world).await;
    let mirror = wait_for(&world, json!({"SUCCESS": 2})).await;
    assert_eq!(mirror["sync_status"], "SUCCESS");
    // Of what a registry does not know any more, nothing is deleted either; and a path that nobody serves is a failure.
    let registry = Hostile::start().await;
    let name = format!("{}/app", world.namespace);
    registry.hold(&name, "v1", &image());
    registry.always("GET", "/v2/_catalog", move || Answer::json(&json!({"repositories": [name]})));
    change(&world, json!({"external_registry_url": registry.url})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1, "SKIP": 1})).await;
    let held = bucket::check(&world.stack, &named(&world, "app")).await.tags;
    assert_eq!(held.len(), 1);
    let unknown = || Answer::json(&json!({"errors": [{"code": "NAME_UNKNOWN", "message": "unknown"}]})).status(404);
    let empty = || Answer::json(&json!({"name": "app", "tags": null}));
    let nowhere = || Answer::new(404);
    for (answer, status) in [(unknown as fn() -> Answer, "SUCCESS"), (empty, "SUCCESS"), (nowhere, "FAIL")] {
        registry.always("GET", "/tags/list", answer);
        sync_now(&world).await;
        wait_for(&world, json!({status: 1, "SKIP": 1})).await;
        assert_eq!(bucket::check(&world.stack, &named(&world, "app")).await.tags, held);
    }
}

#[tokio::test]
async fn an_unknown_repository_of_a_mirror_of_its_own_is_a_failure() {
    let world = World::new("login-unknown").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("not_found")), "{run}");
}

#[tokio::test]
async fn limits_of_all_drafts_are_kept_to() {
    for (number, (name, value)) in
        [("ratelimit", "limit=100, remaining=0, reset=3000"), ("ratelimit", "\"minute\";r=9;t=30, \"day\";r=0;t=3000")]
            .into_iter()
            .enumerate()
    {
        let (world, registry) = place(&format!("login-limit{number}"), json!({})).await;
        let digest = image().digest();
        registry.plan("HEAD", "/manifests/", move |_| {
            let answer = Answer::new(200).header("docker-content-digest", &digest.to_string());
            Some(answer.header(name, value))
        });
        world.sync_now().await;
        let mirror = eventually("the sync waits", Duration::from_secs(60), async || {
            let mirror = world.mirror().await;
            mirror.get("sync_waiting_until").is_some().then_some(mirror)
        })
        .await;
        let until = mirror["sync_waiting_until"].as_str().unwrap();
        let until = moorage_domain::Timestamp::parse_iso(until).unwrap().unix();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!((2_800..=3_001).contains(&(until - i64::try_from(now).unwrap())), "{value}: {mirror}");
        assert_eq!(world.call(Method::POST, &world.mirror_path("/sync-cancel"), None).await.0, 204);
    }
}
