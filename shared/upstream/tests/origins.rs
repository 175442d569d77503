//! What other servers than the registry may say, and what they must not get.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use moorage_domain::{Digest, FailureReason, RateLimit, organization::RegistryKind};
use moorage_upstream::{Catalog, Meter, UpstreamError};
use server::{PASSWORD, Server, ok, open, settings, status};

const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

fn digest() -> Digest {
    Digest::sha256(MANIFEST.as_bytes())
}

/// A registry that asks for a token of `realm`, and takes the token `t`.
async fn registry(realm: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |url, seen| match seen.authorization.as_deref() {
        Some("Bearer t") => ok(r#"{"tags":["a"]}"#),
        _ if seen.path.starts_with("/token") => ok(r#"{"token":"t"}"#),
        _ => status(401, vec![("www-authenticate", format!(r#"Bearer realm="{}""#, realm(url)))]),
    })
    .await
}

fn redirecting(to: &Server) -> impl Fn(&str, &server::Seen) -> server::Reply + Send + Sync + 'static {
    let to = to.url();
    move |_, seen| status(307, vec![("location", format!("{to}{}", seen.path))])
}

#[tokio::test]
async fn the_storage_behind_a_redirect_gets_no_login() {
    for refusal in [401, 403] {
        let storage = Server::start(move |url, _| {
            let challenges = format!(r#"Basic realm="x", Bearer realm="{url}/token""#);
            status(refusal, vec![("www-authenticate", challenges)])
        })
        .await;
        let registry = Server::start(redirecting(&storage)).await;
        let registry = open(&registry, Meter::default(), &[]);
        for error in [
            registry.manifest(&digest(), None).await.unwrap_err(),
            registry.blob(&digest(), 9, 0).await.unwrap_err(),
            registry.tags().await.unwrap_err(),
        ] {
            assert!(matches!(error, UpstreamError::Storage { status, .. } if status == refusal), "{error}");
            assert_eq!(error.reason(), FailureReason::RegistryError);
        }
        assert!(!storage.has_secrets(), "{:?}", storage.seen());
        assert!(storage.seen().iter().all(|seen| !seen.path.starts_with("/token")));
    }
}

#[tokio::test]
async fn a_token_server_elsewhere_gets_the_password_only_if_it_is_named() {
    let answer = |_: &str, seen: &server::Seen| match &seen.authorization {
        Some(_) => ok(r#"{"token":"t"}"#),
        None => ok(r#"{"token":"of nobody"}"#),
    };
    let other = Server::start(answer).await;
    let realm = format!("{}/token", other.url());
    let own = registry(move |_| realm.clone()).await;
    let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::AuthFailed);
    let message = error.to_string();
    assert!(message.contains("external_registry_config.token_realms"), "{message}");
    assert!(message.contains(&other.address.to_string()), "{message}");
    assert_eq!(other.seen().len(), 1, "an anonymous token was asked for");
    assert!(!other.has_secrets());
    for named in [other.address.to_string(), "127.0.0.1".to_owned()] {
        assert_eq!(open(&own, Meter::default(), &[named]).tags().await.unwrap().tags.len(), 1);
    }
    assert!(other.has_secrets());
}

#[tokio::test]
async fn a_token_server_that_refuses_nobody_in_particular_is_explained() {
    let other = Server::start(|_, _| status(401, vec![])).await;
    let realm = format!("{}/token", other.url());
    let own = registry(move |_| realm.clone()).await;
    let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err().to_string();
    assert!(error.contains("token_realms"), "{error}");
    assert!(!other.has_secrets());
}

#[tokio::test]
async fn what_nobody_must_log_in_for_is_read_with_an_anonymous_token() {
    let other = Server::start(|_, _| ok(r#"{"token":"t"}"#)).await;
    let realm = format!("{}/token", other.url());
    let own = registry(move |_| realm.clone()).await;
    assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1);
    assert!(!other.has_secrets());
}

#[tokio::test]
async fn the_registry_itself_gets_the_password() {
    let own = registry(|url| format!("{url}/token")).await;
    assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1);
    let seen = own.seen();
    let token = seen.iter().find(|seen| seen.path.starts_with("/token")).unwrap();
    assert!(token.authorization.as_deref().unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn the_token_server_stays_the_same() {
    let other = Server::start(|_, _| ok(r#"{"token":"t"}"#)).await;
    let elsewhere = format!("{}/token", other.url());
    let own = Server::start(move |url, seen| {
        let realm = if seen.path.contains("tags") { format!("{url}/token?x=1") } else { elsewhere.clone() };
        match seen.authorization.as_deref() {
            Some(basic) if basic.starts_with("Basic") => ok(r#"{"token":"t"}"#),
            Some("Bearer t") if seen.path.contains("tags") => ok(r#"{"tags":["a"]}"#),
            _ => status(401, vec![("www-authenticate", format!(r#"Bearer realm="{realm}""#))]),
        }
    })
    .await;
    let registry = open(&own, Meter::default(), &[other.address.to_string()]);
    registry.tags().await.unwrap();
    let error = registry.manifest(&digest(), None).await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::RegistryError, "{error}");
    assert!(other.seen().is_empty(), "although it is named");
}

#[tokio::test]
async fn a_request_for_a_token_is_not_redirected_elsewhere() {
    for code in [302, 307, 308] {
        let other = Server::start(|_, _| ok(r#"{"token":"t"}"#)).await;
        let to = other.url();
        let own = Server::start(move |url, seen| match (seen.path.starts_with("/token"), seen.method.as_str()) {
            (true, "GET") if code == 308 => status(405, vec![]),
            (true, _) => status(code, vec![("location", format!("{to}/token"))]),
            _ => status(401, vec![("www-authenticate", format!(r#"Bearer realm="{url}/token""#))]),
        })
        .await;
        let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
        assert_eq!(error.reason(), FailureReason::RegistryError, "{error}");
        assert!(other.seen().is_empty(), "{code}: {:?}", other.seen());
        let posted = own.seen().iter().any(|seen| seen.body.contains(PASSWORD));
        assert_eq!(posted, code == 308, "OAuth2's form went to the registry itself");
    }
}

#[tokio::test]
async fn digests_and_limits_and_links_of_the_storage_do_not_count() {
    let storage = Server::start(|_, seen| {
        let headers = vec![
            ("docker-content-digest", Digest::sha256(b"another").to_string()),
            ("ratelimit-remaining", "0;w=21600".to_owned()),
            ("retry-after", "3600".to_owned()),
        ];
        match &*seen.path {
            path if path.contains("blobs") => (429, headers, vec![]),
            path if path.contains("tags") => (
                200,
                vec![("link", r#"</v2/a/b/tags/list?last=a>; rel="next""#.to_owned())],
                br#"{"tags":["a"]}"#.to_vec(),
            ),
            _ => (200, headers, MANIFEST.as_bytes().to_vec()),
        }
    })
    .await;
    let own = Server::start(redirecting(&storage)).await;
    let meter = Meter::default();
    let registry = open(&own, meter.clone(), &[]);
    let resolved = registry.resolve(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(resolved.digest, digest(), "what came was hashed");
    let error = registry.blob(&digest(), 9, 0).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Storage { status: 429, .. }), "{error}");
    assert_eq!(meter.limit(), RateLimit::default());
    let error = registry.tags().await.unwrap_err();
    assert!(error.to_string().contains("another host"), "a list that goes on has not ended: {error}");
}

#[tokio::test]
async fn how_long_a_token_server_elsewhere_refuses_is_not_for_it_to_say() {
    let days = || vec![("retry-after", "500000".to_owned()), ("ratelimit-remaining", "0;w=21600".to_owned())];
    for code in [429, 503] {
        let other = Server::start(move |_, _| status(code, days())).await;
        let realm = format!("{}/token", other.url());
        let own = registry(move |_| realm.clone()).await;
        let meter = Meter::default();
        let error = open(&own, meter.clone(), &[]).tags().await.unwrap_err();
        let soon = moorage_domain::Timestamp::from_unix(0).plus(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap()
                + std::time::Duration::from_secs(120),
        );
        match error {
            UpstreamError::RateLimited { until } => assert!(code == 429 && until < soon, "{until}"),
            error => assert!(matches!(error, UpstreamError::Status { status: 503, .. }), "{error}"),
        }
        assert_eq!(meter.limit(), RateLimit::default());
    }
}

#[tokio::test]
async fn a_later_success_ends_a_block() {
    let own =
        Server::start(|_, _| (200, vec![("ratelimit-remaining", "5;w=60".to_owned())], br#"{"tags":["a"]}"#.to_vec()))
            .await;
    let now = moorage_domain::Timestamp::from_unix(1);
    let known = RateLimit { blocked_until: Some(now), blocked_at: now, ..RateLimit::default() };
    let meter = Meter::new(known, 0);
    open(&own, meter.clone(), &[]).tags().await.unwrap();
    assert_eq!(meter.limit().blocked_until, None);
}

#[tokio::test]
async fn catalogs_keep_their_credentials_to_the_registry() {
    for kind in [RegistryKind::Harbor, RegistryKind::Quay, RegistryKind::Distribution] {
        let other =
            Server::start(|url, _| status(401, vec![("www-authenticate", format!(r#"Bearer realm="{url}/token""#))]))
                .await;
        let own = Server::start(redirecting(&other)).await;
        let url = own.url().parse().unwrap();
        let catalog = Catalog::new(kind, &url, "a", settings(Meter::default(), &[])).unwrap();
        let error = catalog.repositories().await.unwrap_err();
        assert!(matches!(error, UpstreamError::Storage { status: 401, .. }), "{error}");
        assert!(!other.has_secrets(), "{kind:?}");
        assert!(own.seen().iter().all(|seen| seen.authorization.is_some()) || kind == RegistryKind::Distribution);
    }
}

#[tokio::test]
async fn what_is_missing_where_a_redirect_leads_to_is_not_said_to_be_gone() {
    let other = Server::start(|_, _| status(404, vec![])).await;
    for elsewhere in ["/login", &format!("{}/login", other.url())] {
        let location = format!("{elsewhere}?back=secret");
        let own = Server::start(move |_, seen| {
            if seen.path.starts_with("/v2/a/b/") {
                status(302, vec![("location", location.clone())])
            } else {
                status(404, vec![])
            }
        })
        .await;
        let registry = open(&own, Meter::default(), &[]);
        for error in [
            registry.resolve(&"a".parse().unwrap()).await.unwrap_err(),
            registry.manifest(&digest(), None).await.unwrap_err(),
            registry.blob(&digest(), 9, 0).await.unwrap_err(),
            registry.tags().await.unwrap_err(),
        ] {
            assert!(matches!(error, UpstreamError::NotFoundElsewhere { .. }), "{error}");
            assert_eq!(error.reason(), FailureReason::NotFound);
            let text = error.to_string();
            assert!(text.contains("/v2/a/b/") && text.contains("/login") && !text.contains("secret"), "{text}");
        }
    }
}
