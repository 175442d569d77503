//! How a registry wants to be logged in to: what it answers to whoever has not, in every form that registries and their
//! token servers have, and what is asked of them then.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{Credentials, FailureReason, organization::RegistryKind};
use moorage_upstream::{Catalog, Meter, Registry, UpstreamError};
use server::{PASSWORD, Reply, Seen, Server, ok, open, settings, status};

const TAGS: &str = r#"{"tags":["a"]}"#;

fn basic(password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("user:{password}")))
}

fn challenge(value: &str) -> (&'static str, String) {
    ("www-authenticate", value.to_owned())
}

fn anonymous(server: &Server) -> Registry {
    let settings = moorage_upstream::Settings { credentials: None, ..settings(Meter::default(), &[]) };
    Registry::new(format!("{}/a/b", server.address).parse().unwrap(), settings).unwrap()
}

/// The scopes that a request for a token asks for.
fn scopes(seen: &Seen) -> Vec<String> {
    let url = url::Url::parse(&format!("http://x{}", seen.path)).unwrap();
    url.query_pairs().filter(|(key, _)| key == "scope").map(|(_, scope)| scope.into_owned()).collect()
}

fn count(server: &Server, path: &str) -> usize {
    server.seen().iter().filter(|seen| seen.path == path).count()
}

/// A registry that shows itself to whoever sends `header`, and to others says `refusal`; `/v2/` challenges.
async fn hidden(refusal: u16, header: String, ping: impl Fn(&str) -> String + Send + Sync + 'static) -> Server {
    Server::start(move |url, seen| match seen.path.as_str() {
        path if path.starts_with("/token") => {
            if header.starts_with("Basic") || seen.authorization == Some(basic(PASSWORD)) || header == "Bearer all" {
                ok(format!(r#"{{"token":"{}"}}"#, header.trim_start_matches("Bearer ")))
            } else {
                status(401, vec![])
            }
        }
        _ if seen.authorization.as_ref() == Some(&header) => ok(TAGS),
        "/v2/" => status(401, vec![challenge(&ping(url))]),
        _ => (refusal, vec![], br#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#.to_vec()),
    })
    .await
}

#[tokio::test]
async fn a_registry_that_hides_is_logged_in_to_by_what_its_root_says() {
    for refusal in [401, 403, 404] {
        let own = hidden(refusal, basic(PASSWORD), |_| "Basic realm=\"x\"".to_owned()).await;
        let registry = open(&own, Meter::default(), &[]);
        assert_eq!(registry.tags().await.unwrap().tags.len(), 1, "{refusal}");
        // Where https is looked for, that is tried first.
        assert_eq!(count(&own, "/v2/"), 1, "{refusal}");
        registry.tags().await.unwrap();
        let own = hidden(refusal, "Bearer t".to_owned(), |url| format!(r#"Bearer realm="{url}/token""#)).await;
        assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1, "{refusal}");
        let own = hidden(refusal, "Bearer all".to_owned(), |url| format!(r#"Bearer realm="{url}/token""#)).await;
        assert_eq!(anonymous(&own).tags().await.unwrap().tags.len(), 1, "{refusal}: an anonymous token does");
        assert!(!own.has_secrets() || own.seen().iter().all(|seen| !seen.path.starts_with("/token?a")));
    }
}

#[tokio::test]
async fn the_root_is_asked_once_and_only_by_need() {
    let own = Server::start(|_, seen| if seen.path.contains("tags") { ok(TAGS) } else { status(404, vec![]) }).await;
    for registry in [open(&own, Meter::default(), &[]), anonymous(&own)] {
        registry.tags().await.unwrap();
        assert_eq!(count(&own, "/v2/"), 0);
    }
    let registry = open(&own, Meter::default(), &[]);
    for tag in ["a", "b", "c"] {
        let error = registry.resolve(&tag.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::NotFound(_)), "{error}");
    }
    assert_eq!(count(&own, "/v2/"), 1);
    assert!(!own.has_secrets(), "nobody asked for the password");
}

#[tokio::test]
async fn not_found_is_not_believed_of_a_registry_that_refuses_the_login() {
    let own = hidden(404, basic("another"), |_| "Basic realm=\"x\"".to_owned()).await;
    // Basic cannot be tried out but by the request itself: what that is told is believed.
    let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::NotFound, "{error}");
    let own = Server::start(|url, seen| match seen.path.as_str() {
        "/v2/" => status(401, vec![challenge(&format!(r#"Bearer realm="{url}/token""#))]),
        path if path.starts_with("/token") => status(401, vec![]),
        _ => status(404, vec![]),
    })
    .await;
    let registry = open(&own, Meter::default(), &[]);
    let error = registry.tags().await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::AuthFailed, "{error}");
    let error = registry.resolve(&"a".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::AuthFailed, "nothing may be taken for gone: {error}");
    let error = anonymous(&own).tags().await.unwrap_err();
    assert_eq!(error.reason(), FailureReason::NotFound, "{error}");
}

#[tokio::test]
async fn a_refusal_without_a_challenge_names_no_way_if_the_root_does_not() {
    let own = Server::start(|_, _| status(401, vec![challenge("Negotiate")])).await;
    let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
    assert!(error.to_string().contains("no way to log in"), "{error}");
    assert!(!own.has_secrets());
}

#[tokio::test]
async fn challenges_in_every_form() {
    let bearer: [fn(&str) -> String; 10] = [
        |url| format!(r#"Bearer realm="{url}/token",service="x",scope="repository:a/b:pull""#),
        |url| format!(r#"Bearer scope="repository:a/b:pull" , service="x", realm="{url}/token""#),
        |url| format!("bearer REALM={url}/token"),
        |url| format!(r#"Negotiate, Bearer realm="{url}/token""#),
        |url| format!(r#"NTLM TlRMTVNTUAAB==, BEARER realm = "{url}/token""#),
        |url| format!(r#"Basic realm="x", Bearer realm="{url}/token",service="""#),
        |url| format!(r#"Bearer realm="{url}/token", Basic realm="x, y""#),
        |_| r#"Bearer realm="/token""#.to_owned(),
        |url| format!(r#"Bearer realm="{}/token""#, url.trim_start_matches("http:")),
        |url| format!(r#"Bearer error="invalid_token";realm="{url}/token?of=x""#),
    ];
    for form in bearer {
        let own = Server::start(move |url, seen| match seen.authorization.as_deref() {
            Some("Bearer t") => ok(TAGS),
            Some(_) if seen.path.starts_with("/token") => ok(r#"{"access_token":"t","expires_in":"300"}"#),
            _ => status(401, vec![challenge(&form(url))]),
        })
        .await;
        let tags = open(&own, Meter::default(), &[]).tags().await;
        assert_eq!(tags.unwrap().tags.len(), 1, "{}", form("URL"));
        assert_eq!(own.seen().len(), 3, "{}", form("URL"));
    }
    for values in
        [&["Basic realm=\"x\""][..], &["Negotiate", "basic"], &["Digest realm=\"Bearer\", BASIC charset=utf-8"]]
    {
        let own = Server::start(move |_, seen| match &seen.authorization {
            Some(header) if *header == basic(PASSWORD) => ok(TAGS),
            _ => status(401, values.iter().map(|value| challenge(value)).collect()),
        })
        .await;
        assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1, "{values:?}");
    }
}

#[tokio::test]
async fn the_password_itself_is_another_way_where_the_token_server_is_none() {
    let other = Server::start(|_, _| status(500, vec![])).await;
    let elsewhere = format!("{}/token", other.url());
    for realm in [elsewhere, "https://".to_owned(), "/gone".to_owned()] {
        let own = Server::start(move |_, seen| match &seen.authorization {
            Some(header) if *header == basic(PASSWORD) && !seen.path.starts_with("/gone") => ok(TAGS),
            _ if seen.path.starts_with("/gone") => status(404, vec![]),
            _ => status(401, vec![challenge(&format!(r#"Bearer realm="{realm}", Basic realm="x""#))]),
        })
        .await;
        assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1);
        assert!(!other.has_secrets());
    }
    let own = Server::start(|url, seen| match &seen.authorization {
        _ if seen.path.starts_with("/token") => ok(r#"{"token":"of no use"}"#),
        Some(header) if *header == basic(PASSWORD) => ok(TAGS),
        _ => status(401, vec![challenge(&format!(r#"Bearer realm="{url}/token""#)), challenge("Basic")]),
    })
    .await;
    assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1);
}

/// A registry whose token is good if its server was asked as `gives` wants it, and whose challenge names a scope.
async fn scoped(scope: &'static str, gives: impl Fn(&[String]) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |url, seen| match seen.authorization.as_deref() {
        _ if seen.path.starts_with("/token") => gives(&scopes(seen)),
        Some("Bearer good") => ok(TAGS),
        used => {
            let error = if used.is_some() { r#",error="insufficient_scope""# } else { "" };
            status(401, vec![challenge(&format!(r#"Bearer realm="{url}/token",service="x",scope="{scope}"{error}"#))])
        }
    })
    .await
}

fn good(is_good: bool) -> Reply {
    ok(format!(r#"{{"token":"{}"}}"#, if is_good { "good" } else { "narrow" }))
}

#[tokio::test]
async fn the_scope_of_the_challenge_is_asked_for_beside_ours() {
    let ours = "repository:a/b:pull";
    let all = scoped("repository:b:pull,push repository:c:pull", move |asked| {
        good(asked == ["repository:b:pull,push", "repository:c:pull", ours])
    });
    let first = scoped("aws", |asked| good(asked.first().is_some_and(|scope| scope == "aws")));
    let last =
        scoped("repository:b:pull", |asked| good(asked.last().is_some_and(|scope| scope == "repository:b:pull")));
    let alone = scoped(
        "repository:b:pull",
        move |asked| if asked.len() > 1 { status(400, vec![]) } else { good(asked[0] != ours) },
    );
    let only_ours =
        scoped("repository:b:push", move |asked| if asked == [ours] { good(true) } else { status(403, vec![]) });
    for (own, most) in [(all.await, 1), (first.await, 1), (last.await, 2), (alone.await, 2), (only_ours.await, 3)] {
        for registry in [open(&own, Meter::default(), &[]), anonymous(&own)] {
            let before = own.seen().len();
            assert_eq!(registry.tags().await.unwrap().tags.len(), 1, "{:?}", own.seen());
            let asked = own.seen().split_off(before);
            let asked = asked.iter().filter(|seen| seen.path.starts_with("/token")).count();
            assert_eq!(asked, most);
            registry.tags().await.unwrap();
        }
    }
}

#[tokio::test]
async fn more_may_be_asked_for_later() {
    // RFC 6750 says 403, registries say 401.
    for refusal in [401, 403] {
        let own = Server::start(move |url, seen| {
            let realm = format!(r#"Bearer realm="{url}/token""#);
            match seen.authorization.as_deref() {
                _ if seen.path.starts_with("/token") => good(scopes(seen).iter().any(|scope| scope == "more")),
                Some("Bearer good") => ok(TAGS),
                Some(_) => {
                    status(refusal, vec![challenge(&format!(r#"{realm},error="insufficient_scope",scope="more""#))])
                }
                None => status(401, vec![challenge(&realm)]),
            }
        })
        .await;
        assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1, "{refusal}");
    }
}

#[tokio::test]
async fn what_a_registry_says_of_its_refusal_is_kept_without_secrets() {
    // It says what it was sent, in lines, and much.
    let refused = |seen: &Seen| {
        let sent = seen.authorization.clone().unwrap_or_default();
        let message = format!("scan found 3 things\n\u{1b}[31min {PASSWORD} and {sent} of {}", "x".repeat(9_000));
        serde_json::json!({"errors": [{"code": "DENIED", "message": message}]}).to_string().into_bytes()
    };
    for (code, says) in [(403, "denied access: scan found"), (412, "status 412 (DENIED): scan found")] {
        let own = Server::start(move |_, seen| match seen.authorization {
            None => status(401, vec![challenge("Basic")]),
            Some(_) => (code, vec![], refused(seen)),
        })
        .await;
        let registry = open(&own, Meter::default(), &[]);
        let error = registry.resolve(&"v1".parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("things [31min … and Basic … of xx"), "{error}");
        assert!(error.len() < 400 && error.ends_with("x…"), "{error}");
    }
}

#[tokio::test]
async fn whoever_is_refused_again_and_again_is() {
    let own = scoped("repository:b:pull", |_| good(false)).await;
    let registry = open(&own, Meter::default(), &[]);
    for _ in 0..20 {
        assert_eq!(registry.tags().await.unwrap_err().reason(), FailureReason::AuthFailed);
    }
    let asked = own.seen().iter().filter(|seen| seen.path.starts_with("/token")).count();
    assert!(asked <= 20 + 8, "{asked} tokens");
    let own = Server::start(|_, _| status(401, vec![challenge("Basic")])).await;
    let registry = open(&own, Meter::default(), &[]);
    registry.tags().await.unwrap_err();
    assert_eq!(own.seen().iter().filter(|seen| seen.authorization.is_some()).count(), 1, "a wrong password counts");
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced() {
    for refused in [1, 2] {
        let given = AtomicUsize::new(0);
        let own = Server::start(move |url, seen| {
            if seen.path.starts_with("/token") {
                return ok(format!(r#"{{"token":"t{}","expires_in":0}}"#, given.fetch_add(1, Ordering::SeqCst)));
            }
            match seen
                .authorization
                .as_deref()
                .and_then(|header| header.strip_prefix("Bearer t")?.parse::<usize>().ok())
            {
                Some(number) if number >= refused => ok(TAGS),
                _ => status(401, vec![challenge(&format!(r#"Bearer realm="{url}/token""#))]),
            }
        })
        .await;
        assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1, "{refused}");
    }
}

#[tokio::test]
async fn token_servers_that_want_a_form_get_one() {
    for code in [404, 405, 501] {
        let own = Server::start(move |url, seen| match (seen.authorization.as_deref(), seen.method.as_str()) {
            (Some("Bearer t"), _) => ok(TAGS),
            (_, "GET") if seen.path.starts_with("/token") => status(code, vec![]),
            (_, "POST")
                if seen.body.contains("grant_type=password")
                    && seen.body.contains("scope=x+repository%3Aa%2Fb%3Apull") =>
            {
                ok(r#"{"access_token":"t","token_type":"Bearer","expires_in":null}"#)
            }
            _ => status(401, vec![challenge(&format!(r#"Bearer realm="{url}/token",scope="x""#))]),
        })
        .await;
        assert_eq!(open(&own, Meter::default(), &[]).tags().await.unwrap().tags.len(), 1, "{code}");
    }
}

#[tokio::test]
async fn an_empty_password_is_sent_as_it_is() {
    for form in ["Basic realm=\"x\"", "Bearer realm=\"/token\""] {
        let own = Server::start(move |_, seen| match seen.authorization.as_deref() {
            Some(header) if header == basic("") && seen.path.starts_with("/token") => ok(r#"{"token":"t"}"#),
            Some(header) if header == basic("") || header == "Bearer t" => ok(TAGS),
            _ => status(401, vec![challenge(form)]),
        })
        .await;
        let credentials = Some(Credentials { username: "user".into(), password: String::new().into() });
        let settings = moorage_upstream::Settings { credentials, ..settings(Meter::default(), &[]) };
        let registry = Registry::new(format!("{}/a/b", own.address).parse().unwrap(), settings).unwrap();
        assert_eq!(registry.tags().await.unwrap().tags.len(), 1, "{form}");
    }
}

#[tokio::test]
async fn a_catalog_that_hides_is_logged_in_to() {
    let own = Server::start(|_, seen| match seen.authorization.as_deref() {
        Some(header) if header == basic(PASSWORD) => ok(r#"{"repositories":["a/b"]}"#),
        _ if seen.path == "/v2/" => status(401, vec![challenge("Basic")]),
        _ => status(404, vec![]),
    })
    .await;
    let url = own.url().parse().unwrap();
    let catalog = Catalog::new(RegistryKind::Distribution, &url, "a", settings(Meter::default(), &[])).unwrap();
    assert_eq!(catalog.repositories().await.unwrap().len(), 1);
}

#[tokio::test]
async fn not_found_is_not_believed_before_the_root_has_answered() {
    for code in [500, 502, 503] {
        let pings = AtomicUsize::new(0);
        // Each ping is tried twice.
        let own = Server::start(move |_, seen| match (&*seen.path, seen.authorization.as_deref()) {
            (_, Some(header)) if header == basic(PASSWORD) => ok(TAGS),
            ("/v2/", _) if pings.fetch_add(1, Ordering::SeqCst) < 2 => status(code, vec![]),
            ("/v2/", _) => status(401, vec![challenge("Basic")]),
            _ => status(404, vec![]),
        })
        .await;
        let registry = open(&own, Meter::default(), &[]);
        let error = registry.tags().await.unwrap_err();
        assert_eq!(error.reason(), FailureReason::RegistryError, "{code}: {error}");
        assert_eq!(registry.tags().await.unwrap().tags.len(), 1, "{code}: what it says later counts");
    }
    let own = Server::start(|_, seen| status(if seen.path == "/v2/" { 500 } else { 404 }, vec![])).await;
    let registry = open(&own, Meter::default(), &[]);
    for _ in 0..4 {
        let error = registry.tags().await.unwrap_err();
        assert_eq!(error.reason(), FailureReason::RegistryError, "nothing may be taken for gone: {error}");
    }
    assert_eq!(count(&own, "/v2/"), 4, "it is asked twice, and tried twice");
}
