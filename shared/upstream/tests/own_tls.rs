//! TLS with an authority and a certificate of the mirror's own.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

mod server;

use moorage_domain::{Digest, FailureReason, Tls};
use moorage_upstream::{Meter, Registry, Settings, UpstreamError};
use server::{
    ok,
    secure::{Authority, Secure},
    settings, status,
};

const MANIFEST: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

fn manifest() -> Digest {
    Digest::sha256(MANIFEST.as_bytes())
}

fn open(server: &Secure, tls: Tls) -> Registry {
    let settings = Settings { credentials: None, verify_tls: true, tls, ..settings(Meter::default(), &[]) };
    Registry::new(format!("{}/a/b", server.address).parse().unwrap(), settings).unwrap()
}

async fn refused(server: &Secure, tls: Tls) -> String {
    match open(server, tls).first_tags().await.map(drop).unwrap_err() {
        error @ UpstreamError::Tls { .. } => {
            assert_eq!(error.reason(), FailureReason::TlsError);
            error.to_string()
        }
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn registry_token_server_and_redirects_have_the_same() {
    let authority = Authority::new();
    let storage = Secure::start(&authority, |_| ok(MANIFEST)).await;
    let tokens = Secure::start(&authority, |_| ok(r#"{"token":"t"}"#)).await;
    let (location, realm) = (storage.address.clone(), tokens.address.clone());
    let registry = Secure::start(&authority, move |path| match path {
        "/v2/" => status(401, vec![("www-authenticate", format!("Bearer realm=\"https://{realm}/token\""))]),
        path if path.starts_with("/v2/a/b/manifests/") => {
            status(307, vec![("location", format!("https://{location}/storage"))])
        }
        path => ok(format!(r#"{{"name":"{path}","tags":[]}}"#)),
    })
    .await;
    let me = authority.certify("me");
    let opened = open(&registry, authority.trusted(Some(&me)));
    assert_eq!(opened.manifest(&manifest(), None).await.unwrap(), MANIFEST.as_bytes());
    for server in [&registry, &storage] {
        let asked = server.take_asked();
        assert!(!asked.is_empty() && asked.iter().all(|(who, _)| *who == me.der), "{asked:?}");
    }
    // Whoever is asked for a token knows by the certificate, too, who asks.
    let realm = tokens.address.clone();
    let closed = Secure::start(&authority, move |_| {
        status(401, vec![("www-authenticate", format!("Bearer realm=\"https://{realm}/token\",service=\"x\""))])
    })
    .await;
    assert!(open(&closed, authority.trusted(Some(&me))).first_tags().await.is_err());
    let asked = tokens.take_asked();
    assert!(!asked.is_empty() && asked.iter().all(|(who, _)| *who == me.der), "{asked:?}");

    let unknown = refused(&registry, Tls::default()).await;
    assert!(unknown.contains("UnknownIssuer") && unknown.contains("ca_bundle"), "{unknown}");
    let other = refused(&registry, Authority::new().trusted(Some(&me))).await;
    assert!(other.contains("another one (ca_bundle"), "of the same name: {other}");
    let nobody = refused(&registry, authority.trusted(None)).await;
    assert!(nobody.contains("client_certificate"), "{nobody}");
    let stranger = Authority::new().certify("me");
    let stranger = refused(&registry, authority.trusted(Some(&stranger))).await;
    assert!(stranger.contains("client certificate"), "{stranger}");
    assert!(registry.take_asked().is_empty());
}

#[tokio::test]
async fn nobody_gets_a_connection_that_was_made_with_anothers_certificate() {
    let authority = Authority::new();
    let registry = Secure::start(&authority, |_| ok(MANIFEST)).await;
    let (one, other) = (authority.certify("one"), authority.certify("other"));
    let opened = [&one, &other].map(|who| open(&registry, authority.trusted(Some(who))));
    for _ in 0..3 {
        for (who, opened) in [&one, &other].into_iter().zip(&opened) {
            opened.manifest(&manifest(), None).await.unwrap();
            let asked = registry.take_asked();
            assert!(!asked.is_empty() && asked.iter().all(|(shown, _)| *shown == who.der), "{asked:?}");
            let nobody = refused(&registry, authority.trusted(None)).await;
            assert!(nobody.contains("client_certificate"), "{nobody}");
        }
    }
    // One who verifies nothing shows who asks all the same.
    let tls = authority.trusted(Some(&one));
    let settings = Settings { verify_tls: false, tls, ..settings(Meter::default(), &[]) };
    let careless = Registry::new(format!("{}/a/b", registry.address).parse().unwrap(), settings).unwrap();
    careless.manifest(&manifest(), None).await.unwrap();
    assert!(registry.take_asked().iter().all(|(shown, _)| *shown == one.der));
}
