//! What is taken as a policy, and what is said of the rest.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{P256, authority, identified, identities, of, parse, policy, refusal};
use crate::signature_policy::{Format, KeySource, Require, SignaturePolicy, Signer, TransparencyLog, TrustRootId};
use crate::{mode::Mode, sent::MAX_SENT};

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn everything() -> Value {
    json!({
        "mode": "observe", "require": "all", "tags": ["v*", "latest"],
        "authorities": [
            {"name": "release", "key": {"pem": P256}, "formats": ["simple", "bundle"], "transparency_log": "optional"},
            {"name": "kms", "key": {"kms": ARN, "pem": null}, "keyless": null},
            {"name": "ci", "attestations": ["https://slsa.dev/provenance/v1"], "keyless": {"trust_root": "github", "identities": [
                {"issuer": "https://token.actions.githubusercontent.com", "subject_regex": r"https://github\.com/acme/.*"},
                {"issuer_regex": "https://.*", "subject": "release@example.com"},
            ]}},
        ],
    })
}

fn key() -> Value {
    json!({"name": "k", "key": {"pem": P256}})
}

#[test]
fn it_goes_back_as_it_came() {
    for given in
        [everything(), json!({"mode": "off"}), json!({"mode": "off", "authorities": null, "tags": null}), of(key())]
    {
        let read: SignaturePolicy = serde_json::from_value(given.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), given);
        assert_eq!(read, parse(given).unwrap());
    }
    assert_ne!(policy(json!({"mode": "off"})), policy(json!({"mode": "off", "require": "any"})));
}

#[test]
fn what_is_not_said_is_the_stricter() {
    let read = policy(of(key()));
    assert_eq!((read.mode(), read.require()), (Mode::Enforce, Require::Any));
    let authority = &read.authorities()[0];
    assert_eq!(authority.transparency_log, TransparencyLog::Required);
    assert!(authority.takes(Format::Bundle) && authority.takes(Format::Simple) && authority.attestations.is_empty());
    let read = policy(identified(json!({"issuer": "a", "subject": "b"})));
    let only = &read.authorities()[0];
    assert!(matches!(&only.signer, Signer::Keyless { trust_root: TrustRootId::Public, .. }));
}

#[test]
fn what_is_said_is_read() {
    let read = policy(everything());
    assert_eq!((read.mode(), read.require()), (Mode::Observe, Require::All));
    let [release, kms, ci] = read.authorities() else { panic!() };
    assert_eq!(release.transparency_log, TransparencyLog::Optional);
    assert!(matches!(&kms.signer, Signer::Key(KeySource::Kms(key)) if key.as_str() == ARN));
    assert_eq!(ci.attestations, ["https://slsa.dev/provenance/v1"]);
    let Signer::Keyless { identities, trust_root } = &ci.signer else { panic!() };
    assert_eq!((identities.len(), trust_root), (2, &TrustRootId::Github));
    let simple = authority(json!({"name": "k", "key": {"pem": P256}, "formats": ["simple"]}));
    assert!(simple.takes(Format::Simple) && !simple.takes(Format::Bundle));
}

#[test]
fn tags_are_judged_whose_globs_match_and_none_where_nobody_asks() {
    let judges = |given: Value, tag: &str| policy(given).judges(&tag.parse().unwrap());
    assert!(judges(everything(), "v1") && judges(everything(), "latest") && !judges(everything(), "edge"));
    assert!(judges(of(key()), "edge"));
    assert!(!judges(json!({"mode": "off", "authorities": [key()]}), "v1"));
}

#[test]
fn identities_are_compared_whole() {
    let admits = |given: Value, issuer: &str, subject: &str| identities(given)[0].admits(issuer, subject);
    let exact = json!({"issuer": "https://a.example", "subject": "release@example.com"});
    assert!(admits(exact.clone(), "https://a.example", "release@example.com"));
    for (issuer, subject) in [
        ("https://a.example/", "release@example.com"),
        ("https://a.example", "xrelease@example.com"),
        ("https://a.example", "release@example.com.evil"),
        ("https://a.example", "Release@example.com"),
        ("", ""),
    ] {
        assert!(!admits(exact.clone(), issuer, subject), "{issuer} {subject}");
    }
    let regex = json!({"issuer_regex": "https://a|https://b", "subject_regex": r"https://github\.com/acme/.*"});
    assert!(admits(regex.clone(), "https://b", "https://github.com/acme/app"));
    for (issuer, subject) in [
        ("https://b.evil", "https://github.com/acme/app"),
        ("xhttps://b", "https://github.com/acme/app"),
        ("https://a", "https://evil.example/?https://github.com/acme/app"),
        ("https://a", "https://githubxcom/acme/app"),
        ("https://a", "https://evil.example\nhttps://github.com/acme/app"),
        ("https://a", "https://github.com/acme/app\nhttps://evil.example"),
    ] {
        assert!(!admits(regex.clone(), issuer, subject), "{issuer} {subject}");
    }
}

#[test]
fn what_is_refused_is_named() {
    let text = "a".repeat(1_025);
    let keyless = |value: Value| of(json!({"name": "a", "keyless": value}));
    let with = |field: &str, value: Value| {
        let mut authority = key();
        authority[field] = value;
        of(authority)
    };
    for (given, field, reason) in [
        (json!([]), "", "expected an object"),
        (json!(null), "", "expected an object"),
        (json!({}), "", "missing field `mode`"),
        (json!({"mode": "warn"}), "mode", "unknown variant `warn`"),
        (json!({"mode": "enforce"}), "authorities", "names nobody"),
        (json!({"mode": "observe", "authorities": []}), "authorities", "names nobody"),
        (json!({"mode": "off", "modes": 1}), "modes", "unknown field `modes`"),
        (json!({"mode": "off", "require": "some"}), "require", "unknown variant `some`"),
        (json!({"mode": "off", "tags": []}), "tags", "is empty"),
        (json!({"mode": "off", "tags": ["a", 1]}), "tags[1]", "expected a string"),
        (json!({"mode": "off", "tags": [text]}), "tags[0]", "is longer than 1024 bytes"),
        (json!({"mode": "off", "authorities": {}}), "authorities", "expected a sequence"),
        (json!({"mode": "off", "authorities": [[]]}), "authorities[0]", "expected an object"),
        (json!({"mode": "off", "authorities": vec![key(); 17]}), "authorities", "has more than 16 entries"),
        (json!({"mode": "off", "authorities": [key(), key()]}), "authorities[1].name", "of another authority"),
        (of(json!({"key": {"pem": P256}})), "authorities[0]", "missing field `name`"),
        (with("name", json!("")), "authorities[0].name", "is no name"),
        (with("name", json!("a b")), "authorities[0].name", "is no name"),
        (with("name", json!("a".repeat(65))), "authorities[0].name", "is no name"),
        (with("static", json!("pass")), "authorities[0].static", "unknown field `static`"),
        (with("key", json!(null)), "authorities[0]", "takes `key` or `keyless`"),
        (with("keyless", json!({"identities": []})), "authorities[0]", "takes `key` or `keyless`"),
        (with("key", json!({})), "authorities[0].key", "takes `pem` or `kms`"),
        (with("key", json!({"pem": P256, "kms": ARN})), "authorities[0].key", "takes `pem` or `kms`"),
        (with("key", json!([P256, null])), "authorities[0].key", "expected an object"),
        (with("key", json!({"pem": "x"})), "authorities[0].key.pem", "is not one PEM block"),
        (with("key", json!({"pem": P256.replace("PUBLIC", "PRIVATE")})), "authorities[0].key.pem", "is a private key"),
        (with("key", json!({"kms": "awskms:///alias/x"})), "authorities[0].key.kms", "is no ARN of a key in KMS"),
        (with("key", json!({"kms": "arn:aws:s3:::x"})), "authorities[0].key.kms", "is no ARN of a key in KMS"),
        (with("formats", json!([])), "authorities[0].formats", "is empty"),
        (with("formats", json!(["bundle", "notation"])), "authorities[0].formats[1]", "unknown variant `notation`"),
        (with("transparency_log", json!("none")), "authorities[0].transparency_log", "unknown variant `none`"),
        (with("attestations", json!([""])), "authorities[0].attestations[0]", "is empty"),
        (with("attestations", json!(vec!["a"; 17])), "authorities[0].attestations", "has more than 16 entries"),
        (keyless(json!([])), "authorities[0].keyless", "expected an object"),
        (keyless(json!({})), "authorities[0].keyless", "missing field `identities`"),
        (keyless(json!({"identities": []})), "authorities[0].keyless.identities", "names nobody"),
        (keyless(json!({"identities": [[]]})), "authorities[0].keyless.identities[0]", "expected an object"),
        (
            keyless(json!({"identities": [{}], "trust_root": "Mine!"})),
            "authorities[0].keyless.trust_root",
            "is no name",
        ),
        (identified(json!({})), "authorities[0].keyless.identities[0]", "takes `issuer` or `issuer_regex`"),
        (identified(json!({"issuer": "a"})), "authorities[0].keyless.identities[0]", "takes `subject`"),
        (
            identified(json!({"issuer": "a", "issuer_regex": "a", "subject": "b"})),
            "authorities[0].keyless.identities[0]",
            "takes `issuer` or `issuer_regex`, one of them",
        ),
        (identified(json!({"issuer": "", "subject": "b"})), "authorities[0].keyless.identities[0].issuer", "is empty"),
        (identified(json!({"issuer": "a", "subject": text})), "authorities[0].keyless.identities[0].subject", "longer"),
        (
            identified(json!({"issuer": "a", "subject_regex": "(?=a)"})),
            "authorities[0].keyless.identities[0].subject_regex",
            "has a look-around",
        ),
        (
            identified(json!({"issuer": "a", "subject_regex": "((a{1000}){1000}){1000}"})),
            "authorities[0].keyless.identities[0].subject_regex",
            "is too complex",
        ),
        (identified(json!({"email": "a"})), "authorities[0].keyless.identities[0].email", "unknown field `email`"),
        (
            of(
                json!({"name": "a", "transparency_log": "optional", "keyless": {"identities": [{"issuer": "a", "subject": "b"}]}}),
            ),
            "authorities[0].transparency_log",
            "with a key only",
        ),
        (
            of(json!({"name": "a", "key": {"pem": P256}, "formats": ["simple"], "attestations": ["x"]})),
            "authorities[0].attestations",
            "from bundles only",
        ),
        (json!({"mode": "off", "tags": vec!["a"; 5_000]}), "", "is larger than 16384 bytes"),
    ] {
        let said = refusal(given.clone());
        let field = ["signature_policy", field].join(if field.is_empty() { "" } else { "." });
        assert!(said.0 == field && said.1.contains(reason), "{given}\n{said:?}");
        let error = serde_json::from_value::<SignaturePolicy>(given).unwrap_err().to_string();
        assert_eq!(error, format!("{}: {}", said.0, said.1), "and by whoever reads it as a part");
    }
}

#[test]
fn a_policy_of_the_largest_size_is_taken() {
    let of = |length: usize| {
        let mut tags = vec!["a".repeat(1_000); 16];
        tags.push("b".repeat(length));
        json!({"mode": "off", "tags": tags})
    };
    let room = MAX_SENT - of(0).to_string().len();
    assert!(room < 1_000 && parse(of(room)).is_ok());
    assert_eq!(refusal(of(room + 1)).0, "signature_policy");
}

/// Any JSON that looks a little like a policy.
fn anything() -> impl Strategy<Value = Value> {
    let texts = ["any", "off", "enforce", "bundle", "optional", "public", P256, ARN, "(?=a)", "a", ""];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(texts.to_vec()).prop_map(Value::from)
    ];
    let keys = [
        "mode",
        "require",
        "authorities",
        "tags",
        "name",
        "key",
        "keyless",
        "pem",
        "kms",
        "identities",
        "issuer",
        "issuer_regex",
        "subject",
        "subject_regex",
        "trust_root",
        "formats",
        "transparency_log",
        "attestations",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let objects = prop::collection::btree_map(
            prop::sample::select(keys.to_vec()).prop_map(str::to_owned),
            inner.clone(),
            0..6,
        );
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            objects.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_is_taken_or_refused_by_a_field(given in anything()) {
        match parse(given.clone()) {
            Ok(policy) => {
                prop_assert_eq!(serde_json::to_value(&policy).unwrap(), given);
                prop_assert!(policy.mode() == Mode::Off || !policy.authorities().is_empty());
            }
            Err(error) => prop_assert!(error.field.starts_with("signature_policy") && !error.reason.is_empty()),
        }
    }
}
