//! How a registry is connected to: redirects, kept connections, parallel requests, patience, and answers of every shape.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use std::{
    collections::BTreeSet,
    sync::Mutex,
    time::{Duration, Instant},
};

use moorage_domain::{Digest, FailureReason, Fallback};
use moorage_upstream::Meter;
use server::{
    Server, ok, open,
    raw::{Done, Raw, answer},
    status,
};

const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;
const PATIENCE: Duration = Duration::from_secs(5);

fn manifest() -> Digest {
    Digest::sha256(MANIFEST.as_bytes())
}

fn fallbacks(meter: &Meter) -> Vec<Fallback> {
    meter.fallbacks().iter().collect()
}

type MakeDone = fn() -> Done;

#[tokio::test]
async fn ten_redirects_are_followed() {
    for hops in [10, 11] {
        let own = Server::start(move |_, seen| {
            let hop: usize = seen.path.strip_prefix("/hop/").map_or(0, |hop| hop.parse().unwrap());
            if hop == hops || seen.path == "/v2/" {
                return ok(MANIFEST);
            }
            status(307, vec![("location", format!("/hop/{}", hop + 1))])
        })
        .await;
        let result = open(&own, Meter::default(), &[]).manifest(&manifest(), None).await;
        assert_eq!(result.is_ok(), hops == 10, "{hops}");
    }
}

#[tokio::test]
async fn a_signed_place_of_the_same_host_may_not_want_to_know_who_asks() {
    let own = Server::start(|url, seen| match (seen.path.contains("sig="), &seen.authorization) {
        (true, Some(_)) => status(400, vec![]),
        (true, None) => ok(MANIFEST),
        (false, Some(_)) => status(307, vec![("location", "/storage/x?sig=1".into())]),
        (false, None) => status(401, vec![("www-authenticate", format!("Basic realm=\"{url}\""))]),
    })
    .await;
    let registry = open(&own, Meter::default(), &[]);
    let size = MANIFEST.len() as u64;
    assert_eq!(registry.blob(&manifest(), size, 0).await.unwrap().rest().await.unwrap(), MANIFEST);
}

#[tokio::test]
async fn connections_that_break_when_they_are_kept_are_not_kept() {
    let kinds: [(&str, MakeDone); 4] = [
        ("closed", || Done::Last(Vec::new())),
        ("garbage", || Done::Last(b"\x00\x01garbage\r\n\r\n".to_vec())),
        ("an objection", || Done::Last(answer(400, "connection: close\r\n", b"what?"))),
        ("silence", || Done::Silent),
    ];
    for (what, second) in kinds {
        let own = Raw::start(move |came| match came.nth {
            0 => Done::Sent(answer(200, "", MANIFEST.as_bytes())),
            _ => second(),
        })
        .await;
        let meter = Meter::default();
        let registry = own.open(meter.clone(), 5, Duration::from_millis(500));
        for _ in 0..12 {
            registry.manifest(&manifest(), None).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        assert_eq!(fallbacks(&meter), [Fallback::KeepAlive], "{what}");
        let came = own.came();
        assert!(came.len() < 12 + 8 && came.iter().rev().take(3).all(|came| came.nth == 0), "{what}: {}", came.len());
    }
}

#[tokio::test]
async fn a_slow_registry_breaks_no_connections() {
    let own = Raw::start(|came| {
        // Longer than a kept connection is waited for, and not so long that it is too long.
        std::thread::sleep(Duration::from_millis(if came.nth == 0 { 0 } else { 350 }));
        Done::Sent(answer(200, "", MANIFEST.as_bytes()))
    })
    .await;
    let meter = Meter::default();
    let registry = own.open(meter.clone(), 5, Duration::from_millis(600));
    for _ in 0..3 {
        registry.manifest(&manifest(), None).await.unwrap();
    }
    assert!(!meter.fallbacks().contains(Fallback::ParallelRequests));
}

#[tokio::test]
async fn a_registry_that_bears_one_request_at_a_time_gets_one_at_a_time() {
    let kinds: [(&str, MakeDone); 2] =
        [("503", || Done::Sent(answer(503, "", b""))), ("closed", || Done::Last(Vec::new()))];
    for (what, refusal) in kinds {
        let own = Raw::start(move |came| match came.under_way {
            1 => Done::Sent(answer(200, "", MANIFEST.as_bytes())),
            _ => refusal(),
        })
        .await;
        let meter = Meter::default();
        let registry = own.open(meter.clone(), 5, PATIENCE);
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let registry = registry.clone();
            running.spawn(async move { registry.manifest(&manifest(), None).await.map(|_| ()) });
        }
        while let Some(result) = running.join_next().await {
            result.unwrap().unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        assert!(meter.fallbacks().contains(Fallback::ParallelRequests), "{what}");
        assert!(meter.limit().blocked_until.is_none(), "{what}: it is no limit of a rate");
    }
}

#[tokio::test]
async fn a_mirrors_patience_is_what_an_answer_may_take_and_it_is_waited_for_twice() {
    let own = Raw::start(|_| Done::Silent).await;
    let registry = own.open(Meter::default(), 5, Duration::from_millis(150));
    let begun = Instant::now();
    let error = registry.manifest(&manifest(), None).await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::NetworkTimeout, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let asked: BTreeSet<_> = own.came().into_iter().map(|came| came.line).collect();
    assert!(asked.len() <= 2, "{asked:?}");
}

#[tokio::test]
async fn answers_of_every_shape_are_read() {
    let body = MANIFEST.as_bytes();
    let chunked = format!("{:x}\r\n{MANIFEST}\r\n0\r\n\r\n", body.len());
    let shapes: [Vec<u8>; 7] = [
        [b"HTTP/1.0 200 OK\r\n\r\n", body].concat(),
        [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", body].concat(),
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunked.as_bytes()].concat(),
        [b"HTTP/1.1 100 Continue\r\n\r\n", &*answer(200, "", body)].concat(),
        [b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", &*answer(200, "", body)].concat(),
        answer(200, &format!("DOCKER-CONTENT-DIGEST: {}\r\n", manifest()), body),
        answer(200, "Content-Encoding: gzip\r\n", body),
    ];
    for shape in shapes {
        let what = String::from_utf8_lossy(&shape[..40]).into_owned();
        let own = Raw::start(move |_| Done::Last(shape.clone())).await;
        let registry = own.open(Meter::default(), 5, PATIENCE);
        let read = registry.manifest(&manifest(), None).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(read, MANIFEST, "{what}");
        let size = MANIFEST.len() as u64;
        let read = registry.blob(&manifest(), size, 0).await.unwrap().rest().await.unwrap();
        assert_eq!(read, MANIFEST, "{what}");
    }
}

#[tokio::test]
async fn an_error_says_the_registrys_own_code_and_message() {
    let body = br#"{"errors":[{"code":"MANIFEST_INVALID","message":"x"}]}"#;
    let own = Raw::start(move |_| Done::Sent(answer(418, "", body))).await;
    let error = own.open(Meter::default(), 5, PATIENCE).manifest(&manifest(), None).await.unwrap_err();
    assert!(error.to_string().ends_with("answered with status 418 (MANIFEST_INVALID): x"), "{error}");
}

/// Asks for so many manifests at once.
async fn ask(registry: &moorage_upstream::Registry, times: usize) {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..times {
        let registry = registry.clone();
        running.spawn(async move { registry.manifest(&manifest(), None).await.map(|_| ()) });
    }
    while let Some(result) = running.join_next().await {
        result.unwrap().unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test]
async fn a_registry_that_limits_how_fast_it_is_asked_is_still_asked_in_parallel() {
    let (begun, answered) = (Instant::now(), Mutex::new((0, 0)));
    let own = Raw::start(move |_| {
        let (second, count) = &mut *answered.lock().unwrap();
        if *second != begun.elapsed().as_secs() {
            (*second, *count) = (begun.elapsed().as_secs(), 0);
        }
        *count += 1;
        if *count <= 10 { Done::Sent(answer(200, "", MANIFEST.as_bytes())) } else { Done::Sent(answer(429, "", b"")) }
    })
    .await;
    let meter = Meter::default();
    ask(&own.open(meter.clone(), 5, PATIENCE), 30).await;
    assert_eq!((fallbacks(&meter), meter.limit().blocked_until), (vec![], None));
}

#[tokio::test]
async fn too_many_requests_are_two_at_once_where_waiting_does_not_help() {
    const SIZE: usize = 32 * 1024 * 1024;
    let own = Raw::start(move |came| match (came.line.contains("blobs"), came.under_way) {
        (true, _) => Done::Sent(answer(200, "", &vec![0; SIZE])),
        (false, 1) => Done::Sent(answer(200, "", MANIFEST.as_bytes())),
        (false, _) => Done::Sent(answer(429, "", b"")),
    })
    .await;
    let meter = Meter::default();
    let registry = own.open(meter.clone(), 5, PATIENCE);
    // Its body is under way until it is dropped.
    let blob = registry.blob(&manifest(), SIZE as u64, 0).await.unwrap();
    let refused = || own.came().iter().filter(|came| came.line.contains("manifests")).count();
    let end = async {
        while refused() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(blob);
    };
    tokio::join!(ask(&registry, 1), end);
    assert_eq!(fallbacks(&meter), [Fallback::ParallelRequests]);
}

#[tokio::test]
async fn a_wait_that_is_not_believed_or_means_nothing_stops_nobody() {
    for (code, wait) in
        [(429, "99999999"), (503, "Fri, 31 Dec 9999 23:59:59 GMT"), (500, "600"), (502, "600"), (504, "600")]
    {
        let own = Raw::start(move |came| {
            if came.line.contains("latest") {
                Done::Sent(answer(code, &format!("retry-after: {wait}\r\n"), b""))
            } else {
                Done::Sent(answer(200, "", MANIFEST.as_bytes()))
            }
        })
        .await;
        let (meter, begun) = (Meter::default(), Instant::now());
        let registry = own.open(meter.clone(), 2, PATIENCE);
        assert!(registry.read(&"latest".parse().unwrap()).await.is_err(), "{code}");
        registry.manifest(&manifest(), None).await.unwrap();
        assert!(begun.elapsed() < PATIENCE, "{code}: {:?}", begun.elapsed());
        assert_eq!(meter.limit().blocked_until, None, "{code}");
    }
}

#[tokio::test]
async fn what_is_sent_again_on_a_new_connection_counts() {
    let own = Raw::start(|came| match came.nth {
        0 => Done::Sent(answer(200, "", MANIFEST.as_bytes())),
        _ => Done::Last(Vec::new()),
    })
    .await;
    let meter = Meter::default();
    ask(&own.open(meter.clone(), 5, PATIENCE), 1).await;
    let registry = own.open(meter.clone(), 5, PATIENCE);
    for _ in 0..3 {
        registry.manifest(&manifest(), None).await.unwrap();
    }
    let (counts, came) = (meter.counts(), own.came().len() as u64);
    assert!(counts.retries >= 1, "{counts:?}");
    // Whether https is spoken, a server that does not never sees.
    assert_eq!(counts.requests + counts.retries, came + 2, "{counts:?}");
}
