//! Simple signing, as cosign did it before version 3.

use std::slice;

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::{
    Digest, Timestamp,
    signature_policy::{Refusal, SignaturePolicy},
};
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};

use super::{
    ISSUER, SIGNED_AT, SUBJECT, by_identity, image, other_image, policy, refusal, root,
    signed::{layer, payload, signer, simple},
    sigstore::{
        Instance,
        authority::{Certified, key},
    },
    trusting, verdict, verified,
};
use crate::{evidence::Evidence, trust::Trust};

fn by_key(key: &KeyPair, log: &str) -> SignaturePolicy {
    policy(json!([{"name": "release", "key": {"pem": key.public_key_pem()}, "transparency_log": log}]))
}

fn signature(key: &KeyPair, payload: &[u8]) -> String {
    STANDARD.encode(key.sign(payload).unwrap())
}

/// What Rekor answers for a payload.
fn entry(instance: &Instance, payload: &[u8], signature: &str, verifier: &str, at: i64) -> String {
    let body = json!({
        "apiVersion": "0.0.1", "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": Digest::sha256(payload).hex().to_string()}},
            "signature": {"content": signature, "publicKey": {"content": STANDARD.encode(verifier)}},
        },
    });
    let body = body.to_string().into_bytes();
    let log_id = instance.log.id().hex().to_string();
    json!({
        "SignedEntryTimestamp": instance.log.promise(&body, 41, at),
        "Payload": {"body": STANDARD.encode(&body), "integratedTime": at, "logIndex": 41, "logID": log_id},
    })
    .to_string()
}

fn keyed(key: &KeyPair, payload: &[u8]) -> Value {
    layer(payload, &json!({"dev.cosignproject.cosign/signature": signature(key, payload)}))
}

/// The annotations of a signature by a certificate.
fn annotations(instance: &Instance, leaf: &Certified, payload: &[u8], at: i64) -> Value {
    let signature = signature(&leaf.key, payload);
    json!({
        "dev.cosignproject.cosign/signature": signature, "dev.sigstore.cosign/certificate": leaf.pem,
        "dev.sigstore.cosign/chain": instance.authority.pem(),
        "dev.sigstore.cosign/bundle": entry(instance, payload, &signature, &leaf.pem, at),
    })
}

#[test]
fn a_key_signs_an_image() {
    let key = key();
    let (this, other) = (payload(&image()), payload(&other_image()));
    let said = |evidence: Evidence| verdict(&by_key(&key, "optional"), &[evidence], &Trust::default());
    let evidence = simple(&[keyed(&key, &this)], slice::from_ref(&this));
    let Evidence::Simple { manifest, .. } = &evidence else { panic!() };
    let manifest = Digest::sha256(manifest);
    assert_eq!(verified(said(evidence)).evidence, manifest, "whose annotations have the signature");
    assert_eq!(refusal(&said(simple(&[keyed(&key, &other)], slice::from_ref(&other)))), Refusal::WrongDigest);
    assert_eq!(
        refusal(&said(simple(&[keyed(&super::sigstore::authority::key(), &this)], slice::from_ref(&this)))),
        Refusal::BadSignature
    );
    let moved = layer(&this, &json!({"dev.cosignproject.cosign/signature": signature(&key, &other)}));
    assert_eq!(refusal(&said(simple(&[moved], slice::from_ref(&this)))), Refusal::BadSignature);
    // The layer says which payload it is.
    assert_eq!(refusal(&said(simple(&[keyed(&key, &other)], &[this]))), Refusal::Unsigned);
}

#[test]
fn the_log_has_the_signature_of_a_key() {
    let (instance, key) = (Instance::new(), key());
    let payload = payload(&image());
    let signature = signature(&key, &payload);
    let entry = entry(&instance, &payload, &signature, &key.public_key_pem(), SIGNED_AT);
    let with = json!({"dev.cosignproject.cosign/signature": signature, "dev.sigstore.cosign/bundle": entry});
    let evidence = [simple(&[layer(&payload, &with)], slice::from_ref(&payload))];
    for log in ["required", "optional"] {
        let found = verified(verdict(&by_key(&key, log), &evidence, &trusting(root(&instance))));
        assert_eq!((found.time, found.log_index), (Some(Timestamp::from_unix(SIGNED_AT)), Some(41)));
    }
    let evidence = [simple(&[keyed(&key, &payload)], slice::from_ref(&payload))];
    assert_eq!(refusal(&verdict(&by_key(&key, "required"), &evidence, &trusting(root(&instance)))), Refusal::NoTime);
}

#[test]
fn a_certificate_signs_an_image() {
    let instance = Instance::new();
    let leaf = signer(&instance);
    let (this, other) = (payload(&image()), payload(&other_image()));
    let trust = trusting(root(&instance));
    let said = |payload: &[u8], annotations: &Value| {
        verdict(&by_identity(), &[simple(&[layer(payload, annotations)], &[payload.to_vec()])], &trust)
    };
    let good = annotations(&instance, &leaf, &this, SIGNED_AT);
    let found = verified(said(&this, &good));
    assert_eq!((found.issuer.as_deref(), found.subject.as_deref()), (Some(ISSUER), Some(SUBJECT)));
    assert_eq!((found.time, found.log_index), (Some(Timestamp::from_unix(SIGNED_AT)), Some(41)));
    assert_eq!(refusal(&said(&other, &annotations(&instance, &leaf, &other, SIGNED_AT))), Refusal::WrongDigest);
    // The entry is of another signature of the same.
    let mut swapped = good.clone();
    swapped["dev.sigstore.cosign/bundle"] =
        annotations(&instance, &leaf, &this, SIGNED_AT)["dev.sigstore.cosign/bundle"].clone();
    assert_eq!(refusal(&said(&this, &swapped)), Refusal::BadSignature);
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("dev.sigstore.cosign/bundle");
    assert!(matches!(refusal(&said(&this, &without)), Refusal::NoTime | Refusal::BadSignature));
    let expired = annotations(&instance, &leaf, &this, SIGNED_AT + 86_000);
    assert_eq!(refusal(&said(&this, &expired)), Refusal::NoTime);
    let other = Instance::new();
    let leaf = other.authority.certify_logged(ISSUER, SUBJECT, SIGNED_AT - 60, &instance.certificates);
    let mut untrusted = annotations(&instance, &leaf, &this, SIGNED_AT);
    untrusted["dev.sigstore.cosign/chain"] = json!(other.authority.pem());
    assert_eq!(refusal(&said(&this, &untrusted)), Refusal::UntrustedRoot);
}

#[test]
fn neighbours_that_cannot_be_read_are_no_matter() {
    let key = key();
    let this = payload(&image());
    let good = keyed(&key, &this);
    let mut layers = vec![
        layer(&this, &Value::Null),
        layer(&this, &json!({})),
        layer(&this, &json!({"dev.cosignproject.cosign/signature": "!"})),
        layer(&this, &json!({"dev.cosignproject.cosign/signature": "AA==", "dev.sigstore.cosign/bundle": "{}"})),
        layer(&this, &json!({"dev.cosignproject.cosign/signature": "AA==", "dev.sigstore.cosign/certificate": "x"})),
        layer(b"not there", &good["annotations"]),
        layer(b"{}", &good["annotations"]),
    ];
    let mut other_type = good.clone();
    other_type["mediaType"] = json!("application/octet-stream");
    layers.push(other_type);
    let payloads = [this.clone(), b"{}".to_vec()];
    let said = |layers: &[Value]| verdict(&by_key(&key, "optional"), &[simple(layers, &payloads)], &Trust::default());
    assert_eq!(refusal(&said(&layers)), Refusal::Unsigned);
    layers.push(good);
    verified(said(&layers));
}

#[test]
fn a_payload_is_of_bounded_size() {
    let key = key();
    let said = |length: usize| {
        let mut payload = payload(&image());
        payload.resize(length, b' ');
        let evidence = [simple(&[keyed(&key, &payload)], &[payload])];
        verdict(&by_key(&key, "optional"), &evidence, &Trust::default())
    };
    verified(said(16 * 1024));
    assert_eq!(refusal(&said(16 * 1024 + 1)), Refusal::Unsigned);
}

#[test]
fn what_is_signed_is_a_signature_of_an_image() {
    let key = key();
    let text = String::from_utf8(payload(&image())).unwrap();
    for payload in [text.replace("cosign container image signature", "atomic container signature"), "[]".to_owned()] {
        let payload = payload.into_bytes();
        let evidence = [simple(&[keyed(&key, &payload)], slice::from_ref(&payload))];
        assert_eq!(refusal(&verdict(&by_key(&key, "optional"), &evidence, &Trust::default())), Refusal::Unsigned);
    }
}
