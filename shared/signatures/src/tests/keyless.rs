//! Signatures by certificates.

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::{
    Digest, Timestamp,
    signature_policy::{Refusal, SIGNED},
};
use serde_json::{Value, json};

use super::{
    ISSUER, SIGNED_AT, SUBJECT, bundles, by_identity, identified, image, other_image, refusal, root,
    signed::{good, logged, signer, stamped},
    sigstore::{Instance, LOG_INDEX, bundle::statement},
    trusting, verdict, verified,
};

#[test]
fn who_signed_is_found_and_when_and_where_it_is_logged() {
    let instance = Instance::new();
    let bundle = good(&instance);
    let found = verified(verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance))));
    assert_eq!((found.issuer.as_deref(), found.subject.as_deref()), (Some(ISSUER), Some(SUBJECT)));
    assert_eq!((found.time, found.log_index), (Some(Timestamp::from_unix(SIGNED_AT)), Some(41)));
    assert_eq!((found.authority.as_str(), found.predicate), ("ci", None));
    assert_eq!(found.evidence, Digest::sha256(bundle.to_string().as_bytes()));
}

#[test]
fn the_second_version_of_the_log_says_no_time_and_a_clock_does() {
    let instance = Instance::new();
    let bundle = stamped(&instance, &signer(&instance), statement(&image(), SIGNED), &[SIGNED_AT + 5]);
    let found = verified(verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance))));
    assert_eq!((found.time, found.log_index), (Some(Timestamp::from_unix(SIGNED_AT + 5)), Some(0)));
}

#[test]
fn a_valid_signature_of_another_image_is_none_of_this() {
    let instance = Instance::new();
    let bundle = logged(&instance, &signer(&instance), statement(&other_image(), SIGNED), SIGNED_AT);
    let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::WrongDigest);
}

#[test]
fn a_statement_that_is_replaced_was_not_signed() {
    let instance = Instance::new();
    let mut bundle = logged(&instance, &signer(&instance), statement(&other_image(), SIGNED), SIGNED_AT);
    bundle["dsseEnvelope"]["payload"] = json!(STANDARD.encode(statement(&image(), SIGNED)));
    let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::BadSignature);
}

#[test]
fn an_envelope_of_two_signatures_is_none_that_is_taken() {
    let instance = Instance::new();
    for order in [[0, 1], [1, 0]] {
        let mut bundle = good(&instance);
        let other = good(&instance)["dsseEnvelope"]["signatures"][0].clone();
        let both = [bundle["dsseEnvelope"]["signatures"][0].clone(), other];
        bundle["dsseEnvelope"]["signatures"] = json!(order.map(|at: usize| both[at].clone()));
        let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
        assert_eq!(refusal(&found), Refusal::Unsigned);
    }
}

#[test]
fn who_only_contains_the_pattern_is_somebody_else() {
    let instance = Instance::new();
    let trust = trusting(root(&instance));
    let found = |identity: &Value, issuer: &str, subject: &str| {
        let leaf = instance.certify(issuer, subject, SIGNED_AT - 60);
        let bundle = logged(&instance, &leaf, statement(&image(), SIGNED), SIGNED_AT);
        verdict(&identified(identity), &bundles(&[&bundle]), &trust)
    };
    let exact = json!({"issuer": ISSUER, "subject": SUBJECT});
    let regex = json!({
        "issuer_regex": "https://token[.]actions[.]githubusercontent[.]com",
        "subject_regex": "https://github[.]com/acme/app/[a-z./]*@refs/tags/v[0-9]",
    });
    for identity in [&exact, &regex] {
        verified(found(identity, ISSUER, SUBJECT));
        for (issuer, subject) in [
            (ISSUER, format!("{SUBJECT}/x")),
            (ISSUER, format!("https://evil.example/{SUBJECT}")),
            (&format!("{ISSUER}.evil.example"), SUBJECT.to_owned()),
            (&format!("https://evil.example/{ISSUER}"), SUBJECT.to_owned()),
            ("", SUBJECT.to_owned()),
        ] {
            assert_eq!(refusal(&found(identity, issuer, &subject)), Refusal::WrongIdentity, "{issuer} {subject}");
        }
    }
}

#[test]
fn certificates_of_nobody_who_is_trusted_are_not() {
    let [instance, other] = [Instance::new(), Instance::new()];
    // The logs are those that are trusted.
    let leaf = other.authority.certify_logged(ISSUER, SUBJECT, SIGNED_AT - 60, &instance.certificates);
    let bundle = logged(&instance, &leaf, statement(&image(), SIGNED), SIGNED_AT);
    let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::UntrustedRoot);
}

#[test]
fn somebody_else_has_no_use_for_the_certificate() {
    let instance = Instance::new();
    let (leaf, thief) = (signer(&instance), signer(&instance));
    let mut bundle = logged(&instance, &thief, statement(&image(), SIGNED), SIGNED_AT);
    bundle["verificationMaterial"]["certificate"] = super::sigstore::bundle::certificate(&leaf)["certificate"].clone();
    let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::BadSignature);
}

/// The whole of it, as integration tests have it: at a time that is given, and now.
#[test]
fn what_an_instance_signs_is_verified_with_all_that_it_has() {
    let instance = Instance::new();
    let trust = trusting(root(&instance));
    for at in [Timestamp::from_unix(SIGNED_AT), SystemTime::now().into()] {
        for (bundle, index) in [
            (instance.sign(&image(), ISSUER, SUBJECT, at), LOG_INDEX),
            (instance.sign_v2(&image(), ISSUER, SUBJECT, at), 0),
        ] {
            let evidence = bundles(&[&bundle]);
            let found = crate::judge(&by_identity(), &"v1".parse().unwrap(), &image(), &evidence, &trust, at).unwrap();
            let found = verified(found);
            assert_eq!((found.issuer.as_deref(), found.subject.as_deref()), (Some(ISSUER), Some(SUBJECT)));
            assert_eq!((found.time, found.log_index), (Some(at), Some(index)));
        }
    }
}
