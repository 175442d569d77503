//! HTTP/2: what goes by its streams and what does not, and what breaks them.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use h2::Reason;
use moorage_domain::{Digest, Fallback};
use moorage_upstream::{Meter, Registry, UpstreamError};
use peak_alloc::PeakAlloc;
use server::{
    Reply, ok, status,
    streams::{Came, Done, Manner, Streams},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;
const PATIENCE: Duration = Duration::from_secs(20);
/// Of blobs that have a connection of their own, and of blobs that have none.
const LARGE: usize = 300 * 1024;
const SMALL: usize = 20 * 1024;

fn manifest() -> Digest {
    Digest::sha256(MANIFEST.as_bytes())
}

fn fallbacks(meter: &Meter) -> Vec<Fallback> {
    meter.fallbacks().iter().collect()
}

/// What is at a path.
fn found(path: &str) -> Reply {
    match path {
        path if path.ends_with("large") => ok(vec![7; LARGE]),
        path if path.contains("/blobs/") || path.ends_with("small") => ok(vec![7; SMALL]),
        _ => (200, vec![("docker-content-digest", manifest().to_string())], MANIFEST.into()),
    }
}

fn blob(size: usize) -> Digest {
    Digest::sha256(&vec![7; size])
}

/// Asks for what so many tags point to, all at once.
async fn resolve(registry: &Registry, times: usize) -> Vec<UpstreamError> {
    let mut running = tokio::task::JoinSet::new();
    for nth in 0..times {
        let registry = registry.clone();
        running.spawn(async move { registry.resolve(&format!("v{nth}").parse().unwrap()).await.map(drop) });
    }
    running.join_all().await.into_iter().filter_map(Result::err).collect()
}

/// Reads so many blobs of a size, all at once.
async fn read(registry: &Registry, size: usize, times: usize) {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..times {
        let registry = registry.clone();
        running.spawn(async move {
            let reader = registry.blob(&blob(size), size as u64, 0).await.unwrap();
            assert_eq!(reader.rest().await.unwrap().len(), size);
        });
    }
    running.join_all().await;
}

/// The connections of those that came so.
fn connections(came: &[Came], which: impl Fn(&Came) -> bool) -> BTreeSet<usize> {
    came.iter().filter(|came| which(came)).map(|came| came.connection).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn small_things_share_a_connection_and_large_ones_have_their_own() {
    let large = format!("/v2/a/b/blobs/{}", blob(LARGE));
    let path = large.clone();
    let own = Streams::start(Manner::default(), move |came| {
        let reply = if came.path == path { ok(vec![7; LARGE]) } else { found(&came.path) };
        // Long enough for a busy machine to send all of them meanwhile.
        Done::Late(Duration::from_secs(1), reply)
    })
    .await;
    let meter = Meter::default();
    let registry = own.open(meter.clone(), PATIENCE);
    assert!(resolve(&registry, 1).await.is_empty());
    let ((), errors, ()) = tokio::join!(read(&registry, SMALL, 20), resolve(&registry, 30), read(&registry, LARGE, 4));
    assert!(errors.is_empty(), "{errors:?}");
    let came = own.came();
    let streams = connections(&came, |came| came.is_stream);
    assert_eq!((streams.len(), own.peak()), (1, 50), "{came:?}");
    let is_small = |came: &Came| came.path != large && came.path != "/v2/";
    assert!(came.iter().all(|came| came.is_stream == is_small(came)), "{came:?}");
    // The question whether https is spoken goes by one of them.
    assert_eq!(connections(&came, |came| !came.is_stream).len(), 4, "{came:?}");
    assert_eq!((fallbacks(&meter), meter.counts().retries), (vec![], 0));
    // The connections of large ones are kept, too.
    read(&registry, LARGE, 4).await;
    assert_eq!(connections(&own.came(), |came| !came.is_stream).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_http2_is_offered_large_and_small_have_the_same_connections() {
    let manner = Manner { is_old: true, ..Manner::default() };
    let large = format!("/v2/a/b/blobs/{}", blob(LARGE));
    let own = Streams::start(manner, move |came| {
        Done::Sent(if came.path == large { ok(vec![7; LARGE]) } else { found(&came.path) })
    })
    .await;
    let registry = own.open(Meter::default(), PATIENCE);
    // One that has just come to its end is free for the next request a moment later.
    let pause = || tokio::time::sleep(Duration::from_millis(200));
    for _ in 0..3 {
        assert!(resolve(&registry, 1).await.is_empty());
        pause().await;
        read(&registry, LARGE, 1).await;
        pause().await;
    }
    // Another one asked whether https is spoken, before that was known.
    let came = own.came();
    assert_eq!(connections(&came, |came| came.path != "/v2/").len(), 1, "{came:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_for_one_stream_where_there_is_but_one() {
    // Quickly, and so slowly that the last ones wait for longer than a connection may be silent.
    for (takes, patience) in [(20, PATIENCE), (100, Duration::from_secs(2))] {
        let manner = Manner { most: Some(1), ..Manner::default() };
        let own = Streams::start(manner, move |came| Done::Late(Duration::from_millis(takes), found(&came.path))).await;
        let meter = Meter::default();
        let registry = own.open(meter.clone(), patience);
        assert!(resolve(&registry, 1).await.is_empty());
        let errors = resolve(&registry, 64).await;
        assert!(errors.is_empty(), "{takes}: {errors:?}");
        assert_eq!(fallbacks(&meter), [], "{takes}");
        let came = own.came();
        let waited = connections(&came, |came| !came.is_stream && came.path != "/v2/").is_empty();
        assert_eq!(waited, patience == PATIENCE, "{takes}: others are asked by HTTP/1.1: {came:?}");
    }
}

type MakeDone = fn(&Came) -> Done;

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_always_break_are_given_up() {
    let kinds: [(&str, MakeDone); 10] = [
        ("refused", |_| Done::Reset(Reason::REFUSED_STREAM)),
        ("protocol", |_| Done::Reset(Reason::PROTOCOL_ERROR)),
        ("calm", |_| Done::Reset(Reason::ENHANCE_YOUR_CALM)),
        ("internal", |_| Done::Reset(Reason::INTERNAL_ERROR)),
        ("cancelled", |_| Done::Reset(Reason::CANCEL)),
        ("gone", |_| Done::Away(Reason::NO_ERROR)),
        ("gone in anger", |_| Done::Away(Reason::ENHANCE_YOUR_CALM)),
        ("dropped", |_| Done::Dropped),
        ("silent", |_| Done::Silent),
        ("headers", |_| Done::Sent((200, vec![("x-long", "x".repeat(24 * 1024))], MANIFEST.into()))),
    ];
    for (what, by_stream) in kinds {
        let own = Streams::start(Manner::default(), move |came| {
            if came.is_stream { by_stream(came) } else { Done::Sent(found(&came.path)) }
        })
        .await;
        given_up(what, &own, MANIFEST.len()).await;
    }
    let own = Streams::start(Manner::default(), |came| {
        if came.is_stream {
            Done::Torn(found(&came.path), Reason::INTERNAL_ERROR)
        } else {
            Done::Sent(found(&came.path))
        }
    })
    .await;
    given_up("torn", &own, MANIFEST.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_instead_of_http2_is_given_up() {
    let kinds: [(&str, &[u8]); 4] = [
        ("nothing", b""),
        ("HTTP/1.1", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        ("zeros", &[0; 4096]),
        ("a frame that is too large", &[0xff; 9]),
    ];
    for (what, nonsense) in kinds {
        let manner = Manner { nonsense: Some(nonsense), ..Manner::default() };
        let own = Streams::start(manner, |came| Done::Sent(found(&came.path))).await;
        given_up(what, &own, MANIFEST.len()).await;
    }
}

/// Asserts that all is read by HTTP/1.1 before long, and that it is known why.
async fn given_up(what: &str, own: &Streams, length: usize) {
    let (meter, begun) = (Meter::default(), Instant::now());
    let registry = own.open(meter.clone(), Duration::from_millis(800));
    for _ in 0..12 {
        let read = registry.manifest(&manifest(), None).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(read.len(), length, "{what}");
    }
    assert_eq!(fallbacks(&meter), [Fallback::Http2], "{what}");
    let came = own.came();
    assert!(came.iter().filter(|came| came.is_stream).count() <= 4, "{what}: {came:?}");
    let last = &came[came.len() - 6..];
    assert!(last.iter().all(|came| !came.is_stream), "{what}: {came:?}");
    // One that has just come to its end may not be free for the next request yet.
    assert!(last.iter().filter(|came| came.nth > 0).count() >= 4, "{what}: they are kept: {came:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_http1_gets_it_at_once() {
    let own = Streams::start(Manner::default(), |came| {
        if came.is_stream { Done::Reset(Reason::HTTP_1_1_REQUIRED) } else { Done::Sent(found(&came.path)) }
    })
    .await;
    let meter = Meter::default();
    let registry = own.open(meter.clone(), PATIENCE);
    for _ in 0..5 {
        registry.manifest(&manifest(), None).await.unwrap();
    }
    assert_eq!(fallbacks(&meter), [Fallback::Http2]);
    assert_eq!(own.came().iter().filter(|came| came.is_stream).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_on_http1_too_has_a_connection_each_time() {
    let own = Streams::start(Manner::default(), |came| match (came.is_stream, came.nth) {
        (true, _) => Done::Reset(Reason::INTERNAL_ERROR),
        (false, 0) => Done::Sent(found(&came.path)),
        (false, _) => Done::Silent,
    })
    .await;
    let meter = Meter::default();
    let registry = own.open(meter.clone(), Duration::from_millis(600));
    for _ in 0..8 {
        registry.manifest(&manifest(), None).await.unwrap();
    }
    assert_eq!(fallbacks(&meter), [Fallback::KeepAlive, Fallback::Http2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_with_many_requests_on_it_is_no_reason_to_give_up() {
    for end in [Some(Reason::NO_ERROR), Some(Reason::INTERNAL_ERROR), None] {
        let own = Streams::start(Manner::default(), move |came| match (came.is_stream, came.connection, came.nth) {
            (true, 0, 40) => end.map_or(Done::Dropped, Done::Away),
            _ => Done::Late(Duration::from_millis(30), found(&came.path)),
        })
        .await;
        let meter = Meter::default();
        let registry = own.open(meter.clone(), PATIENCE);
        assert!(resolve(&registry, 1).await.is_empty());
        for _ in 0..3 {
            let errors = resolve(&registry, 60).await;
            assert!(errors.is_empty(), "{end:?}: {errors:?}");
        }
        assert_eq!(fallbacks(&meter), [], "{end:?}");
        let (counts, came) = (meter.counts(), own.came());
        assert!(connections(&came, |came| came.is_stream).len() <= 60, "{end:?}");
        assert!(came.last().unwrap().is_stream, "{end:?}: it goes on by streams");
        assert!(came.len() as u64 <= counts.requests + counts.retries, "{end:?}: {counts:?}, {}", came.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_lead_from_one_protocol_to_the_other() {
    for is_old in [false, true] {
        let of_storage = Manner { is_old, ..Manner::default() };
        let of_registry = Manner { is_old: !is_old, ..Manner::default() };
        let storage = Streams::start(of_storage, |came| Done::Sent(found(&came.path))).await;
        let (location, large) = (storage.address.clone(), blob(LARGE).to_string());
        let own = Streams::start(of_registry, move |came| {
            let size = if came.path.ends_with(&large) { "large" } else { "small" };
            Done::Sent(if came.path.contains("/blobs/") {
                status(307, vec![("location", format!("https://{location}/{size}"))])
            } else {
                found(&came.path)
            })
        })
        .await;
        let meter = Meter::default();
        let registry = own.open(meter.clone(), PATIENCE);
        assert!(resolve(&registry, 1).await.is_empty());
        for _ in 0..3 {
            read(&registry, LARGE, 2).await;
            read(&registry, SMALL, 4).await;
        }
        assert_eq!(fallbacks(&meter), []);
        for (server, is_old) in [(&own, !is_old), (&storage, is_old)] {
            let came = server.came();
            assert_eq!(came.iter().any(|came| came.is_stream), !is_old, "{came:?}");
        }
        let came = storage.came();
        assert!(came.iter().all(|came| !came.is_stream || came.path != "/large"), "{came:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unread_takes_little_memory_and_stops_nobody() {
    /// A manifest that is as large as one may be. There is one for all.
    const SIZE: usize = 4 * 1024 * 1024;
    let body = vec![b' '; SIZE];
    let digest = Digest::sha256(&body);
    let body: &'static [u8] = body.leak();
    let own = Streams::start(Manner::default(), move |came| {
        if came.path.contains("sha256") { Done::Huge(body) } else { Done::Sent(found(&came.path)) }
    })
    .await;
    let registry = own.open(Meter::default(), PATIENCE);
    assert!(resolve(&registry, 1).await.is_empty());
    MEMORY.reset_peak_usage();
    let (before, begun) = (MEMORY.current_usage(), Instant::now());
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let (registry, digest) = (registry.clone(), digest.clone());
        running.spawn(async move {
            let read = registry.manifest(&digest, None).await.unwrap();
            // Whoever has it has something to do with it.
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(read.len(), SIZE);
        });
    }
    running.join_all().await;
    let took = MEMORY.peak_usage() - before;
    assert!(took < 48 * 1024 * 1024, "{took}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}
