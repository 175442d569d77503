//! Which listing a registry has, where the mirror does not say it.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod played;
mod server;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use moorage_domain::{Digest, DigestListing};
use moorage_upstream::Meter;
use played::{honest, list, saved, tag_list, tags};
use server::{Seen, Server, ok, open, status};

/// The most requests that a sync of 10,000 unchanged tags may take.
const MOST: usize = 110;
const MANY: u32 = 10_000;

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
        let is_for_good = count >= 50 && ![429, 503].contains(&code);
        assert_eq!(registry.has_no_listing(), is_for_good, "{code} {body}");
        let later = open(&server, meter.clone(), &[]);
        later.expect_no_listing();
        assert_eq!(list(&later, &held).await.unwrap().tags.len(), held.len());
        let again = server.seen().iter().filter(|seen| !seen.path.contains("tags/list")).count();
        assert_eq!(again, asked, "{code} {body}: it was known");
        assert!(meter.fallbacks().iter().next().is_none(), "{code} {body}");
    }
}

#[tokio::test]
async fn a_first_sync_finds_out_for_the_next_one() {
    let held = Arc::new(tags(300));
    for kind in [None, Some(DigestListing::Harbor)] {
        let has = Arc::clone(&held);
        let server = Server::start(move |_, seen| match kind {
            None if !seen.path.contains("tags/list") => status(404, vec![]),
            _ => honest(kind.unwrap_or_default(), &has, seen, 1_000),
        })
        .await;
        let registry = open(&server, Meter::default(), &[]);
        for is_first in [true, false] {
            let first = registry.first_tags().await.unwrap();
            let listing = registry.all_tags(first, 0, |_| false).await.unwrap();
            assert_eq!((listing.tags.len(), saved(&listing, &held)), (300, 0), "{kind:?}");
            let before = server.seen().iter().filter(|seen| !seen.path.contains("tags/list")).count();
            assert_eq!(before, if is_first { 0 } else { 3 }, "{kind:?}: whoever lists does not wait for that");
            registry.look_for_listing().await;
        }
        let asked = server.seen().iter().filter(|seen| !seen.path.contains("tags/list")).count();
        assert_eq!((asked, registry.has_no_listing()), (3, kind.is_none()), "{kind:?}: once");
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
async fn one_head_tells_or_does_not_and_nobody_logs_in_for_it() {
    let digest = Digest::sha256(b"{}");
    let answer = |status: u16| {
        let digest = Digest::sha256(b"{}").to_string();
        move |url: &str, seen: &Seen| {
            let is_known = status != 401 || seen.authorization.is_some();
            let headers = if is_known {
                vec![("docker-content-digest", digest.clone())]
            } else {
                vec![("www-authenticate", format!("Basic realm=\"{url}\""))]
            };
            (if is_known && status == 401 { 200 } else { status }, headers, b"{}".to_vec())
        }
    };
    for (status, told) in [(200, true), (401, false), (404, false), (503, false)] {
        let answer = answer(status);
        let server = Server::start(move |url, seen| answer(url, seen)).await;
        let registry = open(&server, Meter::default(), &[]);
        let tag = "v1".parse().unwrap();
        assert_eq!(registry.glance(&tag).await, told.then(|| digest.clone()), "{status}");
        assert_eq!(registry.heads_for_all().await, told, "{status}");
        let asked = server.seen().iter().filter(|seen| seen.path.contains("/manifests/")).count();
        assert_eq!(asked, 1, "{status}: {:?}", server.seen());
        assert!(server.seen().iter().all(|seen| seen.method == "HEAD" && seen.authorization.is_none()));
        if [200, 401].contains(&status) {
            assert_eq!(registry.resolve(&tag).await.unwrap().digest, digest);
            assert_eq!(registry.heads_for_all().await, told, "{status}");
        }
    }
}
