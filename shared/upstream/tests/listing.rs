//! Listings that say digests: what they cost, what they save, and what is not believed of them.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use moorage_domain::{Digest, DigestListing, Fallback, TagName};
use moorage_upstream::{Listing, Meter, Registry, UpstreamError};
use serde_json::{Value, json};
use server::{Reply, Seen, Server, ok, open, status};
use url::Url;

/// The tags of a repository and what they point to.
type Tags = BTreeMap<TagName, Digest>;

/// How a registry lies.
type Lie = Box<dyn Fn(&Tags, &Seen) -> Reply + Send + Sync>;

/// The most requests that a sync of 10,000 unchanged tags may take.
const MOST: usize = 110;
const MANY: u32 = 10_000;

fn tags(count: u32) -> Tags {
    let tag = |number: u32| format!("t{number:05}").parse().unwrap();
    (0..count).map(|number| (tag(number), Digest::sha256(&number.to_be_bytes()))).collect()
}

fn query(path: &str) -> BTreeMap<String, String> {
    Url::parse("http://x").unwrap().join(path).unwrap().query_pairs().into_owned().collect()
}

fn number(query: &BTreeMap<String, String>, name: &str, otherwise: usize) -> usize {
    query.get(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// A page of the list of tags, of at most `most` of them, as the distribution-spec has it.
fn tag_list(tags: &Tags, path: &str, most: usize) -> Reply {
    let query = query(path);
    let (size, last) = (number(&query, "n", most).min(most), query.get("last"));
    let rest: Vec<_> = tags.keys().filter(|tag| last.is_none_or(|last| tag.as_str() > last.as_str())).collect();
    let page: Vec<_> = rest.iter().take(size).collect();
    let next = page.last().filter(|_| rest.len() > size);
    let link = next.map(|last| ("link", format!(r#"</v2/a/b/tags/list?n={size}&last={last}>; rel="next""#)));
    (200, link.into_iter().collect(), json!({"name": "a/b", "tags": page}).to_string().into_bytes())
}

/// A page of 100, and whether there is a next one.
fn page<'t>(tags: &'t Tags, path: &str) -> (Vec<(&'t TagName, &'t Digest)>, usize, bool) {
    let number = number(&query(path), "page", 1);
    let page = tags.iter().skip((number - 1) * 100).take(100).collect();
    (page, number, tags.len() > number * 100)
}

fn quay(tags: &Tags, path: &str) -> Value {
    let (page, number, has_additional) = page(tags, path);
    let page: Vec<_> = page.iter().map(|(tag, digest)| json!({"name": tag, "manifest_digest": digest})).collect();
    json!({"tags": page, "page": number, "has_additional": has_additional})
}

fn docker_hub(tags: &Tags, path: &str) -> Value {
    let (page, number, has_next) = page(tags, path);
    let next = has_next.then(|| format!("https://hub.example{path}&page={}", number + 1));
    let page: Vec<_> = page.iter().map(|(tag, digest)| json!({"name": tag, "digest": digest})).collect();
    json!({"count": tags.len(), "next": next, "previous": null, "results": page})
}

fn harbor(tags: &Tags, path: &str) -> Reply {
    let (page, _, _) = page(tags, path);
    let page: Vec<_> = page.iter().map(|(tag, digest)| json!({"digest": digest, "tags": [{"name": tag}]})).collect();
    (200, vec![("x-total-count", tags.len().to_string())], Value::from(page).to_string().into_bytes())
}

fn google(tags: &Tags) -> Value {
    let map = tags.iter().map(|(tag, digest)| (digest.to_string(), json!({"mediaType": "m", "tag": [tag]})));
    let map: serde_json::Map<_, _> = map.collect();
    json!({"child": [], "manifest": map, "name": "a/b", "tags": tags.keys().collect::<Vec<_>>()})
}

/// What a registry that has one of the listings answers, with lists of tags of at most `most`.
fn honest(kind: DigestListing, tags: &Tags, seen: &Seen, most: usize) -> Reply {
    let path = seen.path.as_str();
    match kind {
        DigestListing::TagsList if path.starts_with("/v2/a/b/tags/list") => ok(google(tags).to_string()),
        _ if path.starts_with("/v2/a/b/tags/list") => tag_list(tags, path, most),
        DigestListing::Quay if path.starts_with("/api/v1/repository/a/b/tag/?") => ok(quay(tags, path).to_string()),
        DigestListing::Harbor if path.starts_with("/api/v2.0/projects/a/repositories/b/artifacts?") => {
            harbor(tags, path)
        }
        DigestListing::DockerHub if path.starts_with("/v2/namespaces/a/repositories/b/tags?") => {
            ok(docker_hub(tags, path).to_string())
        }
        _ => status(404, vec![]),
    }
}

async fn list(registry: &Registry, held: &Tags) -> Result<Listing, UpstreamError> {
    let first = registry.first_tags().await?;
    registry.all_tags(first, held.len(), |names| names.iter().eq(held.keys())).await
}

/// How many tags need not be asked for.
fn saved(listing: &Listing, held: &Tags) -> usize {
    held.iter().filter(|(tag, digest)| listing.said.that(tag, digest)).count()
}

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
async fn without_a_word_of_it_the_listing_is_found_by_what_answers() {
    let held = Arc::new(tags(MANY));
    for (kind, tried) in [
        (DigestListing::TagsList, 0),
        (DigestListing::Quay, 0),
        (DigestListing::Harbor, 1),
        (DigestListing::DockerHub, 2),
    ] {
        let has = Arc::clone(&held);
        let server = Server::start(move |_, seen| honest(kind, &has, seen, 1_000)).await;
        let meter = Meter::default();
        let registry = open(&server, meter.clone(), &[]);
        let listing = list(&registry, &held).await.unwrap();
        assert_eq!((listing.tags.len(), saved(&listing, &held)), (held.len(), held.len()), "{kind:?}");
        let pages = server.seen().iter().filter(|seen| !seen.path.contains("tags/list")).count();
        assert_eq!(pages, if kind == DigestListing::TagsList { 0 } else { 100 + tried }, "{kind:?}");
        assert!(server.seen().len() <= MOST, "{kind:?}: {} requests", server.seen().len());
        assert!(meter.fallbacks().iter().next().is_none(), "{kind:?}");
        // What was found is known from then on.
        let before = server.seen().len();
        assert_eq!(saved(&list(&registry, &held).await.unwrap(), &held), held.len(), "{kind:?}");
        assert!(server.seen().len() - before <= before - tried, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_tried_once_and_no_fallback() {
    for (body, code, count) in [
        ("<html></html>", 200, 300),
        ("{}", 200, 300),
        ("[]", 200, 300),
        ("", 401, 300),
        ("", 404, 300),
        ("", 429, 300),
        ("", 503, 300),
        ("", 404, 49),
    ] {
        let held = Arc::new(tags(count));
        let has = Arc::clone(&held);
        let server = Server::start(move |_, seen| {
            if seen.path.contains("tags/list") {
                return tag_list(&has, &seen.path, 1_000);
            }
            (code, vec![("retry-after", "3600".to_owned())], body.as_bytes().to_vec())
        })
        .await;
        let meter = Meter::default();
        let registry = open(&server, meter.clone(), &[]);
        for _ in 0..2 {
            let listing = list(&registry, &held).await.unwrap();
            assert_eq!((listing.tags.len(), saved(&listing, &held)), (held.len(), 0), "{code} {body}");
        }
        let asked = server.seen().iter().filter(|seen| !seen.path.contains("tags/list")).count();
        assert_eq!(asked, if count < 50 { 0 } else { 3 }, "{code} {body}: each once");
        assert!(meter.fallbacks().iter().next().is_none(), "{code} {body}");
    }
}

#[tokio::test]
async fn a_first_page_that_fails_once_is_asked_for_again() {
    let held = Arc::new(tags(300));
    for setting in [DigestListing::Quay, DigestListing::Harbor, DigestListing::DockerHub] {
        let (has, failed) = (Arc::clone(&held), AtomicBool::new(false));
        let server = Server::start(move |_, seen| {
            let is_first = !seen.path.contains("tags/list") && !failed.swap(true, Ordering::Relaxed);
            if is_first { status(502, vec![]) } else { honest(setting, &has, seen, 1_000) }
        })
        .await;
        let meter = Meter::default();
        let registry = open(&server, meter.clone(), &[]).with_digest_listing(setting);
        assert_eq!(saved(&list(&registry, &held).await.unwrap(), &held), 300, "{setting:?}");
        assert_eq!((meter.counts().retries, meter.fallbacks().iter().count()), (1, 0), "{setting:?}");
    }
}

#[tokio::test]
async fn what_is_no_tag_is_counted() {
    let body = r#"{"name":"a/b","tags":["v1",null,"","v 2","v3"]}"#;
    let server = Server::start(move |_, _| ok(body)).await;
    let meter = Meter::default();
    let registry = open(&server, meter.clone(), &[]);
    for _ in 0..2 {
        assert_eq!(list(&registry, &tags(1)).await.unwrap().tags.len(), 2);
    }
    assert_eq!(meter.counts().invalid_tags, 3, "however often it is read");
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
async fn a_registry_is_known_by_where_it_has_us_log_in() {
    let held = Arc::new(tags(300));
    for (realm, service, kind) in [
        ("/v2/auth", "r.example", Some(DigestListing::Quay)),
        ("/service/token", "harbor-registry", Some(DigestListing::Harbor)),
        ("/service/token", "other", None),
        ("/token", "harbor-registry", None),
    ] {
        let has = Arc::clone(&held);
        let server = Server::start(move |url, seen| {
            if seen.path.starts_with(realm) {
                return ok(r#"{"token":"t"}"#);
            }
            let is_api = seen.path.starts_with("/api/");
            if !is_api && seen.authorization.as_deref() != Some("Bearer t") {
                let challenge = format!(r#"Bearer realm="{url}{realm}",service="{service}""#);
                return status(401, vec![("www-authenticate", challenge)]);
            }
            assert!(!is_api || seen.authorization.as_deref() != Some("Bearer t"), "that token is not the API's");
            if kind.is_none() && !seen.path.contains("tags/list") {
                return status(404, vec![]);
            }
            honest(kind.unwrap_or_default(), &has, seen, 1_000)
        })
        .await;
        let meter = Meter::default();
        let listing = list(&open(&server, meter.clone(), &[]), &held).await.unwrap();
        assert_eq!(saved(&listing, &held), if kind.is_some() { 300 } else { 0 }, "{realm} {service}");
        let asked = server.seen().into_iter().filter(|seen| seen.path.starts_with("/api/")).collect::<Vec<_>>();
        assert_eq!(asked.len(), if kind.is_some() { 3 } else { 2 }, "no strange requests");
        // The registry's password is none of Quay's API.
        let basic = |seen: &Seen| seen.path.starts_with("/api/v1/") || seen.authorization.is_some();
        assert!(asked.iter().all(basic), "{asked:?}");
        assert!(asked.iter().all(|seen| !seen.path.starts_with("/api/v1/") || seen.authorization.is_none()));
        assert!(meter.fallbacks().iter().next().is_none());
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
