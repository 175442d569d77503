//! What a registry's documents may take of a run's memory.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use moorage_domain::{Digest, FailureReason};
use moorage_upstream::{Meter, Registry, UpstreamError, fuzz};
use peak_alloc::PeakAlloc;
use server::{Server, ok, open, status};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Mutex,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
/// The tests of this file measure, one at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

const MIB: usize = 1024 * 1024;

/// How much memory some work takes beside what there was before.
fn peak_of(work: impl FnOnce()) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}

#[tokio::test]
async fn parsers_take_a_few_times_what_they_read() {
    let _alone = ALONE.lock().await;
    let digest = Digest::sha256(b"");
    let entry = |annotations: &str| {
        format!(r#"{{"mediaType":"a","digest":"{digest}","size":1,"annotations":{{{annotations}}}}}"#)
    };
    let many = |text: &str, count: usize| vec![text; count].join(",");
    let tiny: Vec<_> = (0..300_000).map(|number| format!(r#""{number:x}":"""#)).collect();
    let tiny = tiny.join(",");
    let with_urls = |urls: &str| format!(r#"{{"mediaType":"a","digest":"{digest}","size":1,"urls":[{urls}]}}"#);
    // As many as a manifest of 4 MiB has room for, each another one.
    let another =
        |number: u32| format!(r#"{{"mediaType":"a","digest":"{}","size":1}}"#, Digest::sha256(&number.to_be_bytes()));
    let descriptors = (0..38_000).map(another).collect::<Vec<_>>().join(",");
    assert!((4_000_000..4 * MIB).contains(&descriptors.len()));
    let index = |entries: &str| format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#);
    for (name, document, most) in [
        ("referrers", index(&entry(&tiny)), 2 * MIB),
        ("referrers", index(&many(&entry(r#""a":"b""#), 25_000)), 16 * MIB),
        ("referrers", index(&many("[[[[[[[[[[", 100_000)), MIB),
        ("tag_list", format!(r#"{{"x":{},"tags":["a"]}}"#, "[".repeat(4 * MIB)), MIB),
        ("tag_list", format!(r#"{{"x":"{}","tags":["{}"]}}"#, "y".repeat(4 * MIB), "z".repeat(4 * MIB)), MIB),
        ("tag_list", format!(r#"{{"{}":1,"tags":[{}]}}"#, "k".repeat(MIB), many("\"\"", MIB)), MIB),
        ("catalog_distribution", format!(r#"{{"repositories":[{}]}}"#, many(r#""""#, 2 * MIB)), MIB),
        ("catalog_harbor", format!("[{}]", many(r#"{"name":""}"#, 600_000)), 40 * MIB),
        ("catalog_quay", format!(r#"{{"repositories":[{}]}}"#, many(r#"{"name":""}"#, 600_000)), 40 * MIB),
        ("catalog_quay", format!(r#"{{"repositories":[{{"name":"a","x":{}"#, "[".repeat(4 * MIB)), 8 * MIB),
        ("manifest", index(&descriptors), 16 * MIB),
        ("manifest", format!(r#"{{"schemaVersion":2,"config":{0},"layers":[{descriptors}]}}"#, entry("")), 16 * MIB),
        ("manifest", index(&entry(&tiny)), MIB),
        ("manifest", index(&many(&entry(r#""a":"b""#), 31_000)), 16 * MIB),
        ("manifest", index(&with_urls(&many(r#""""#, MIB))), MIB),
        ("manifest", format!(r#"{{"schemaVersion":2,"mediaType":"{}"}}"#, "m".repeat(4_000_000)), 8 * MIB),
        ("config", format!(r#"{{"architecture":"{}"}}"#, "a".repeat(4 * MIB)), 16 * MIB),
        ("token", format!(r#"{{"token":"{}"}}"#, "t".repeat(60_000)), MIB),
        ("error_body", format!(r#"{{"errors":[{{"code":"DENIED","detail":{}"#, "[".repeat(16_000)), MIB),
        ("www_authenticate", "Bearer realm=\"a\",".repeat(20_000), 16 * MIB),
        ("link", "<a>; rel=prev, ".repeat(20_000), 4 * MIB),
    ] {
        let taken = peak_of(|| fuzz::run(name, document.as_bytes()));
        assert!(taken <= most, "{name} took {taken} bytes for {}", document.len());
    }
}

#[tokio::test]
async fn a_list_of_tags_is_read_as_it_comes() {
    let _alone = ALONE.lock().await;
    let mut page = String::from(r#"{"name":null,"tags":["#);
    for number in 0..200_000 {
        write!(page, r#"{{"not":"a tag"}},"{number:0>100}",null,"#).unwrap();
    }
    page.push_str(r#""last"]}"#);
    let length = page.len();
    let page: Arc<Vec<u8>> = Arc::new(page.into_bytes());
    let bodies = Arc::clone(&page);
    // The server is not measured: it answers from one copy, in pieces.
    let own = Server::start(move |_, seen| if seen.path.contains("tags") { ok(bodies.to_vec()) } else { ok("") }).await;
    let registry = open(&own, Meter::default(), &[]);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let listing = registry.tags().await.unwrap();
    let taken = MEMORY.peak_usage().saturating_sub(before).saturating_sub(length);
    assert_eq!((listing.tags.len(), listing.invalid), (200_001, 400_000));
    assert!(taken < 80 * MIB, "{taken} bytes for 20 MB of names");
}

#[tokio::test]
async fn lists_without_end_are_refused() {
    let _alone = ALONE.lock().await;
    let own = Server::start(|_, seen| {
        let number: usize = seen.path.rsplit('=').next().and_then(|last| last.parse().ok()).unwrap_or(0);
        let tags: Vec<_> = (0..50_000).map(|tag| format!("\"{number}-{tag}\"")).collect();
        let next = format!("</v2/a/b/tags/list?last={}>; rel=\"next\"", number + 1);
        (200, vec![("link", next)], format!(r#"{{"tags":[{}]}}"#, tags.join(",")).into_bytes())
    })
    .await;
    let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::ContentRefused);
    assert!(error.to_string().contains("500000"), "{error}");
    let own = Server::start(|_, seen| {
        let number: usize = seen.path.rsplit('=').next().and_then(|last| last.parse().ok()).unwrap_or(0);
        let tags: Vec<_> = (0..30_000).map(|tag| format!("\"{number:0>60}{tag:0>60}\"")).collect();
        let next = format!("</v2/a/b/tags/list?last={}>; rel=\"next\"", number + 1);
        (200, vec![("link", next)], format!(r#"{{"tags":[{}]}}"#, tags.join(",")).into_bytes())
    })
    .await;
    let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
    assert!(error.to_string().contains("33554432 bytes"), "{error}");
}

#[tokio::test]
async fn large_documents_are_held_one_at_a_time_and_small_ones_pass() {
    let _alone = ALONE.lock().await;
    let large = format!(r#"{{"schemaVersion":2,"manifests":[],"x":"{}"}}"#, "x".repeat(MIB));
    let small = r#"{"schemaVersion":2,"manifests":[]}"#;
    let digests = [large.as_str(), small].map(|text| Digest::sha256(text.as_bytes()));
    let small_path = digests[1].to_string();
    let own = Server::start(move |_, seen| {
        if seen.path.contains("manifests") {
            ok(if seen.path.ends_with(&small_path) { small.to_owned() } else { large.clone() })
        } else {
            status(404, vec![])
        }
    })
    .await;
    let registry = open(&own, Meter::default(), &[]);
    let held = registry.manifest(&digests[0], None).await.unwrap();
    let waiting = tokio::spawn({
        let (registry, digest) = (registry.clone(), digests[0].clone());
        async move { registry.manifest(&digest, None).await.map(|bytes| bytes.len()) }
    });
    for _ in 0..40 {
        registry.manifest(&digests[1], None).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "there is one place");
    let part = held.slice(..9);
    drop(held);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "a part of it is all of it");
    drop(part);
    assert!(waiting.await.unwrap().unwrap() > MIB);
}

#[tokio::test]
async fn a_blob_takes_what_has_come_of_it() {
    let _alone = ALONE.lock().await;
    let own = Server::start(|_, _| ok(vec![7; 300_000])).await;
    let registry = open(&own, Meter::default(), &[]);
    let size = u64::MAX;
    let error = match registry.blob(&Digest::sha256(b""), size, 0).await {
        Ok(reader) => reader.rest().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, UpstreamError::LengthMismatch { .. }), "{error}");
    let bytes = registry.blob(&Digest::sha256(b""), 300_000, 0).await.unwrap().rest().await.unwrap();
    assert_eq!(bytes.len(), 300_000);
    for range in [0..0, 0..u64::MAX, u64::MAX - 1..u64::MAX, u64::MAX..u64::MAX] {
        if let Ok(Some(reader)) = registry.blob_part(&Digest::sha256(b""), 300_000, range.clone()).await {
            assert!(reader.rest().await.is_ok_and(|bytes| bytes.len() <= 300_000), "{range:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_begins_again_and_again_gets_nobody_on() {
    let _alone = ALONE.lock().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("{}/a/b", listener.local_addr().unwrap()).parse().unwrap();
    // It says nothing of a length, breaks off, and knows no ranges.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            // What begins with this byte speaks TLS.
            if stream.read(&mut request).await.is_ok_and(|_| request[0] != 0x16) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
                let _ = stream.write_all(&vec![7; 300_000]).await;
            }
        }
    });
    let registry = Registry::new(reference, server::settings(Meter::default(), &[])).unwrap();
    let error = registry.blob(&Digest::sha256(b""), 400_000, 0).await.unwrap().rest().await.unwrap_err();
    assert!(matches!(error, UpstreamError::Truncated { received: 300_000, .. }), "{error}");
}
