//! Where lists go on, and where they end: in tag lists, catalogs and lists of referrers alike.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use moorage_domain::{Digest, FailureReason, organization::RegistryKind};
use moorage_upstream::{Catalog, Meter, UpstreamError};
use server::{Reply, Seen, Server, ok, open, settings, status};

const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

type Form = fn(&str, &str) -> String;

/// `Link` as registries write it: with the registry's URL, and path and query of the next page.
const FORMS: [Form; 12] = [
    |_, next| format!(r#"<{next}>; rel="next""#),
    |_, next| format!(r#"<{next}>; rel = "next""#),
    |_, next| format!("<{next}>; rel='next'"),
    |_, next| format!("<{next}>"),
    |_, next| format!(r#"{next}; rel="next""#),
    |_, next| format!("<{next}>;title=\"a, <b>; c\";REL=NEXT;type=x"),
    |_, next| format!(r#"</x>; rel="prev first", <{next}>; rel="last next""#),
    |_, next| format!("<http://registry.internal:5000{next}>; rel=next"),
    |url, next| format!("<{}{next}>; rel=next", url.replace("http:", "https:")),
    |_, next| format!("<registry.internal:5000{next}>; rel=next"),
    |_, next| format!("<{next}&of=a,b;c>; rel=next"),
    |_, next| format!("<{next}>; rel=further"),
];

/// What is no end either.
const BROKEN: [Form; 6] = [
    |_, next| format!("<{next}; rel=next"),
    |_, next| format!("<{next}>; rel=\"next"),
    |_, next| format!("{next},b; rel=next"),
    |_, next| format!("<{next}>; rel=next, </other>; rel=next"),
    |_, _| "<>; rel=next".to_owned(),
    |_, _| "more".to_owned(),
];

fn paged(form: Form, first: &'static str, second: &'static str) -> impl Fn(&str, &Seen) -> Reply {
    move |url, seen| {
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        if query.contains("last=") {
            return ok(second);
        }
        (200, vec![("link", form(url, &format!("{path}?last=a")))], first.as_bytes().to_vec())
    }
}

async fn tags(form: Form) -> Result<usize, UpstreamError> {
    let own = Server::start(paged(form, r#"{"tags":["a"]}"#, r#"{"tags":["b"]}"#)).await;
    Ok(open(&own, Meter::default(), &[]).tags().await?.tags.len())
}

async fn catalog(
    kind: RegistryKind,
    form: Form,
    first: &'static str,
    second: &'static str,
) -> Result<usize, UpstreamError> {
    let own = Server::start(paged(form, first, second)).await;
    let url = own.url().parse().unwrap();
    Ok(Catalog::new(kind, &url, "ns", settings(Meter::default(), &[])).unwrap().repositories().await?.len())
}

async fn referrers(form: Form) -> Result<usize, UpstreamError> {
    const FIRST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7}]}"#;
    let own = Server::start(paged(form, FIRST, FIRST)).await;
    let found = open(&own, Meter::default(), &[]).referrers(&Digest::sha256(b"x")).await?;
    let found = found.unwrap_or_default();
    assert!(!found.list.referrers.is_empty(), "the first page is kept");
    found.cut.map_or(Ok(found.list.referrers.len()), Err)
}

#[tokio::test]
async fn lists_go_on_by_every_form_of_link() {
    for form in FORMS {
        let name = form("URL", "NEXT");
        assert_eq!(tags(form).await.unwrap(), 2, "{name}");
        assert_eq!(referrers(form).await.unwrap(), 2, "{name}");
        for (kind, first, second) in [
            (RegistryKind::Distribution, r#"{"repositories":["ns/a"]}"#, r#"{"repositories":["ns/b"]}"#),
            (RegistryKind::Harbor, r#"[{"name":"ns/a"}]"#, r#"[{"name":"ns/b"}]"#),
        ] {
            assert_eq!(catalog(kind, form, first, second).await.unwrap(), 2, "{name}");
        }
    }
}

#[tokio::test]
async fn a_link_that_is_not_understood_is_no_end() {
    for form in BROKEN {
        let name = form("URL", "NEXT");
        assert_eq!(tags(form).await.unwrap_err().reason(), FailureReason::RegistryError, "{name}");
        assert!(referrers(form).await.is_err(), "{name}");
        let kind = RegistryKind::Distribution;
        assert!(catalog(kind, form, r#"{"repositories":["ns/a"]}"#, "{}").await.is_err(), "{name}");
        assert!(catalog(RegistryKind::Harbor, form, r#"[{"name":"ns/a"}]"#, "[]").await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn other_links_are_no_pages() {
    let forms: [Form; 3] = [
        |_, next| format!("<{next}>; rel=prev"),
        |_, next| format!("<{next}>; rel=\"first\", <https://docs.example>; rel='describedby'"),
        |_, _| String::new(),
    ];
    for form in forms {
        assert_eq!(tags(form).await.unwrap(), 1, "{}", form("URL", "NEXT"));
    }
}

#[tokio::test]
async fn harbors_total_says_that_there_is_more() {
    let own = Server::start(|_, seen| {
        let body = match seen.path.split_once("?page=").unwrap().1 {
            page if page.starts_with("1&") => r#"[{"name":"ns/a"},{"name":"ns/b"}]"#,
            page if page.starts_with("2&") => r#"[{"name":"ns/c"}]"#,
            _ => "null",
        };
        (200, vec![("x-total-count", "4".to_owned())], body.as_bytes().to_vec())
    })
    .await;
    let url = own.url().parse().unwrap();
    let catalog = Catalog::new(RegistryKind::Harbor, &url, "ns", settings(Meter::default(), &[])).unwrap();
    assert_eq!(catalog.repositories().await.unwrap().len(), 3, "one went meanwhile");
}

#[tokio::test]
async fn catalogs_that_are_none_are_no_catalogs_of_nothing() {
    for (kind, body, is_list) in [
        (RegistryKind::Distribution, r#"{"repositories":null}"#, true),
        (RegistryKind::Distribution, r#"{"repositories":[]}"#, true),
        (RegistryKind::Distribution, r#"{"repositories":[{"name":"ns/a"}]}"#, false),
        (RegistryKind::Distribution, r#"["ns/a"]"#, false),
        (RegistryKind::Distribution, "{}", false),
        (RegistryKind::Distribution, r#"{"errors":[{"code":"DENIED","message":"x"}]}"#, false),
        (RegistryKind::Quay, r#"{"repositories":null,"next_page":null}"#, true),
        (RegistryKind::Quay, r#"{"next_page":null}"#, false),
        (RegistryKind::Quay, r#"{"repositories":[],"next_page":[1]}"#, false),
        (RegistryKind::Harbor, "null", true),
        (RegistryKind::Harbor, r#"{"repositories":[]}"#, false),
        (RegistryKind::Harbor, r#"[{"id":1}]"#, false),
    ] {
        let own = Server::start(move |_, _| ok(body)).await;
        let url = own.url().parse().unwrap();
        let catalog = Catalog::new(kind, &url, "ns", settings(Meter::default(), &[])).unwrap();
        let found = catalog.repositories().await;
        assert_eq!(found.is_ok(), is_list, "{body}: {found:?}");
    }
}

#[tokio::test]
async fn an_error_in_place_of_a_later_page_is_no_end() {
    let form = FORMS[0];
    for second in ["{}", r#"{"errors":[]}"#, r#"{"message":"try again"}"#] {
        let found = catalog(RegistryKind::Distribution, form, r#"{"repositories":["ns/a"]}"#, second).await;
        assert_eq!(found.unwrap_err().reason(), FailureReason::RegistryError, "{second}");
    }
}

#[tokio::test]
async fn a_repository_that_a_registry_does_not_know_is_told_from_a_path_that_nobody_knows() {
    for (code, is_unknown) in [("NAME_UNKNOWN", true), ("NOT_FOUND", true), ("PAGE_NOT_FOUND", false)] {
        let own = Server::start(move |_, seen| match seen.path.as_str() {
            "/v2/" => ok("{}"),
            _ => (404, vec![], format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#).into_bytes()),
        })
        .await;
        let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
        assert_eq!(matches!(error, UpstreamError::UnknownRepository(_)), is_unknown, "{error}");
        assert_eq!(error.reason(), FailureReason::NotFound);
        let error = open(&own, Meter::default(), &[]).resolve(&"a".parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::NotFound(_)), "{error}");
    }
    let own = Server::start(|_, _| status(404, vec![])).await;
    let error = open(&own, Meter::default(), &[]).tags().await.unwrap_err();
    assert!(matches!(error, UpstreamError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn what_is_no_list_is_told_with_its_address() {
    for body in ["<html>", "[]", "{}", r#"{"tags":["a"],"repositories":["ns/a"],"schemaVersion":2"#, ""] {
        let own = Server::start(move |_, seen| if seen.path == "/v2/" { ok("{}") } else { ok(body) }).await;
        let (registry, url) = (open(&own, Meter::default(), &[]), own.url());
        let kind = RegistryKind::Distribution;
        let catalog = Catalog::new(kind, &url.parse().unwrap(), "ns", settings(Meter::default(), &[])).unwrap();
        let subject = Digest::sha256(b"x");
        for (error, path) in [
            (registry.tags().await.unwrap_err(), "/v2/a/b/tags/list".to_owned()),
            (catalog.repositories().await.unwrap_err(), "/v2/_catalog".to_owned()),
            (registry.referrers(&subject).await.unwrap_err(), format!("/v2/a/b/referrers/{subject}")),
        ] {
            assert!(matches!(error, UpstreamError::NoList { .. }), "{body}: {error}");
            assert_eq!(error.reason(), FailureReason::RegistryError);
            let text = error.to_string();
            assert!(text.starts_with(&format!("{url}{path} ")) && !text.contains('?'), "{body}: {text}");
            assert!(text.contains("look at what is there"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_registry_has_no_referrers_api_refuses_it_or_lists_nothing() {
    let ask = async |answer: fn() -> Reply| {
        let own = Server::start(move |_, _| answer()).await;
        open(&own, Meter::default(), &[]).referrers(&Digest::sha256(b"x")).await
    };
    let none: [fn() -> Reply; 4] =
        [|| status(404, vec![]), || status(405, vec![]), || status(501, vec![]), || status(400, vec![])];
    for answer in none {
        assert!(ask(answer).await.unwrap().is_none(), "{}", answer().0);
    }
    let refusals: [fn() -> Reply; 6] = [
        || status(406, vec![]),
        || status(410, vec![]),
        || status(302, vec![]),
        || status(304, vec![]),
        || ok(r#"{"schemaVersion":2,"config":{},"layers":[]}"#),
        || ok(r#"{"schemaVersion":1,"fsLayers":[]}"#),
    ];
    for answer in refusals {
        assert!(ask(answer).await.is_err(), "{:?}", answer());
    }
    let nothing: [fn() -> Reply; 3] = [
        || ok(r#"{"schemaVersion":2}"#),
        || ok(r#"{"schemaVersion":2,"manifests":null}"#),
        || ok(r#"{"schemaVersion":2,"manifests":[]}"#),
    ];
    for answer in nothing {
        let found = ask(answer).await.unwrap().unwrap();
        assert!(found.list.referrers.is_empty() && found.list.unreadable == 0 && found.cut.is_none());
    }
}

#[tokio::test]
async fn a_registry_that_refuses_the_lists_of_referrers_alone_for_long_is_asked_for_all_else() {
    let manifest = Digest::sha256(MANIFEST.as_bytes());
    let long = [("retry-after", "3600".to_owned()), ("ratelimit", "\"a\";r=0;t=3600".to_owned())];
    for (code, header) in [(429, &long[0]), (503, &long[0]), (429, &long[1])] {
        let header = header.clone();
        let own = Server::start(move |_, seen| {
            if seen.path.contains("/referrers/") { status(code, vec![header.clone()]) } else { ok(MANIFEST) }
        })
        .await;
        let meter = Meter::default();
        let registry = open(&own, meter.clone(), &[]);
        let error = registry.referrers(&manifest).await.unwrap_err();
        assert_eq!((error.reason(), meter.counts().retries), (FailureReason::RateLimited, 0), "{code}: {error}");
        assert_eq!(registry.manifest(&manifest, None).await.unwrap(), MANIFEST, "{code}: the image still comes");
    }
    // What the registry wants of all requests holds for the lists, too.
    let own = Server::start(move |_, _| status(429, vec![("retry-after", "3600".to_owned())])).await;
    let meter = Meter::default();
    let registry = open(&own, meter.clone(), &[]);
    registry.manifest(&manifest, None).await.unwrap_err();
    let (asked, error) = (meter.counts().requests, registry.referrers(&manifest).await.unwrap_err());
    assert_eq!((error.reason(), meter.counts().requests), (FailureReason::RateLimited, asked), "{error}");
}
