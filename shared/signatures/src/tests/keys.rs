//! Signatures by keys.

use moorage_domain::{
    Timestamp,
    signature_policy::{PublicKey, Refusal, SIGNED, SignaturePolicy, Verdict},
};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData as _,
};
use serde_json::{Value, json};

use super::{
    SIGNED_AT, bundles, image, other_image, policy, refusal, root,
    signed::{good, key_material, keyed},
    sigstore::{
        Instance,
        authority::key,
        bundle::{bundle, dsse_body, envelope, statement},
    },
    trusting, verdict, verified,
};
use crate::trust::Trust;

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn by_key(key: &KeyPair, log: &str) -> SignaturePolicy {
    policy(json!([{"name": "release", "key": {"pem": key.public_key_pem()}, "transparency_log": log}]))
}

fn logged(instance: &Instance, key: &KeyPair, at: i64) -> Value {
    let envelope = envelope(key, statement(&image(), SIGNED));
    let mut material = key_material(key);
    material["tlogEntries"] = json!([instance.log.entry("dsse", &dsse_body(&envelope, &key.public_key_pem()), 41, at)]);
    bundle(&material, &envelope)
}

#[test]
fn each_kind_of_key_signs() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519, &PKCS_RSA_SHA256] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let bundle = keyed(&key, statement(&image(), SIGNED));
        let found = verified(verdict(&by_key(&key, "optional"), &bundles(&[&bundle]), &Trust::default()));
        assert_eq!((found.authority.as_str(), found.issuer, found.subject), ("release", None, None));
        assert_eq!((found.time, found.log_index), (None, None));
        let other = KeyPair::generate_for(algorithm).unwrap();
        let found = verdict(&by_key(&other, "optional"), &bundles(&[&bundle]), &Trust::default());
        assert_eq!(refusal(&found), Refusal::BadSignature, "{algorithm:?}");
    }
}

#[test]
fn a_key_signs_one_image_and_all_of_the_statement() {
    let key = key();
    let said = |bundle: &Value| verdict(&by_key(&key, "optional"), &bundles(&[bundle]), &Trust::default());
    assert_eq!(refusal(&said(&keyed(&key, statement(&other_image(), SIGNED)))), Refusal::WrongDigest);
    let mut bundle = keyed(&key, statement(&image(), SIGNED));
    let changed = keyed(&key, statement(&image(), SIGNED).replace("{}", r#"{"a": 1}"#));
    bundle["dsseEnvelope"]["payload"] = changed["dsseEnvelope"]["payload"].clone();
    assert_eq!(refusal(&said(&bundle)), Refusal::BadSignature);
    let mut bundle = keyed(&key, statement(&image(), SIGNED));
    let signature = bundle["dsseEnvelope"]["signatures"][0].clone();
    bundle["dsseEnvelope"]["signatures"] = json!([signature, signature]);
    assert_eq!(refusal(&said(&bundle)), Refusal::Unsigned, "two signatures, both of which are right");
}

#[test]
fn a_log_that_is_required_has_to_have_it() {
    let (instance, key) = (Instance::new(), key());
    let trust = trusting(root(&instance));
    let (without, with) = (keyed(&key, statement(&image(), SIGNED)), logged(&instance, &key, SIGNED_AT));
    let found = verdict(&by_key(&key, "required"), &bundles(&[&without]), &trust);
    assert_eq!(refusal(&found), Refusal::NoTime);
    assert!(matches!(found, Verdict::Refused { detail, .. } if detail.contains("no log has it")));
    for log in ["required", "optional"] {
        let found = verified(verdict(&by_key(&key, log), &bundles(&[&with]), &trust));
        assert_eq!((found.time, found.log_index), (Some(Timestamp::from_unix(SIGNED_AT)), Some(41)));
    }
    let untrusted = trusting(root(&Instance::new()));
    let found = verdict(&by_key(&key, "required"), &bundles(&[&with]), &untrusted);
    assert_eq!(refusal(&found), Refusal::UntrustedRoot);
    assert_eq!(
        refusal(&verdict(&by_key(&key, "required"), &bundles(&[&with]), &Trust::default())),
        Refusal::UntrustedRoot
    );
    // What is optional is no matter, and says nothing either.
    for trust in [&untrusted, &Trust::default()] {
        let found = verified(verdict(&by_key(&key, "optional"), &bundles(&[&with]), trust));
        assert_eq!((found.time, found.log_index), (None, None));
    }
}

#[test]
fn each_kind_of_key_is_logged() {
    let instance = Instance::new();
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519, &PKCS_RSA_SHA256] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let bundle = logged(&instance, &key, SIGNED_AT);
        verified(verdict(&by_key(&key, "required"), &bundles(&[&bundle]), &trusting(root(&instance))));
    }
}

#[test]
fn the_entry_of_another_signature_is_none() {
    let (instance, key) = (Instance::new(), key());
    let mut bundle = logged(&instance, &key, SIGNED_AT);
    bundle["verificationMaterial"]["tlogEntries"] =
        logged(&instance, &key, SIGNED_AT)["verificationMaterial"]["tlogEntries"].clone();
    let found = verdict(&by_key(&key, "required"), &bundles(&[&bundle]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::BadSignature);
}

#[test]
fn a_certificate_is_no_key() {
    let instance = Instance::new();
    let found = verdict(&by_key(&key(), "optional"), &bundles(&[&good(&instance)]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::BadSignature);
}

#[test]
fn a_key_of_kms_is_given_or_nothing_is_known() {
    let key = key();
    let policy = policy(json!([{"name": "kms", "key": {"kms": ARN}, "transparency_log": "optional"}]));
    let evidence = bundles(&[&keyed(&key, statement(&image(), SIGNED))]);
    let found = verdict(&policy, &evidence, &Trust::default());
    assert_eq!(found.reason(), Some("evidence_unavailable"));
    let public = |key: &KeyPair| PublicKey::from_der(&key.subject_public_key_info()).unwrap();
    let trust = |key: &KeyPair| Trust::default().with_key(ARN.to_owned().try_into().unwrap(), public(key));
    verified(verdict(&policy, &evidence, &trust(&key)));
    assert_eq!(
        refusal(&verdict(&policy, &evidence, &trust(&super::sigstore::authority::key()))),
        Refusal::BadSignature
    );
}
