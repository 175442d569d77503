//! Registries that change while they are read.

use std::time::Duration;

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{self, Image, layer},
    proxy::{Fault, Proxy},
    stack::Stack,
    world::{World, outcome},
};
use serde_json::{Value, json};

const ALWAYS: usize = 1_000_000;

fn random() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 500)])
}

fn list(tags: &[&str]) -> Fault {
    Fault::Body(json!({"name": "x", "tags": tags}).to_string().into_bytes().into())
}

#[tokio::test]
async fn a_tag_that_moves_under_way_is_copied_as_it_is_then() {
    let world = World::new("moves").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (before, after) = (random(), random());
    before.push(&upstream, &world.path, "v1").await;
    after.push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    // The first HEAD still sees the old manifest, which is gone when it is asked for.
    let old = vec![("docker-content-digest", before.digest().to_string())];
    proxy.fault("HEAD", "manifests/v1", 1, Fault::Status(200, old));
    proxy.fault("GET", &format!("manifests/{}", before.digest()), ALWAYS, Fault::Status(404, vec![]));
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    assert_eq!(outcome(&run, "v1")["digest"], json!(after.digest()));
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], after.digest());
}

#[tokio::test]
async fn a_tag_that_goes_under_way_fails_alone_and_is_gone_with_the_next_list() {
    let world = World::new("goes").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (stays, goes) = (random(), random());
    stays.push(&upstream, &world.path, "stays").await;
    goes.push(&upstream, &world.path, "goes").await;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 2);
    proxy.fault("GET", "tags/list", 1, list(&["goes", "stays"]));
    image::delete(&upstream, &world.path, &goes.digest()).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_failed"]), (&json!("FAIL"), &json!(1)), "{run}");
    assert_eq!(outcome(&run, "goes")["failure"]["reason"], "not_found");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 2, "it stays until a list lacks it");
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.into_keys().collect::<Vec<_>>(), ["stays"]);
}

#[tokio::test]
async fn a_list_that_lacks_what_is_there_deletes_nothing() {
    let world = World::new("shrinks").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let images: Vec<_> = ["a", "b", "c", "d"].into_iter().map(|tag| (tag, random())).collect();
    for (tag, image) in &images {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 4);
    // One is really gone; the list lacks two more, about one of which the registry will not say anything.
    image::delete(&upstream, &world.path, &images[1].1.digest()).await;
    proxy.fault("GET", "tags/list", 1, list(&["d"]));
    proxy.fault("HEAD", "manifests/c", ALWAYS, Fault::Status(403, vec![]));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("list_incomplete"), &json!(2)), "{run}");
    assert_eq!((&outcome(&run, "a")["outcome"], &outcome(&run, "b")["outcome"]), (&json!("held"), &json!("pruned")));
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.into_keys().collect::<Vec<_>>(), ["a", "c", "d"]);
    proxy.heal();
    let run = world.sync().await;
    assert_eq!((&run["status"], run.get("warning")), (&json!("SUCCESS"), None), "{run}");
}

#[tokio::test]
async fn lists_that_change_between_pages_or_never_end() {
    let world = World::new("pages").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = random();
    for tag in ["a", "b", "c"] {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let page = |tags: Value, next: Option<&str>| {
        let path = format!("/v2/{}/tags/list", world.path);
        let headers = next.map(|next| ("link", format!("<{path}?{next}>; rel=\"next\"")));
        (json!({"name": "x", "tags": tags}).to_string(), headers.into_iter().collect::<Vec<_>>())
    };
    let serve = |query: &str, (body, headers): (String, Vec<(&'static str, String)>)| {
        proxy.fault("GET", &format!("tags/list{query}"), ALWAYS, Fault::Answer(200, headers, body.into()));
    };
    // Tokens that mean nothing to us; a page without tags; a tag on two pages, because the list moved on between them.
    serve("?next_page=eyJx", page(json!(["b", "c"]), Some("next_page=%3D%3D")));
    serve("?next_page=%3D%3D", page(json!(null), None));
    serve("", page(json!(["a", "b"]), Some("next_page=eyJx")));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_total"]), (&json!("SUCCESS"), &json!(3)), "{run}");
    proxy.heal();

    // A circle.
    serve("?last=b", page(json!(["c"]), Some("last=a")));
    serve("?last=a", page(json!(["b"]), Some("last=b")));
    serve("", page(json!(["a"]), Some("last=a")));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("registry_error")), "{run}");
    proxy.heal();
    // What is no list, and a next page at another host: that is asked for at the registry itself, which has none there.
    proxy.fault("GET", "tags/list", 1, Fault::Body(b"<html>".to_vec().into()));
    assert_eq!(world.sync().await["failure"]["reason"], "registry_error");
    let elsewhere = vec![("link", "<http://169.254.169.254/v2/x/tags/list>; rel=next".to_owned())];
    proxy.fault("GET", "tags/list", 1, Fault::Answer(200, elsewhere, br#"{"tags":["a"]}"#.to_vec().into()));
    assert_eq!(world.sync().await["failure"]["reason"], "not_found");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 3, "nothing was deleted");
}

#[tokio::test]
async fn tokens_that_end_under_way_are_fetched_once_for_all() {
    let upstream = format!("http://{}", Stack::from_env().await.upstream);
    // The same over TLS, with a certificate that nobody vouches for.
    for proxy in [Proxy::start(&upstream).await, Proxy::start_tls(&upstream).await] {
        let world = World::new("tokens").await;
        for tag in 0..10 {
            random().push(&upstream, &world.path, &format!("t{tag}")).await;
        }
        proxy.require_token("user", "secret");
        proxy.end_tokens_after(15);
        let credentials = json!({"external_registry_username": "user", "external_registry_password": "secret"});
        world.create_mirror(&proxy.address, credentials).await;
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(10)), "{run}");
        let seen = proxy.take_seen();
        let tokens = seen.iter().filter(|seen| seen.path.starts_with("/token")).count();
        // About fifty requests: as many tokens as that takes, and not one for each of those that were refused at once.
        assert!((2..=12).contains(&tokens), "{tokens} tokens for {} requests", seen.len());
    }
}

#[tokio::test]
async fn a_stream_that_drips_is_given_up() {
    let world = World::new("drips").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 300_000)]);
    image.push(&upstream, &world.path, "v1").await;
    random().push(&upstream, &world.path, "v2").await;
    let proxy = Proxy::start(&upstream).await;
    let blob = Digest::sha256(&image.blobs[1]);
    proxy.fault("GET", &format!("blobs/{blob}"), 1, Fault::Drip(Duration::from_millis(200)));
    world.create_mirror(&proxy.address, json!({})).await;
    // The invocation ends before the stream is given up; the next one asks anew.
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(2)), "{run}");
    bucket::check(&world.stack, &world.repository).await;
}
