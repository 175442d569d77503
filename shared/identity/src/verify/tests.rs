//! Tokens that hold, and forgeries of each kind.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::signing::{ALGORITHMS, Signer, keys, signed};

const ISSUER: &str = "https://idp.example";
const NOW: i64 = 1_790_000_000;

static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::new("a", "RS256"));
static EC: LazyLock<Signer> = LazyLock::new(|| Signer::new("b", "ES256"));

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "repo:acme/app:ref:refs/heads/main", "aud": "moorage", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 300})
}

/// The usual claims with some others; null takes one away.
fn with(others: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in others.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn check_for(client: Option<&str>, token: &str, keys: &Keys) -> Result<Claims, TokenError> {
    verify(&Token::parse(token)?, keys, Expected { issuer: ISSUER, client }, Timestamp::from_unix(NOW))
}

fn check(token: &str, keys: &Keys) -> Result<Claims, TokenError> {
    check_for(None, token, keys)
}

#[test]
fn each_algorithm_verifies_its_own_signatures_and_no_others() {
    let signers = ALGORITHMS.map(|algorithm| Signer::new(algorithm, algorithm));
    let all = keys(&signers.iter().collect::<Vec<_>>());
    for signer in &signers {
        let verified = check(&signer.token(&claims()), &all).unwrap();
        assert_eq!(
            (verified.subject.as_str(), verified.audiences.as_slice()),
            ("repo:acme/app:ref:refs/heads/main", &["moorage".to_owned()][..])
        );
        assert_eq!((verified.expires.unix(), &verified.all["sub"]), (NOW + 300, &json!(verified.subject)));
        let unnamed = signer.sign(&json!({"alg": signer.algorithm}), &claims());
        assert!(check(&unnamed, &all).is_ok(), "without a key id each that fits is tried");
        for other in ALGORITHMS.into_iter().filter(|other| *other != signer.algorithm) {
            // The key's own id, with another algorithm than it signed by.
            let lie = signer.sign(&json!({"alg": other, "kid": signer.id}), &claims());
            let error = check(&lie, &all).unwrap_err();
            assert!(
                matches!(error, TokenError::Signature | TokenError::UnknownKey),
                "{} as {other}: {error}",
                signer.algorithm
            );
        }
    }
}

#[test]
fn nobody_else_signs() {
    let keys = keys(&[&RSA, &EC]);
    let (forger, stranger) = (Signer::new("a", "RS256"), Signer::new("c", "RS256"));
    assert_eq!(check(&forger.token(&claims()), &keys), Err(TokenError::Signature), "another key under the same id");
    assert_eq!(check(&stranger.token(&claims()), &keys), Err(TokenError::UnknownKey));
    let jwk = forger.sign(&json!({"alg": "RS256", "jwk": forger.jwk(), "jku": "https://evil.example/jwks"}), &claims());
    assert_eq!(check(&jwk, &keys), Err(TokenError::Signature), "what a header says of keys is not read");
    let good = RSA.token(&claims());
    let (content, signature) = good.rsplit_once('.').unwrap();
    let (_, mine) = RSA
        .token(&with(&json!({"sub": "somebody else"})))
        .rsplit_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert_eq!(check(&format!("{content}.{mine}"), &keys), Err(TokenError::Signature), "another token's signature");
    assert_eq!(check(&format!("{content}."), &keys), Err(TokenError::Signature));
    let cut = BASE64.encode(&BASE64.decode(signature).unwrap()[1..]);
    assert_eq!(check(&format!("{content}.{cut}"), &keys), Err(TokenError::Signature));
    // A point that fits the curve, and a signature of zeros, which broken libraries have taken.
    let zeros = format!("{}.{}", signed(&json!({"alg": "ES256", "kid": "b"}), &claims()), BASE64.encode([0; 64]));
    assert_eq!(check(&zeros, &keys), Err(TokenError::Signature));
}

#[test]
fn unsigned_tokens_and_those_of_shared_secrets_are_none() {
    let keys = keys(&[&RSA]);
    for none in ["none", "None", "nOnE", ""] {
        let token = format!("{}.", signed(&json!({"alg": none, "kid": "a"}), &claims()));
        assert_eq!(check(&token, &keys), Err(TokenError::Algorithm), "{none}");
    }
    // The public key as the secret of an HMAC: whoever only looks at the header's algorithm takes it.
    let public = RSA.jwk();
    for secret in [
        public["n"].as_str().unwrap().as_bytes().to_vec(),
        BASE64.decode(public["n"].as_str().unwrap()).unwrap(),
        Vec::new(),
    ] {
        let content = signed(&json!({"alg": "HS256", "kid": "a"}), &claims());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), content.as_bytes());
        let token = format!("{content}.{}", BASE64.encode(tag));
        assert_eq!(check(&token, &keys), Err(TokenError::Algorithm));
    }
}

#[test]
fn a_token_is_of_its_issuer_and_of_now() {
    let keys = keys(&[&RSA]);
    let check = |others: Value| check(&RSA.token(&with(&others)), &keys).map(drop);
    for issuer in ["https://other.example", "https://idp.example/", "https://IDP.example", "http://idp.example"] {
        assert_eq!(check(json!({"iss": issuer})), Err(TokenError::Issuer), "the same key, another issuer: {issuer}");
    }
    for (others, expected) in [
        (json!({"exp": NOW + 1}), Ok(())),
        (json!({"exp": NOW - 59}), Ok(())),
        (json!({"exp": NOW - 60}), Err(TokenError::Expired)),
        (json!({"exp": 0}), Err(TokenError::Expired)),
        (json!({"exp": i64::MIN}), Err(TokenError::Expired)),
        (json!({"exp": i64::MAX}), Ok(())),
        (json!({"exp": 1_790_000_000.5}), Ok(())),
        (json!({"nbf": NOW + 60}), Ok(())),
        (json!({"nbf": NOW + 61}), Err(TokenError::NotYet)),
        (json!({"nbf": null}), Ok(())),
        (json!({"iat": NOW + 60}), Ok(())),
        (json!({"iat": NOW + 61}), Err(TokenError::NotYet)),
        (json!({"iat": i64::MAX, "nbf": null}), Err(TokenError::NotYet)),
    ] {
        assert_eq!(check(others.clone()), expected, "{others}");
    }
    for (name, wrong) in [
        ("exp", json!(null)),
        ("exp", json!("1790000300")),
        ("exp", json!(1e300)),
        ("exp", json!(1.5e300)),
        ("nbf", json!(1.5e-9)),
        ("exp", json!(true)),
        ("iat", json!(null)),
        ("iat", json!([NOW])),
        ("nbf", json!("now")),
        ("sub", json!(null)),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("iss", json!(null)),
        ("iss", json!([ISSUER])),
        ("aud", json!(7)),
        ("aud", json!([ISSUER, 7])),
    ] {
        assert_eq!(check(json!({name: wrong.clone()})), Err(TokenError::Claim(name)), "{name}: {wrong}");
    }
}

#[test]
fn a_token_is_for_its_client() {
    let keys = keys(&[&RSA]);
    let check = |others: Value| check_for(Some("moorage"), &RSA.token(&with(&others)), &keys).map(drop);
    for (others, expected) in [
        (json!({}), Ok(())),
        (json!({"aud": ["moorage"]}), Ok(())),
        (json!({"aud": ["moorage", "other"], "azp": "moorage"}), Ok(())),
        (json!({"azp": "moorage"}), Ok(())),
        (json!({"aud": "other"}), Err(TokenError::Audience)),
        (json!({"aud": []}), Err(TokenError::Audience)),
        (json!({"aud": null}), Err(TokenError::Audience)),
        (json!({"aud": "Moorage"}), Err(TokenError::Audience)),
        (json!({"aud": ["moorage", "other"]}), Err(TokenError::Party)),
        (json!({"aud": ["moorage", "other"], "azp": "other"}), Err(TokenError::Party)),
        (json!({"azp": "other"}), Err(TokenError::Party)),
        (json!({"azp": ["moorage"]}), Err(TokenError::Party)),
        (json!({"client_id": "moorage"}), Ok(())),
        (json!({"appid": "moorage"}), Ok(())),
        (json!({"client_id": "other"}), Err(TokenError::Party)),
        (json!({"appid": "other"}), Err(TokenError::Party)),
        (json!({"azp": "moorage", "client_id": "other"}), Err(TokenError::Party)),
        (json!({"client_id": ["moorage"]}), Err(TokenError::Party)),
        (json!({"aud": ["moorage", "other"], "client_id": "moorage"}), Err(TokenError::Party)),
        (json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}), Err(TokenError::Type)),
        (json!({"events": {}}), Err(TokenError::Type)),
    ] {
        assert_eq!(check(others.clone()), expected, "{others}");
    }
}

#[test]
fn headers_and_forms() {
    let keys = keys(&[&RSA]);
    let headed = |others: Value| {
        let mut header = json!({"alg": "RS256", "kid": "a"});
        header.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        check(&RSA.sign(&header, &claims()), &keys).map(drop)
    };
    for name in ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/JWT"] {
        assert_eq!(headed(json!({"typ": name})), Ok(()), "{name}");
    }
    for name in ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", ""] {
        assert_eq!(headed(json!({"typ": name})), Err(TokenError::Type), "{name}");
    }
    assert_eq!(headed(json!({"crit": ["b64"], "b64": false})), Err(TokenError::Critical));
    assert_eq!(headed(json!({"kid": 7})), Err(TokenError::Malformed));
    let good = RSA.token(&claims());
    for text in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "eyJhbGciOiJSUzI1NiJ9",
        &format!("{good}="),
        &format!("{good}.x"),
        &good.replace('.', "!"),
    ] {
        assert_eq!(Token::parse(text).err(), Some(TokenError::Malformed), "{text}");
    }
    // The JSON form of RFC 7515, 7.2, is no token; nor is what is encrypted.
    assert!(Token::parse(&json!({"payload": "e30", "signature": ""}).to_string()).is_err());
    assert!(Token::parse("eyJhbGciOiJkaXIifQ....").is_err());
    assert_eq!(Token::parse(&"a".repeat(9_000)).err(), Some(TokenError::TooLong));
}

proptest! {
    #[test]
    fn no_changed_token_is_taken(position in 0usize..2_000, byte in 0x21u8..0x7f) {
        let token = EC.token(&claims());
        let keys = keys(&[&EC]);
        let mut bytes = token.clone().into_bytes();
        let position = position % bytes.len();
        bytes[position] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(check(&changed, &keys).is_ok(), changed == token);
    }

    #[test]
    fn whatever_is_sent_is_answered(text in "[ -~]{0,200}", header in "[ -~]{0,40}", claims in "[ -~]{0,40}") {
        let keys = keys(&[&EC]);
        prop_assert!(check(&text, &keys).is_err());
        let token = format!("{}.{}.AAAA", BASE64.encode(header), BASE64.encode(claims));
        prop_assert!(check(&token, &keys).is_err());
    }
}
