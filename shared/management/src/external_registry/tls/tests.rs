//! What is taken, what is not, and that nothing of it is repeated.

use moorage_domain::Ciphertext;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    SignatureAlgorithm,
};
use time::OffsetDateTime;

use super::*;
use crate::external_registry::certificates::{MAX_AUTHORITIES, MAX_BUNDLE, MAX_CHAIN, MAX_CHAIN_LENGTH, MAX_KEY};

/// A moment within [`LIFETIME`].
const NOW: i64 = 1_800_000_000;
const LIFETIME: (i64, i64) = (1_790_000_000, 1_900_000_000);

fn params(name: &str, (begin, end): (i64, i64), is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) =
        (OffsetDateTime::from_unix_timestamp(begin).unwrap(), OffsetDateTime::from_unix_timestamp(end).unwrap());
    params.is_ca = is_ca;
    params
}

fn authority(name: &str, lifetime: (i64, i64)) -> String {
    let params = params(name, lifetime, IsCa::Ca(BasicConstraints::Unconstrained));
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// A client's certificate, its authority's, and its key.
fn client(kind: &'static SignatureAlgorithm, lifetime: (i64, i64)) -> (String, String, String) {
    let authority = params("root", LIFETIME, IsCa::Ca(BasicConstraints::Unconstrained));
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate_for(kind).unwrap());
    let root = authority.self_signed(&root_key).unwrap().pem();
    let leaf = params("puller", lifetime, IsCa::NoCa).signed_by(&key, &Issuer::new(authority, root_key)).unwrap();
    (leaf.pem(), root, key.serialize_pem())
}

fn parse_tls(tls: Value) -> Result<SentTls, String> {
    let sent = Map::from_iter([("tls".to_owned(), tls)]);
    SentTls::parse(&sent, Timestamp::from_unix(NOW)).map_err(|error| error.to_string())
}

fn refused(tls: Value) -> String {
    parse_tls(tls).map(drop).unwrap_err()
}

#[test]
fn authorities_are_judged() {
    let (one, other) = (authority("one", LIFETIME), authority("other", (LIFETIME.0, NOW + 9)));
    let sent = parse_tls(json!({"ca_bundle": format!("# ours\n{one}\r\n\ntext\n{other}")})).unwrap();
    let judged = sent.ca_bundle.clone().unwrap().unwrap();
    assert_eq!((judged.subjects, judged.expires.unix()), (vec!["CN=one".to_owned(), "CN=other".to_owned()], NOW + 9));
    let kept = format!("{one}{other}").replace('\r', "");
    assert_eq!(judged.pem.expose_secret(), kept, "nothing else is kept");
    assert!(sent.client.is_none() && sent.is_said());
    let (leaf, _, key) = client(&PKCS_ED25519, LIFETIME);
    let expired = authority("late", (LIFETIME.0, NOW - 1));
    for (bundle, said) in [
        (String::new(), "ca_bundle: has no certificate in PEM"),
        ("hunter2".into(), "ca_bundle: has no certificate in PEM"),
        (key.clone(), "ca_bundle: has something else than certificates"),
        (format!("{one}{key}"), "ca_bundle: has something else than certificates"),
        (one.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "ca_bundle: has something else than certificates"),
        (one.replacen("MII", "!!!", 1), "ca_bundle: certificate 1 cannot be read"),
        (
            format!("{one}-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"),
            "ca_bundle: certificate 2 cannot be read",
        ),
        (format!("{one}{expired}"), "ca_bundle: certificate 2 (CN=late) has expired at 2027-01-15T07:59:59Z"),
        (
            authority("early", (NOW + 1, LIFETIME.1)),
            "ca_bundle: certificate 1 (CN=early) is not valid before 2027-01-15T08:00:01Z",
        ),
        (leaf, "ca_bundle: certificate 1 (CN=puller) is not an authority's"),
        ("x".repeat(MAX_BUNDLE + 1), "ca_bundle: is longer than 32768 bytes"),
        (one.repeat(MAX_AUTHORITIES + 1), "ca_bundle: has more than 32 certificates"),
    ] {
        let error = refused(json!({"ca_bundle": bundle}));
        assert!(error.starts_with(said), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("BEGIN PRIVATE"), "{error}");
    }
    let long = authority(&format!("{}\n\u{7}x", "n".repeat(300)), LIFETIME);
    let judged = parse_tls(json!({"ca_bundle": long})).unwrap().ca_bundle.unwrap().unwrap();
    assert!(judged.subjects[0].chars().count() == 200 && !judged.subjects[0].contains(char::is_control));
}

#[test]
fn a_certificate_comes_with_its_key() {
    let all = |certificate: &str, key: &str| json!({"client_certificate": certificate, "client_key": key});
    let (leaf, root, key) = client(&PKCS_ECDSA_P384_SHA384, LIFETIME);
    let judged = parse_tls(all(&format!("{leaf}{root}"), &key)).unwrap().client.unwrap().unwrap();
    assert_eq!(judged.subjects, ["CN=puller", "CN=root"]);
    assert_eq!(judged.pem.expose_secret().replace('\r', ""), format!("{leaf}{root}{key}").replace('\r', ""));
    assert!(!format!("{judged:?}").contains("PRIVATE"));
    let (_, _, others) = client(&PKCS_ED25519, LIFETIME);
    let (expired, _, its_key) = client(&PKCS_ED25519, (LIFETIME.0, NOW - 1));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let older = key.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1);
    for (sent, said) in [
        (all(&leaf, &others), "client_key: does not belong to the first certificate"),
        (all(&format!("{root}{leaf}"), &key), "client_key: does not belong to the first certificate"),
        (all(&expired, &its_key), "client_certificate: certificate 1 (CN=puller) has expired"),
        (all(&leaf, &encrypted), "client_key: is encrypted"),
        (all(&leaf, &older), "client_key: is encrypted"),
        (all(&leaf, "hunter2"), "client_key: has no private key"),
        (all(&leaf, &leaf), "client_key: has no private key"),
        (
            all(&leaf, "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n"),
            "client_key: is of a kind",
        ),
        (all(&leaf, &"k".repeat(MAX_KEY + 1)), "client_key: is longer than 8192 bytes"),
        (all(&"c".repeat(MAX_CHAIN + 1), &key), "client_certificate: is longer than 16384 bytes"),
        (all(&leaf.repeat(MAX_CHAIN_LENGTH + 1), &key), "client_certificate: has more than 8 certificates"),
        (all("hunter2", &key), "client_certificate: has no certificate"),
        (json!({"client_certificate": leaf}), "client_certificate and client_key go together"),
        (json!({"client_key": key}), "client_certificate and client_key go together"),
        (json!({"client_key": key, "client_certificate": null}), "client_certificate and client_key go together"),
        (json!({"client_key": [key]}), "'********' is not of type"),
        (json!({"ca_bundel": "hunter2"}), "Additional properties are not allowed"),
        (json!(key), "'********' is not of type 'object'"),
    ] {
        let error = refused(sent);
        assert!(error.starts_with(said), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("BEGIN"), "{error}");
    }
}

#[test]
fn what_is_not_said_stays_and_null_goes() {
    let said = |tls: Value| {
        let sent = parse_tls(tls).unwrap();
        (sent.ca_bundle.map(|it| it.is_some()), sent.client.map(|it| it.is_some()))
    };
    assert_eq!(said(json!(null)), (Some(false), Some(false)));
    assert_eq!(said(json!({})), (None, None));
    assert_eq!(said(json!({"ca_bundle": null})), (Some(false), None));
    assert_eq!(said(json!({"client_certificate": null})), (None, Some(false)));
    assert_eq!(said(json!({"client_certificate": null, "client_key": null})), (None, Some(false)));
    let shown_before =
        json!({"ca_subjects": ["CN=x"], "ca_expires": "x", "client_subject": "x", "client_expires": "x"});
    assert_eq!(said(shown_before), (None, None), "what is shown may be sent back");
    let absent = SentTls::parse(&Map::new(), Timestamp::from_unix(NOW)).unwrap();
    assert!(!absent.is_said() && absent.changes().is_empty());
    assert_eq!(
        parse_tls(json!(null)).unwrap().changes(),
        [("ca_bundle", json!(null)), ("client_certificate", json!(null))]
    );
}

#[test]
fn what_is_shown_is_no_secret() {
    let sealed = || Ciphertext::from("sealed".to_owned());
    let at = Timestamp::from_unix(NOW);
    let stored = TlsSecrets {
        ca_bundle: Some(CaBundle { sealed: sealed(), subjects: vec!["CN=one".into()], expires: at }),
        client: Some(ClientCertificate { sealed: sealed(), subject: "CN=me".into(), expires: at }),
    };
    let expected = json!({
        "ca_subjects": ["CN=one"], "ca_expires": at.iso(), "client_subject": "CN=me", "client_expires": at.iso(),
    });
    assert_eq!(shown(&stored), Some(expected));
    assert_eq!(shown(&TlsSecrets::default()), None);
    let sent = parse_tls(json!({"ca_bundle": null})).unwrap();
    assert!(sent.keeps_any_of(&stored));
    assert!(!sent.keeps_any_of(&TlsSecrets { client: None, ..stored.clone() }));
    assert!(!parse_tls(json!(null)).unwrap().keeps_any_of(&stored));
}

proptest! {
    /// Whatever comes is judged without a fault, and what is taken is taken again in the form in which it is kept.
    #[test]
    fn anything_is_judged(prefix in ".{0,40}", cut in 0_usize..900, byte in any::<char>(), suffix in ".{0,40}") {
        let good = authority("one", LIFETIME);
        let mut text: String = good.chars().enumerate().map(|(at, c)| if at == cut { byte } else { c }).collect();
        text = format!("{prefix}\n{text}\n{suffix}");
        let now = Timestamp::from_unix(NOW);
        if let Ok(judged) = authorities(&text, now) {
            let again = authorities(judged.pem.expose_secret(), now).unwrap();
            prop_assert_eq!((again.subjects, again.expires), (judged.subjects, judged.expires));
        }
        if let Err(error) = key(&text, Vec::new()) {
            prop_assert!(!error.to_string().contains("BEGIN"));
        }
    }
}
