//! When certificates were used: who says so, and what it has to agree with.

use moorage_domain::signature_policy::{Refusal, SIGNED};
use serde_json::{Value, json};

use super::{
    SIGNED_AT, bundles, by_identity, image, refusal, root, root_of,
    signed::{signer, stamped},
    sigstore::{
        Instance,
        authority::LEAF_LIFETIME,
        bundle::{bundle, certificate, dsse_body, envelope, hashed_body, stamps, statement},
        clock::Clock,
    },
    trusting, verdict, verified,
};

const DAY: i64 = 86_400;

fn said(instance: &Instance, bundle: &Value) -> moorage_domain::signature_policy::Verdict {
    verdict(&by_identity(), &bundles(&[bundle]), &trusting(root(instance)))
}

#[test]
fn without_a_time_there_is_none() {
    let instance = Instance::new();
    let bundle = stamped(&instance, &signer(&instance), statement(&image(), SIGNED), &[]);
    assert_eq!(refusal(&said(&instance, &bundle)), Refusal::NoTime);
}

#[test]
fn certificates_sign_while_they_are_valid() {
    let instance = Instance::new();
    for at in [SIGNED_AT - DAY, SIGNED_AT + LEAF_LIFETIME, SIGNED_AT + DAY] {
        let bundle = stamped(&instance, &signer(&instance), statement(&image(), SIGNED), &[at]);
        assert_eq!(refusal(&said(&instance, &bundle)), Refusal::NoTime, "{at}");
        let bundle = super::signed::logged(&instance, &signer(&instance), statement(&image(), SIGNED), at);
        assert_eq!(refusal(&said(&instance, &bundle)), Refusal::NoTime, "{at}, in the log");
    }
}

/// Whoever finds the key of a certificate that has expired has the log say when it is used, and may find a clock that says
/// something else.
#[test]
fn a_backdated_stamp_does_not_hide_when_the_log_had_it() {
    let instance = Instance::new();
    let leaf = signer(&instance);
    let envelope = envelope(&leaf.key, statement(&image(), SIGNED));
    let mut material = certificate(&leaf);
    let body = dsse_body(&envelope, &leaf.pem);
    material["tlogEntries"] = json!([instance.log.entry("dsse", &body, 41, SIGNED_AT + DAY / 2)]);
    material["timestampVerificationData"] = stamps(&[instance.clock.stamp(&envelope.signature, SIGNED_AT)]);
    assert_eq!(refusal(&said(&instance, &bundle(&material, &envelope))), Refusal::NoTime);
    // Nor does one of two stamps hide the other.
    let bundle = stamped(&instance, &leaf, statement(&image(), SIGNED), &[SIGNED_AT, SIGNED_AT + DAY / 2]);
    assert_eq!(refusal(&said(&instance, &bundle)), Refusal::NoTime);
}

#[test]
fn only_clocks_that_are_trusted_say_the_time() {
    let mut instance = Instance::new();
    let leaf = signer(&instance);
    let trust = trusting(root(&instance));
    instance.clock = Clock::new("tsa");
    let bundle = stamped(&instance, &leaf, statement(&image(), SIGNED), &[SIGNED_AT]);
    assert_eq!(refusal(&verdict(&by_identity(), &bundles(&[&bundle]), &trust)), Refusal::NoTime);
}

#[test]
fn a_clock_is_believed_in_its_own_time_and_not_in_that_of_another() {
    let instance = Instance::new();
    let bundle = stamped(&instance, &signer(&instance), statement(&image(), SIGNED), &[SIGNED_AT]);
    let mut json = instance.trusted_root();
    json["timestampAuthorities"][0]["validFor"] =
        json!({"start": "2020-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"});
    let other = Instance::new().trusted_root()["timestampAuthorities"][0].clone();
    json["timestampAuthorities"].as_array_mut().unwrap().push(other);
    let trust = trusting(root_of(&json));
    assert_eq!(refusal(&verdict(&by_identity(), &bundles(&[&bundle]), &trust)), Refusal::NoTime);
}

#[test]
fn a_stamp_is_of_one_signature() {
    let instance = Instance::new();
    let leaf = signer(&instance);
    let [this, other] = [(), ()].map(|()| envelope(&leaf.key, statement(&image(), SIGNED)));
    let mut material = certificate(&leaf);
    material["tlogEntries"] = json!([instance.log.entry_v2(&hashed_body(&this, &leaf.der))]);
    material["timestampVerificationData"] = stamps(&[instance.clock.stamp(&other.signature, SIGNED_AT)]);
    assert_eq!(refusal(&said(&instance, &bundle(&material, &this))), Refusal::NoTime);
}

#[test]
fn nothing_is_signed_tomorrow() {
    let instance = Instance::new();
    let tomorrow = super::now().unix() + DAY;
    let leaf = instance.certify(super::ISSUER, super::SUBJECT, tomorrow - 60);
    let bundle = stamped(&instance, &leaf, statement(&image(), SIGNED), &[tomorrow]);
    assert_eq!(refusal(&said(&instance, &bundle)), Refusal::NoTime);
    let leaf = signer(&instance);
    verified(said(&instance, &stamped(&instance, &leaf, statement(&image(), SIGNED), &[SIGNED_AT])));
}
