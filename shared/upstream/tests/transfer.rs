//! What a registry may refuse or answer oddly, and still be read: a saving of ours never makes a copy fail.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use moorage_domain::{Digest, FailureReason, Fallback, RateLimit, TagName, Timestamp};
use moorage_upstream::{Meter, Registry, UpstreamError};
use server::{
    Seen, Server, ok, open,
    raw::{Came, Done, Raw, answer},
    status,
};

const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;
const SIZE: u64 = 400_000;
const PATIENCE: Duration = Duration::from_secs(5);

fn blob() -> Vec<u8> {
    (0..SIZE).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

fn digest() -> Digest {
    Digest::sha256(&blob())
}

fn manifest() -> Digest {
    Digest::sha256(MANIFEST.as_bytes())
}

fn tag() -> TagName {
    "v1".parse().unwrap()
}

fn fallbacks(meter: &Meter) -> Vec<Fallback> {
    meter.fallbacks().iter().collect()
}

/// The range that was asked for.
fn asked(range: &str) -> (usize, usize) {
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    (first.parse().unwrap(), last.parse().unwrap())
}

/// A blob in two parts and a rest, as an engine reads it.
async fn read(registry: &Registry) -> Result<Vec<u8>, UpstreamError> {
    let (mut bytes, digest) = (Vec::new(), digest());
    for range in [0..150_000, 150_000..300_000] {
        let part = match registry.blob_part(&digest, SIZE, range).await? {
            Some(reader) => reader.part().await?,
            None => None,
        };
        let Some(part) = part else {
            let rest = registry.whole_blob(&digest, SIZE, bytes.len() as u64).await?;
            registry.sends_no_parts();
            return Ok([bytes, rest.rest().await?.to_vec()].concat());
        };
        bytes.extend_from_slice(&part);
    }
    let rest = registry.blob(&digest, SIZE, bytes.len() as u64).await?.rest().await?;
    Ok([bytes, rest.to_vec()].concat())
}

type Ranged = fn(&[u8], usize, usize) -> (u16, Vec<(&'static str, String)>, Vec<u8>);

#[tokio::test]
async fn whatever_is_said_to_a_range_the_blob_is_read() {
    let kinds: [(&str, Ranged); 18] = [
        ("400", |_, _, _| status(400, vec![])),
        ("403", |_, _, _| status(403, vec![])),
        ("404", |_, _, _| status(404, vec![])),
        ("416", |_, _, _| status(416, vec![])),
        ("500", |_, _, _| status(500, vec![])),
        ("501", |_, _, _| status(501, vec![])),
        ("503", |_, _, _| status(503, vec![])),
        ("204", |_, _, _| status(204, vec![])),
        ("all of it", |all, _, _| ok(all)),
        ("the part as if it were all", |all, first, last| ok(&all[first..=last])),
        ("206 without a range", |all, first, last| (206, vec![], all[first..=last].to_vec())),
        ("206 with a malformed range", |all, first, last| {
            (206, vec![("content-range", "bytes what/ever".into())], all[first..=last].to_vec())
        }),
        ("206 with all of it", |all, _, _| {
            (206, vec![("content-range", format!("bytes 0-{}/{SIZE}", SIZE - 1))], all.to_vec())
        }),
        ("206 with another range", |all, first, last| {
            let (first, last) = ((first + 1) % 1_000, last % 1_000 + 1_000);
            (206, vec![("content-range", format!("bytes {first}-{last}/{SIZE}"))], all[first..=last].to_vec())
        }),
        ("206 with another total", |all, first, last| {
            (206, vec![("content-range", format!("bytes {first}-{last}/{}", SIZE * 2))], all[first..=last].to_vec())
        }),
        ("206 that is longer than it says", |all, first, last| {
            (206, vec![("content-range", format!("bytes {first}-{last}/{SIZE}"))], all.to_vec())
        }),
        ("206 that is shorter than it says", |all, first, last| {
            (206, vec![("content-range", format!("bytes {first}-{last}/{SIZE}"))], all[first..last].to_vec())
        }),
        ("206 in several pieces", |all, first, last| {
            let kind = ("content-type", "multipart/byteranges; boundary=x".into());
            let range = ("content-range", format!("bytes {first}-{last}/{SIZE}"));
            (206, vec![kind, range], [b"--x\r\n\r\n", &all[first..=last], b"\r\n--x--"].concat())
        }),
    ];
    for (what, ranged) in kinds {
        for is_elsewhere in [false, true] {
            let answer = move |seen: &Seen| match seen.range.as_deref().map(asked) {
                Some((first, last)) => ranged(&blob(), first, last),
                None => ok(blob()),
            };
            let storage = Server::start(move |_, seen| answer(seen)).await;
            let to = storage.url();
            let own = Server::start(move |_, seen| {
                if is_elsewhere { status(302, vec![("location", format!("{to}/blob?sig=1"))]) } else { answer(seen) }
            })
            .await;
            let meter = Meter::default();
            let registry = open(&own, meter.clone(), &[]);
            for time in 0..2 {
                let bytes = read(&registry).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(bytes == blob(), "{what}, {time}");
            }
            assert_eq!(fallbacks(&meter), [Fallback::Range], "{what}");
            let ranges = own.seen().iter().filter(|seen| seen.range.is_some()).count();
            assert!(ranges <= 4, "{what}: {ranges} requests with a range");
        }
    }
}

#[tokio::test]
async fn parts_that_come_are_taken() {
    for total in [SIZE.to_string(), "*".to_owned()] {
        let own = Server::start(move |_, seen| match seen.range.as_deref().map(asked) {
            Some((first, last)) => {
                (206, vec![("Content-Range", format!("bytes {first}-{last}/{total}"))], blob()[first..=last].to_vec())
            }
            None => panic!("nothing is asked for as a whole"),
        })
        .await;
        let meter = Meter::default();
        assert!(read(&open(&own, meter.clone(), &[])).await.unwrap() == blob());
        assert_eq!((own.seen().len(), fallbacks(&meter)), (3, vec![]));
    }
}

#[tokio::test]
async fn a_registry_that_refuses_ranges_alone_for_who_asks_or_when_is_read_as_a_whole() {
    for (code, header) in [
        (429, "retry-after: 0"),
        (503, "retry-after: 0"),
        (401, "x: y"),
        (401, "www-authenticate: Basic"),
        (403, "x: y"),
    ] {
        let (name, value) = header.split_once(": ").unwrap();
        let own = Server::start(move |_, seen| match seen.range {
            Some(_) => status(code, vec![(name, value.to_owned())]),
            None => ok(blob()),
        })
        .await;
        let meter = Meter::default();
        let bytes = read(&open(&own, meter.clone(), &[])).await.unwrap_or_else(|error| panic!("{code}: {error}"));
        assert!(bytes == blob() && fallbacks(&meter) == [Fallback::Range], "{code}, {header}");
    }
    let own = Server::start(move |_, _| status(401, vec![])).await;
    let error = read(&open(&own, Meter::default(), &[])).await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::AuthFailed, "{error}");
}

#[tokio::test]
async fn a_registry_that_refuses_ranges_alone_for_long_is_left_alone_once() {
    for code in [429, 503] {
        let own = Server::start(move |_, seen| match seen.range {
            Some(_) => status(code, vec![("retry-after", "3600".to_owned())]),
            None => ok(blob()),
        })
        .await;
        let meter = Meter::default();
        let error = read(&open(&own, meter.clone(), &[])).await.unwrap_err();
        assert_eq!((error.reason(), fallbacks(&meter)), (FailureReason::RateLimited, vec![]), "{code}: {error}");
        assert!(read(&open(&own, waited(&meter), &[])).await.unwrap() == blob(), "{code}");
    }
}

/// What a run goes on with once it has waited.
fn waited(meter: &Meter) -> Meter {
    let limit = meter.limit();
    assert!(limit.blocked_until.is_some());
    Meter::new(RateLimit { blocked_until: Some(Timestamp::from_unix(1_000)), ..limit }, 0)
}

/// A blob whose connection breaks after so many bytes.
fn cut(came: &Came, after: usize, parts: bool) -> Done {
    let bytes = blob();
    let (first, last) = match came.range().map(asked) {
        Some(_) if !parts => return Done::Sent(answer(400, "", b"")),
        Some(range) => range,
        None => (0, bytes.len() - 1),
    };
    let code = if first > 0 { 206 } else { 200 };
    let head = format!("content-range: bytes {first}-{last}/{SIZE}\r\n");
    let all = answer(code, &head, &bytes[first..=last]);
    let end = all.len().min(after + all.len() - (last + 1 - first));
    if end == all.len() { Done::Sent(all) } else { Done::Last(all[..end].to_vec()) }
}

#[tokio::test]
async fn a_broken_blob_is_gone_on_with_where_it_broke_or_read_again() {
    for parts in [true, false] {
        let times = AtomicUsize::new(0);
        let own = Raw::start(move |came| match came.line.contains("blobs") && came.range().is_none() {
            true if times.fetch_add(1, SeqCst) == 0 => cut(came, 100_000, parts),
            _ if came.line.contains("blobs") => cut(came, usize::MAX / 2, parts),
            _ => Done::Sent(answer(200, "", b"")),
        })
        .await;
        let meter = Meter::default();
        let registry = own.open(meter.clone(), 5, PATIENCE);
        let bytes = registry.blob(&digest(), SIZE, 0).await.unwrap().rest().await.unwrap();
        assert!(bytes == blob());
        assert_eq!(meter.fallbacks().contains(Fallback::Range), !parts);
        let came: Vec<_> = own.came().iter().filter_map(|came| came.range().map(str::to_owned)).collect();
        assert_eq!(came.first().unwrap(), &format!("bytes=100000-{}", SIZE - 1));
    }
}

#[tokio::test]
async fn a_blob_that_breaks_again_and_again_and_has_no_parts_is_given_up() {
    let own = Raw::start(|came| cut(came, 100_000, false)).await;
    let registry = own.open(Meter::default(), 5, PATIENCE);
    let error = registry.blob(&digest(), SIZE, 0).await.unwrap().rest().await.unwrap_err();
    assert!(matches!(error, UpstreamError::Truncated { .. } | UpstreamError::Connection { .. }), "{error}");
    assert_eq!(error.reason(), FailureReason::ConnectionError);
    assert!(own.came().len() < 20, "{}", own.came().len());
}

#[tokio::test]
async fn get_decides_where_head_does_not() {
    let said = |digest: String| vec![("Docker-Content-Digest", digest)];
    let heads = [
        status(400, vec![]),
        status(401, vec![]),
        status(401, vec![("www-authenticate", "Basic".into())]),
        status(403, vec![]),
        status(404, vec![]),
        status(405, vec![]),
        status(429, vec![("retry-after", "0".into())]),
        status(500, vec![]),
        status(502, vec![]),
        status(200, vec![]),
        status(204, vec![]),
        status(200, said("sha256:short".into())),
        status(200, said(format!("sha512:{}", "a".repeat(128)))),
        status(302, vec![("location", "/elsewhere".into())]),
    ];
    for head in heads {
        let what = format!("{} {:?}", head.0, head.1);
        let own = Server::start(move |_, seen| match (&*seen.method, &*seen.path) {
            (_, "/elsewhere") => status(403, vec![]),
            ("HEAD", _) => head.clone(),
            _ => ok(MANIFEST),
        })
        .await;
        let meter = Meter::default();
        let registry = open(&own, meter.clone(), &[]);
        for _ in 0..3 {
            assert_eq!(registry.resolve(&tag()).await.unwrap().digest, manifest(), "{what}");
        }
        assert_eq!(fallbacks(&meter), [Fallback::Head], "{what}");
        let seen = own.seen();
        let count = |method: &str| seen.iter().filter(|seen| seen.method == method && seen.path.contains("v1")).count();
        assert!(count("HEAD") <= 6 && count("GET") == 3, "{what}: {seen:?}");
    }
    let broken = Raw::start(|came| {
        if came.line.starts_with("HEAD") {
            Done::Last(Vec::new())
        } else {
            Done::Sent(answer(200, "", MANIFEST.as_bytes()))
        }
    })
    .await;
    let registry = broken.open(Meter::default(), 5, PATIENCE);
    assert_eq!(registry.resolve(&tag()).await.unwrap().digest, manifest());
}

#[tokio::test]
async fn what_get_does_not_know_either_is_not_there() {
    let own = Server::start(|_, _| status(404, vec![])).await;
    let meter = Meter::default();
    let error = open(&own, meter.clone(), &[]).resolve(&tag()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::NotFound(_)) && fallbacks(&meter).is_empty(), "{error}");
    let own = Server::start(|_, seen| match &*seen.method {
        "HEAD" => status(429, vec![("retry-after", "3600".into())]),
        _ => ok(MANIFEST),
    })
    .await;
    let error = open(&own, meter.clone(), &[]).resolve(&tag()).await.unwrap_err();
    assert_eq!((error.reason(), meter.counts().manifest_gets), (FailureReason::RateLimited, 1), "{error}");
    // Once it was left alone, and says it again, GET decides.
    assert_eq!(open(&own, waited(&meter), &[]).resolve(&tag()).await.unwrap().digest, manifest());
}

#[tokio::test]
async fn some_tags_that_head_does_not_tell_of_say_nothing_of_the_others() {
    let own = Server::start(|_, seen| match &*seen.method {
        "HEAD" if seen.path.ends_with("/odd") => status(500, vec![]),
        "HEAD" => (200, vec![("docker-content-digest", manifest().to_string())], vec![]),
        _ => ok(MANIFEST),
    })
    .await;
    let meter = Meter::default();
    let registry = open(&own, meter.clone(), &[]);
    for name in ["odd", "v1", "odd", "odd", "v1"] {
        assert_eq!(registry.resolve(&name.parse().unwrap()).await.unwrap().digest, manifest());
        assert_eq!(fallbacks(&meter), [], "{name}");
    }
    for _ in 0..3 {
        registry.resolve(&"odd".parse().unwrap()).await.unwrap();
    }
    assert_eq!(fallbacks(&meter), [Fallback::Head], "it has begun to be so");
}

#[tokio::test]
async fn a_manifest_that_is_known_by_its_tag_alone_is_asked_for_by_that() {
    for code in [404, 400, 403, 405, 410, 500] {
        let own =
            Server::start(move |_, seen| if seen.path.ends_with("/v1") { ok(MANIFEST) } else { status(code, vec![]) })
                .await;
        let meter = Meter::default();
        let registry = open(&own, meter.clone(), &[]);
        assert_eq!(registry.manifest(&manifest(), Some(&tag())).await.unwrap(), MANIFEST);
        assert_eq!(fallbacks(&meter), [Fallback::ManifestByDigest]);
        let before = own.seen().len();
        assert_eq!(registry.manifest(&manifest(), Some(&tag())).await.unwrap(), MANIFEST);
        assert_eq!(own.seen().len(), before + 1, "it is asked for by its tag at once");
        let error = registry.manifest(&manifest(), None).await.unwrap_err();
        assert_eq!(matches!(error, UpstreamError::Auth(_)), code == 403, "{error}");
        let old = Digest::sha256(b"old");
        assert!(registry.manifest(&old, Some(&tag())).await.is_err(), "it has another digest");
        assert_eq!(registry.read(&tag()).await.unwrap().digest, manifest());
    }
}

#[tokio::test]
async fn a_damaged_manifest_is_fetched_once_more() {
    for (damaged, by_tag) in [(1, false), (1, true), (usize::MAX, false), (usize::MAX, true)] {
        let times = AtomicUsize::new(0);
        let own = Server::start(move |_, seen| {
            if seen.method == "GET" && seen.path.contains("manifests") && times.fetch_add(1, SeqCst) < damaged {
                return (200, vec![("docker-content-digest", manifest().to_string())], b"damaged".to_vec());
            }
            (200, vec![("docker-content-digest", manifest().to_string())], MANIFEST.into())
        })
        .await;
        let registry = open(&own, Meter::default(), &[]);
        let result = if by_tag {
            registry.read(&tag()).await.map(|read| read.manifest.unwrap())
        } else {
            registry.manifest(&manifest(), Some(&tag())).await
        };
        match result {
            Ok(bytes) => assert!(damaged == 1 && bytes == MANIFEST),
            Err(error) => assert!(damaged > 1 && matches!(error, UpstreamError::DigestMismatch(_)), "{error}"),
        }
        let gets = own.seen().iter().filter(|seen| seen.path.contains("manifests")).count();
        assert_eq!(gets, 2, "once more, and not more often");
    }
}

#[tokio::test]
async fn a_registry_that_does_not_understand_our_types_is_asked_without() {
    let own = Raw::start(|came| {
        if came.head.contains("accept: */*\r\n") {
            Done::Sent(answer(200, "", MANIFEST.as_bytes()))
        } else {
            Done::Sent(answer(406, "", b""))
        }
    })
    .await;
    let registry = own.open(Meter::default(), 5, PATIENCE);
    assert_eq!(registry.manifest(&manifest(), None).await.unwrap(), MANIFEST);
}
