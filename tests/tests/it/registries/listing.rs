//! Registries whose own listings say what their tags point to, played as their makers document them: unchanged tags cost
//! the list alone, and nothing is believed of a listing but that a tag has not changed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    hostile::{Answer, Asked, Hostile},
    image::{Image, layer},
    skopeo,
    table::{self, Key},
    world::{World, outcome},
};
use serde_json::{Map, Value, json};

/// How many tags there are: more than two pages of any of the APIs.
const TAGS: usize = 210;

/// What the registry has.
type Tags = Arc<Mutex<BTreeMap<String, Digest>>>;

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 100)])
}

fn tag(number: usize) -> String {
    format!("t{number:03}")
}

/// The page of 100 that is asked for, its number, and how many there are in all.
fn page(tags: &BTreeMap<String, Digest>, asked: &Asked) -> (Vec<(String, Digest)>, usize, usize) {
    let url = reqwest::Url::parse(&format!("http://x{}", asked.path)).unwrap();
    let number = url.query_pairs().find(|(name, _)| name == "page").map_or(1, |(_, number)| number.parse().unwrap());
    let page = tags.iter().skip((number - 1) * 100).take(100);
    (page.map(|(tag, digest)| (tag.clone(), digest.clone())).collect(), number, tags.len())
}

/// Has a registry list `count` tags, and say what `tags` has of them as one of the kinds does.
fn play(registry: &Hostile, kind: &str, path: &str, tags: &Tags, count: usize) {
    let tags = Arc::clone(tags);
    let (namespace, name) = path.split_once('/').unwrap();
    match kind {
        "tags_list" => {
            let path = path.to_owned();
            registry.plan("GET", &format!("/v2/{path}/tags/list"), move |_| {
                let tags = tags.lock().unwrap();
                let mut map = Map::new();
                for (tag, digest) in &*tags {
                    let entry = json!({"imageSizeBytes": "1", "layerId": "", "mediaType": "m", "tag": []});
                    let entry = map.entry(digest.to_string()).or_insert(entry);
                    entry["tag"].as_array_mut().unwrap().push(json!(tag));
                }
                let names: Vec<_> = (0..count).map(tag).collect();
                Some(Answer::json(&json!({"child": [], "manifest": map, "name": path, "tags": names})))
            });
        }
        "quay" => registry.plan("GET", &format!("/api/v1/repository/{path}/tag/?"), move |asked| {
            let (page, number, all) = page(&tags.lock().unwrap(), asked);
            let entry = |(tag, digest): &(String, Digest)| {
                json!({"name": tag, "reversion": false, "start_ts": 1, "manifest_digest": digest, "is_manifest_list": false})
            };
            let entries: Vec<_> = page.iter().map(entry).collect();
            Some(Answer::json(&json!({"tags": entries, "page": number, "has_additional": number * 100 < all})))
        }),
        "harbor" => {
            let path = format!("/api/v2.0/projects/{namespace}/repositories/{name}/artifacts?");
            registry.plan("GET", &path, move |asked| {
                let (page, number, all) = page(&tags.lock().unwrap(), asked);
                let entry = |(tag, digest): &(String, Digest)| json!({"digest": digest, "tags": [{"name": tag}]});
                let artifacts = Value::from(page.iter().map(entry).collect::<Vec<_>>());
                let next = format!("</x?page={}>; rel=\"next\"", number + 1);
                let answer = Answer::json(&artifacts).header("x-total-count", &all.to_string());
                Some(if number * 100 < all { answer.header("link", &next) } else { answer })
            });
        }
        _ => {
            let path = format!("/v2/namespaces/{namespace}/repositories/{name}/tags?");
            registry.plan("GET", &path, move |asked| {
                let (page, number, all) = page(&tags.lock().unwrap(), asked);
                let entry = |(tag, digest): &(String, Digest)| json!({"name": tag, "digest": digest, "images": []});
                let results: Vec<_> = page.iter().map(entry).collect();
                let next = (number * 100 < all).then(|| format!("https://hub.example/?page={}", number + 1));
                Some(Answer::json(&json!({"count": all, "next": next, "previous": null, "results": results})))
            });
        }
    }
}

/// How many requests for manifests there were, and how many in all.
fn asked(registry: &Hostile) -> (usize, usize) {
    let asked = registry.take_asked();
    (asked.iter().filter(|asked| asked.path.contains("/manifests/")).count(), asked.len())
}

#[tokio::test]
async fn unchanged_tags_cost_the_list_alone_and_others_are_asked_for() {
    let (world, registry) = (World::new("digests").await, Hostile::start().await);
    let (first, tags) = (image(), Tags::default());
    for number in 0..TAGS {
        registry.hold(&world.path, &tag(number), &first);
        tags.lock().unwrap().insert(tag(number), first.digest());
    }
    world.create_mirror(&registry.address, json!({"digest_listing": "off"})).await;
    assert_eq!(world.mirror().await["digest_listing"], "off");
    assert_eq!(world.sync().await["tags_copied"], TAGS);
    asked(&registry);
    let kinds = [("tags_list", 0), ("quay", 3), ("harbor", 3), ("docker_hub", 3)];
    for (moved, (kind, pages)) in kinds.into_iter().enumerate() {
        registry.repent();
        play(&registry, kind, &world.path, &tags, TAGS);
        world.change_mirror(json!({"digest_listing": kind})).await;
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(TAGS)), "{kind}: {run}");
        assert_eq!(run["upstream"]["fallbacks"], json!([]), "{kind}: {run}");
        let (manifests, all) = asked(&registry);
        assert!(manifests == 0 && all <= pages + 1, "{kind}: {all} requests, {manifests} for manifests");

        // A tag that moved, which the listing shows or does not show yet: both are asked for, and nothing else.
        let (shown, hidden) = (image(), image());
        let (shown_tag, hidden_tag) = (tag(2 * moved), tag(2 * moved + 1));
        registry.hold(&world.path, &shown_tag, &shown);
        registry.hold(&world.path, &hidden_tag, &hidden);
        tags.lock().unwrap().insert(shown_tag.clone(), shown.digest());
        let before = tags.lock().unwrap().remove(&hidden_tag);
        assert!(before.is_some());
        let run = world.sync().await;
        for moved in [&shown_tag, &hidden_tag] {
            assert_eq!(outcome(&run, moved)["outcome"], "copied", "{kind}: {run}");
        }
        assert_eq!(run["tags_unchanged"], TAGS - 2, "{kind}: {run}");
        let held = bucket::check(&world.stack, &world.repository).await;
        assert_eq!((&held.tags[&shown_tag], &held.tags[&hidden_tag]), (&shown.digest(), &hidden.digest()), "{kind}");
        tags.lock().unwrap().insert(hidden_tag.clone(), hidden.digest());
        let (manifests, _) = asked(&registry);
        assert!(manifests <= 4, "{kind}: {manifests} requests for manifests");
    }

    // A listing that is late, or lies, holds a moved tag back; a verification that is due again goes on by it all the same.
    let late = image();
    registry.hold(&world.path, &tag(9), &late);
    asked(&registry);
    table::set(&world.stack, &Key::mirror(&world.repository), [("last_verified", AttributeValue::N("0".into()))]).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["verifies"]), (&json!("SUCCESS"), &json!(true)), "{run}");
    assert_eq!((&run["tags_unchanged"], asked(&registry).0), (&json!(TAGS), 0), "{run}");

    // One that somebody asks for believes no listing: each tag is asked for.
    let (status, _) = world.call(reqwest::Method::POST, &world.mirror_path("/verify"), Some(json!({}))).await;
    assert_eq!(status, 202);
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(TAGS - 1)), "{run}");
    assert_eq!(outcome(&run, &tag(9))["outcome"], "copied", "{run}");
    assert_eq!(run["upstream"]["fallbacks"], json!([]), "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags[&tag(9)], late.digest());
    let (manifests, all) = asked(&registry);
    assert!(manifests >= TAGS, "{all} requests, {manifests} for manifests");
}

#[tokio::test]
async fn a_listing_that_lies_moves_nothing() {
    let (world, registry) = (World::new("digest-lies").await, Hostile::start().await);
    let (held, other, tags) = (image(), image(), Tags::default());
    for number in 0..20 {
        registry.hold(&world.path, &tag(number), &held);
        tags.lock().unwrap().insert(tag(number), other.digest());
    }
    registry.hold_by_digest(&world.path, &other);
    tags.lock().unwrap().insert("nowhere".into(), held.digest());
    world.create_mirror(&registry.address, json!({"digest_listing": "quay"})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    for kind in ["tags_list", "quay", "harbor", "docker_hub"] {
        registry.repent();
        play(&registry, kind, &world.path, &tags, 20);
        world.change_mirror(json!({"digest_listing": kind})).await;
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(20)), "{kind}: {run}");
        let now = bucket::check(&world.stack, &world.repository).await;
        assert!(now.tags.len() == 20 && now.tags.values().all(|digest| *digest == held.digest()), "{kind}");
    }

    // What fills memory, and what never ends, is given up.
    registry.repent();
    registry.always("GET", "/api/", || Answer::made((0..).map(|_| vec![b'['; 65_536].into())));
    world.change_mirror(json!({"digest_listing": "harbor"})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(20)), "{run}");
    assert_eq!(run["upstream"]["fallbacks"], json!(["digest_listing"]), "{run}");
}

#[tokio::test]
async fn the_setting_is_shown_changed_and_reset() {
    let world = World::new("digest-setting").await;
    world.create_mirror("registry.example", json!({})).await;
    assert!(world.mirror().await.get("digest_listing").is_none(), "clients of Quay's see none of it");
    world.change_mirror(json!({"digest_listing": "docker_hub"})).await;
    world.change_mirror(json!({"is_enabled": true})).await;
    assert_eq!(world.mirror().await["digest_listing"], "docker_hub");
    let path = world.mirror_path("");
    for wrong in [json!("gitlab"), json!(1), json!("")] {
        let body = json!({"digest_listing": wrong, "sync_interval": 77_777});
        let (status, answer) = world.call(reqwest::Method::PUT, &path, Some(body)).await;
        assert_eq!(status, 400, "{answer}");
    }
    assert_eq!(world.mirror().await["sync_interval"], 86_400, "nothing is stored where one field is refused");
    world.change_mirror(json!({"digest_listing": null})).await;
    assert!(world.mirror().await.get("digest_listing").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_tags_of_a_list_matter() {
    let (world, registry) = (World::new("tag-lists").await, Hostile::start_tls().await);
    let image = image();
    for name in ["v1", "v2"] {
        registry.hold(&world.path, name, &image);
    }
    world.create_mirror(&registry.address, json!({})).await;
    let list = format!("/v2/{}/tags/list", world.path);
    for body in [
        r#"{"name":"up/app","tags":["v1",null,"v2"]}"#,
        r#"{"tags":["v1","v2"]}"#,
        r#"{"name":null,"tags":["v1","v2","v2"],"next":{"tags":["v3"]}}"#,
        r#"{"Name":"x","Tags":["v1","v2"]}"#,
    ] {
        registry.repent();
        registry.always("GET", &list, move || Answer::new(200).header("content-type", "application/json").body(body));
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_done"]), (&json!("SUCCESS"), &json!(2)), "{body}: {run}");
        assert_eq!(run["upstream"]["invalid_tags"], usize::from(body.contains("\"v1\",null")), "{body}: {run}");
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 2, "{body}");
        assert_eq!(skopeo::tags(&registry.address, &world.path).unwrap(), ["v1", "v2"], "{body}");
    }
    for body in
        ["{}", r#"{"errors":[{"code":"DENIED","message":"x"}]}"#, r#"{"name":"x","tags":"v1"}"#, "null", "<html>"]
    {
        registry.repent();
        registry.always("GET", &list, move || Answer::new(200).header("content-type", "application/json").body(body));
        let run = world.sync().await;
        assert_eq!(run["failure"]["reason"], "registry_error", "{body}: {run}");
        let message = run["failure"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("{}{list} ", registry.url)) && message.contains("look at"), "{message}");
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 2, "{body}");
    }
}
