//! Listings that say digests: what they cost, what they save, and what is not believed of them.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod played;
mod server;

use std::sync::Arc;

use moorage_domain::{Digest, DigestListing, Fallback};
use moorage_upstream::Meter;
use played::{Tags, honest, list, number, query, saved, tag_list, tags};
use serde_json::{Value, json};
use server::{Reply, Seen, Server, ok, open, status};

/// How a registry lies.
type Lie = Box<dyn Fn(&Tags, &Seen) -> Reply + Send + Sync>;

/// The most requests that a sync of 10,000 unchanged tags may take.
const MOST: usize = 110;
const MANY: u32 = 10_000;

const KINDS: [DigestListing; 4] =
    [DigestListing::TagsList, DigestListing::Quay, DigestListing::Harbor, DigestListing::DockerHub];

#[tokio::test]
async fn ten_thousand_unchanged_tags_cost_the_list_alone() {
    let held = Arc::new(tags(MANY));
    // Registries that list a thousand at once, and such that list a hundred, as Quay does.
    for most in [1_000, 100] {
        for kind in KINDS {
            let has = Arc::clone(&held);
            let server = Server::start(move |_, seen| honest(kind, &has, seen, most)).await;
            let meter = Meter::default();
            let registry = open(&server, meter.clone(), &[]).with_digest_listing(kind);
            let listing = list(&registry, &held).await.unwrap();
            assert_eq!(listing.tags.len(), held.len(), "{kind:?}");
            assert_eq!(saved(&listing, &held), held.len(), "{kind:?}");
            assert!(server.seen().len() <= MOST, "{kind:?}: {} requests", server.seen().len());
            assert!(meter.fallbacks().iter().next().is_none(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn what_came_and_went_is_what_the_list_of_tags_says() {
    for (name, is_held) in [("gone", true), ("t00007", false)] {
        let (has, mut held) = (Arc::new(tags(1_000)), tags(1_000));
        if is_held {
            held.insert(name.parse().unwrap(), Digest::sha256(b"gone"));
        } else {
            held.remove(&name.parse().unwrap());
        }
        let expected = held.keys().filter(|tag| has.contains_key(*tag)).count();
        let server = Server::start(move |_, seen| honest(DigestListing::Quay, &has, seen, 100)).await;
        let registry = open(&server, Meter::default(), &[]).with_digest_listing(DigestListing::Quay);
        let listing = list(&registry, &held).await.unwrap();
        assert_eq!((listing.tags.len(), saved(&listing, &held)), (1_000, expected), "{name}");
        let asked = server.seen().iter().filter(|seen| seen.path.contains("tags/list")).count();
        assert_eq!(asked, 10, "{name}: it is read to its end");
    }
}

#[tokio::test]
async fn few_tags_are_asked_for_one_by_one() {
    let has = Arc::new(tags(500));
    for (count, is_asked) in [(0, false), (5, false), (6, true)] {
        let (there, held) = (Arc::clone(&has), tags(count));
        let server = Server::start(move |_, seen| honest(DigestListing::Harbor, &there, seen, 1_000)).await;
        let registry = open(&server, Meter::default(), &[]).with_digest_listing(DigestListing::Harbor);
        list(&registry, &held).await.unwrap();
        let asked = server.seen().iter().filter(|seen| seen.path.contains("/api/")).count();
        assert_eq!(asked > 0, is_asked, "{count}");
    }
}

#[tokio::test]
async fn a_refusal_is_remembered_and_nothing_fails() {
    let held = Arc::new(tags(300));
    for refusal in [401, 403, 404, 429, 500, 503] {
        let has = Arc::clone(&held);
        let server = Server::start(move |_, seen| {
            if seen.path.starts_with("/api/") { status(refusal, vec![]) } else { tag_list(&has, &seen.path, 1_000) }
        })
        .await;
        let meter = Meter::default();
        let registry = open(&server, meter.clone(), &[]).with_digest_listing(DigestListing::Quay);
        for _ in 0..2 {
            let listing = list(&registry, &held).await.unwrap();
            assert_eq!((listing.tags.len(), saved(&listing, &held)), (300, 0));
        }
        let asked = server.seen().iter().filter(|seen| seen.path.starts_with("/api/")).count();
        // What may pass is tried again, as every request.
        assert_eq!(asked, if refusal < 429 { 1 } else { 2 }, "{refusal}: once for the run");
        assert_eq!(meter.fallbacks().iter().collect::<Vec<_>>(), [Fallback::DigestListing]);
    }
}

/// Lies, by which setting they are met, how many tags are saved all the same, and whether the listing is given up.
fn lies() -> [(&'static str, DigestListing, Lie, usize, bool); 10] {
    let edited = |kind, edit: fn(&mut Value, usize)| -> Lie {
        Box::new(move |tags, seen| {
            let (status, headers, body) = honest(kind, tags, seen, 1_000);
            let Ok(mut document) = serde_json::from_slice(&body) else { return (status, headers, body) };
            let is_list = seen.path.contains("tags/list") && kind != DigestListing::TagsList;
            if !is_list {
                edit(&mut document, number(&query(&seen.path), "page", 1));
            }
            (status, headers, document.to_string().into_bytes())
        })
    };
    [
        (
            "a tag that is missing",
            DigestListing::Quay,
            edited(DigestListing::Quay, |page, number| {
                if number == 2 {
                    page["tags"].as_array_mut().unwrap().remove(5);
                }
            }),
            299,
            false,
        ),
        (
            "a digest that is none",
            DigestListing::Quay,
            edited(DigestListing::Quay, |page, _| {
                page["tags"][0]["manifest_digest"] = json!("sha256:x");
            }),
            297,
            false,
        ),
        (
            "two digests of a tag",
            DigestListing::Quay,
            edited(DigestListing::Quay, |page, number| {
                if number == 3 {
                    page["tags"][7]["name"] = json!("t00000");
                }
            }),
            298,
            false,
        ),
        (
            "pages in a circle",
            DigestListing::Quay,
            edited(DigestListing::Quay, |page, number| {
                page["has_additional"] = json!(true);
                page["page"] = json!(number.min(3));
            }),
            0,
            true,
        ),
        ("another page", DigestListing::Quay, edited(DigestListing::Quay, |page, _| page["page"] = json!(1)), 0, true),
        (
            "another total",
            DigestListing::DockerHub,
            edited(DigestListing::DockerHub, |page, _| {
                page["count"] = json!(301);
            }),
            0,
            true,
        ),
        (
            "an early end",
            DigestListing::DockerHub,
            edited(DigestListing::DockerHub, |page, _| {
                page["next"] = Value::Null;
            }),
            0,
            true,
        ),
        (
            "another repository",
            DigestListing::Harbor,
            edited(DigestListing::Harbor, |page, _| {
                page[0]["repository_name"] = json!("a/other");
            }),
            0,
            true,
        ),
        (
            "another repository's map",
            DigestListing::Auto,
            edited(DigestListing::TagsList, |page, _| {
                page["name"] = json!("a/other");
            }),
            0,
            true,
        ),
        (
            "no map",
            DigestListing::Auto,
            edited(DigestListing::TagsList, |page, _| {
                page.as_object_mut().unwrap().remove("manifest");
            }),
            0,
            false,
        ),
    ]
}

#[tokio::test]
async fn what_does_not_fit_together_is_not_believed() {
    let held = Arc::new(tags(300));
    let d = |number: u32| Digest::sha256(&number.to_be_bytes());
    for (what, setting, lie, expected, is_told) in lies() {
        let has = Arc::clone(&held);
        let server = Server::start(move |_, seen| lie(&has, seen)).await;
        let meter = Meter::default();
        let registry = open(&server, meter.clone(), &[]).with_digest_listing(setting);
        let listing = list(&registry, &held).await.unwrap();
        assert_eq!((listing.tags.len(), saved(&listing, &held)), (300, expected), "{what}");
        assert_eq!(meter.fallbacks().contains(Fallback::DigestListing), is_told, "{what}");
        assert!(server.seen().len() < 20, "{what}");
        assert!(!listing.said.that(&"t00001".parse().unwrap(), &d(0)), "{what}");
    }
}

#[tokio::test]
async fn another_hosts_word_is_not_the_registrys() {
    let held = Arc::new(tags(300));
    for kind in [DigestListing::Quay, DigestListing::Harbor, DigestListing::DockerHub] {
        let has = Arc::clone(&held);
        let elsewhere = Server::start(move |_, seen| honest(kind, &has, seen, 1_000)).await;
        let (has, to) = (Arc::clone(&held), elsewhere.url());
        let server = Server::start(move |_, seen| {
            if seen.path.contains("tags/list") {
                return tag_list(&has, &seen.path, 1_000);
            }
            status(307, vec![("location", format!("{to}{}", seen.path))])
        })
        .await;
        let registry = open(&server, Meter::default(), &[]).with_digest_listing(kind);
        let listing = list(&registry, &held).await.unwrap();
        assert_eq!(saved(&listing, &held), 0, "{kind:?}");
        assert!(!elsewhere.has_secrets(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_registry_that_does_not_know_long_pages_is_asked_without() {
    let has = tags(3);
    let server =
        Server::start(
            move |_, seen| {
                if seen.path.contains("n=1000") { status(400, vec![]) } else { tag_list(&has, &seen.path, 2) }
            },
        )
        .await;
    assert_eq!(open(&server, Meter::default(), &[]).tags().await.unwrap().tags.len(), 3);
}

#[tokio::test]
async fn only_the_tags_of_a_list_matter_and_what_is_no_list_fails() {
    for (body, listed) in [
        (r#"{"name":"a/b","tags":["v1",null,"v2"]}"#, Some((2, 1))),
        (r#"{"tags":["v1"]}"#, Some((1, 0))),
        (r#"{"name":null,"tags":["v1"],"x":{"tags":[1]}}"#, Some((1, 0))),
        (r#"{"tags":["v1","v1",7,{"a":[]}]}"#, Some((1, 2))),
        (r#"{"Tags":["v1"]}"#, Some((1, 0))),
        (r#"{"name":"a/b","tags":null}"#, Some((0, 0))),
        (r#"{"name":"a/b"}"#, Some((0, 0))),
        ("{}", None),
        (r#"{"errors":[{"code":"DENIED"}]}"#, None),
        (r#"{"name":"a/b","tags":"v1"}"#, None),
        (r#"{"name":"a/b","tags":{"v1":{}}}"#, None),
        ("null", None),
        (r#"["v1"]"#, None),
    ] {
        let server = Server::start(move |_, _| ok(body)).await;
        let listing = open(&server, Meter::default(), &[]).tags().await.ok();
        assert_eq!(listing.map(|listing| (listing.tags.len(), listing.invalid)), listed, "{body}");
    }
}

/// What a listing that says nothing is called, whose it is, by which setting it is met, what makes it so, and whether that
/// is told.
type Silence = (&'static str, DigestListing, DigestListing, fn(&mut Value), bool);

/// Listings that say nothing.
fn silences() -> [Silence; 15] {
    use DigestListing::{Auto, DockerHub, Harbor, Off, Quay, TagsList};
    fn no_map(list: &mut Value) {
        list.as_object_mut().unwrap().remove("manifest");
    }
    fn null_map(list: &mut Value) {
        list["manifest"] = Value::Null;
    }
    fn empty_map(list: &mut Value) {
        list["manifest"] = json!({});
    }
    fn map_without_tags(list: &mut Value) {
        list["manifest"].as_object_mut().unwrap().values_mut().for_each(|entry| entry["tag"] = Value::Null);
    }
    fn no_digests(page: &mut Value) {
        for row in page["tags"].as_array_mut().unwrap() {
            row["manifest_digest"] = Value::Null;
        }
    }
    fn of_other_tags(page: &mut Value) {
        for row in page["tags"].as_array_mut().unwrap() {
            row["name"] = json!(format!("other-{}", row["name"].as_str().unwrap()));
        }
    }
    fn untagged(page: &mut Value) {
        page.as_array_mut().unwrap().iter_mut().for_each(|artifact| artifact["tags"] = Value::Null);
    }
    fn undigested(page: &mut Value) {
        page["results"].as_array_mut().unwrap().iter_mut().for_each(|row| row["digest"] = json!("sha256:1"));
    }
    [
        ("no map that is asked for", TagsList, TagsList, no_map, true),
        ("null that is asked for", TagsList, TagsList, null_map, true),
        ("an empty map that is asked for", TagsList, TagsList, empty_map, true),
        ("a list as that of most registries", TagsList, Auto, no_map, false),
        ("null, as if there was no map", TagsList, Auto, null_map, false),
        ("an empty map", TagsList, Auto, empty_map, true),
        ("a map of nothing", TagsList, Auto, map_without_tags, true),
        ("a map that nobody wants", TagsList, Off, empty_map, false),
        ("a map that nobody asks for", TagsList, Harbor, empty_map, true),
        ("tags without digests", Quay, Quay, no_digests, true),
        ("tags without digests, found", Quay, Auto, no_digests, true),
        ("other tags than are listed", Quay, Quay, of_other_tags, true),
        ("artifacts without tags", Harbor, Harbor, untagged, true),
        ("artifacts without tags, not found", Harbor, Auto, untagged, false),
        ("digests that are none", DockerHub, DockerHub, undigested, true),
    ]
}

#[tokio::test]
async fn a_listing_that_is_of_no_use_is_told_where_there_is_one_or_one_is_asked_for() {
    let held = Arc::new(tags(300));
    for (what, kind, setting, silence, is_told) in silences() {
        let has = Arc::clone(&held);
        let server = Server::start(move |_, seen| {
            let (status, headers, body) = honest(kind, &has, seen, 1_000);
            let is_listing = status == 200 && seen.path.contains("tags/list") == (kind == DigestListing::TagsList);
            if !is_listing {
                return (status, headers, body);
            }
            let mut document = serde_json::from_slice(&body).unwrap();
            silence(&mut document);
            (status, headers, document.to_string().into_bytes())
        })
        .await;
        let meter = Meter::default();
        let registry = open(&server, meter.clone(), &[]).with_digest_listing(setting);
        let listing = list(&registry, &held).await.unwrap();
        assert_eq!((listing.tags.len(), saved(&listing, &held)), (300, 0), "{what}");
        assert_eq!(meter.fallbacks().contains(Fallback::DigestListing), is_told, "{what}");
    }
    // Of nothing there is nothing to be said.
    for setting in KINDS {
        let server = Server::start(move |_, seen| match honest(setting, &tags(0), seen, 1_000) {
            (200, headers, _) if seen.path.contains("tags/list") => (200, headers, br#"{"tags":[]}"#.to_vec()),
            reply => reply,
        })
        .await;
        let meter = Meter::default();
        let registry = open(&server, meter.clone(), &[]).with_digest_listing(setting);
        assert!(list(&registry, &held).await.unwrap().tags.is_empty());
        assert!(meter.fallbacks().iter().next().is_none(), "{setting:?}");
    }
}
