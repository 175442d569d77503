//! How many candidates are looked at, and which of them decides.

use moorage_domain::{
    Digest,
    signature_policy::{Refusal, SIGNED, Verdict},
};
use serde_json::json;

use super::{
    ISSUER, SIGNED_AT, bundles, by_identity, identified, image, other_image, refusal, root,
    signed::{PROVENANCE, good, layer, logged, payload, signer, simple},
    sigstore::{Instance, bundle::statement},
    trusting, verdict, verified,
};
use crate::{MAX_CANDIDATE, MAX_CANDIDATES, evidence::Evidence, trust::Trust};

#[test]
fn nothing_is_no_signature() {
    assert_eq!(refusal(&verdict(&by_identity(), &[], &Trust::default())), Refusal::Unsigned);
}

#[test]
fn one_that_is_valid_suffices() {
    let instance = Instance::new();
    let leaf = signer(&instance);
    let good = good(&instance);
    let neighbours = [
        json!({}),
        json!([]),
        json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.9+json"}),
        logged(&instance, &leaf, statement(&other_image(), SIGNED), SIGNED_AT),
        logged(&instance, &leaf, statement(&image(), PROVENANCE), SIGNED_AT),
        logged(&instance, &leaf, "no statement".to_owned(), SIGNED_AT),
    ];
    let mut evidence = bundles(&neighbours.iter().collect::<Vec<_>>());
    evidence.push(Evidence::Bundle(b"\xff\xfe".to_vec()));
    evidence.push(Evidence::Bundle(vec![b'['; 100_000]));
    evidence.push(Evidence::Simple { manifest: b"{".to_vec(), payloads: vec![] });
    let trust = trusting(root(&instance));
    let Verdict::Refused { reason, .. } = verdict(&by_identity(), &evidence, &trust) else { panic!() };
    assert_eq!(reason, Refusal::WrongDigest);
    evidence.push(Evidence::Bundle(good.to_string().into_bytes()));
    let found = verified(verdict(&by_identity(), &evidence, &trust));
    assert_eq!(found.evidence, Digest::sha256(good.to_string().as_bytes()));
}

#[test]
fn a_candidate_is_of_bounded_size() {
    let instance = Instance::new();
    let trust = trusting(root(&instance));
    let padded = |length: usize| {
        let mut bytes = good(&instance).to_string().into_bytes();
        bytes.resize(length, b' ');
        [Evidence::Bundle(bytes)]
    };
    verified(verdict(&by_identity(), &padded(MAX_CANDIDATE), &trust));
    let found = verdict(&by_identity(), &padded(MAX_CANDIDATE + 1), &trust);
    assert_eq!(refusal(&found), Refusal::Unsigned);
    let Verdict::Refused { detail, .. } = found else { panic!() };
    assert!(detail.contains("1 candidates cannot be read") && detail.contains("larger than"), "{detail}");
}

#[test]
fn what_costs_much_to_verify_is_not_read() {
    let instance = Instance::new();
    let mut bundle = good(&instance);
    let entry = bundle["verificationMaterial"]["tlogEntries"][0].clone();
    bundle["verificationMaterial"]["tlogEntries"] = json!(vec![entry; 9]);
    let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::Unsigned);
}

#[test]
fn more_candidates_than_are_looked_at_are_refused() {
    let instance = Instance::new();
    let trust = trusting(root(&instance));
    let good = good(&instance);
    let many = |count: usize| bundles(&vec![&good; count]);
    let nobody = identified(&json!({"issuer": ISSUER, "subject": "nobody"}));
    assert_eq!(refusal(&verdict(&nobody, &many(MAX_CANDIDATES), &trust)), Refusal::WrongIdentity);
    assert_eq!(refusal(&verdict(&nobody, &many(MAX_CANDIDATES + 1), &trust)), Refusal::TooManyReferrers);
    verified(verdict(&by_identity(), &many(MAX_CANDIDATES + 1), &trust));
    // Layers count, too, and each format by itself: what scanners attach each day takes no place of an older signature.
    let layers = |count| simple(&vec![layer(&payload(&image()), &json!({})); count], &[payload(&image())]);
    let found = |evidence: &[Evidence]| refusal(&verdict(&nobody, evidence, &trust));
    assert_eq!(found(&[layers(MAX_CANDIDATES)]), Refusal::Unsigned);
    assert_eq!(found(&[layers(MAX_CANDIDATES + 1)]), Refusal::TooManyReferrers);
    let both: Vec<_> = many(MAX_CANDIDATES).into_iter().chain([layers(MAX_CANDIDATES)]).collect();
    assert_eq!(found(&both), Refusal::WrongIdentity);
}

#[test]
fn the_refusal_is_of_the_one_that_came_nearest() {
    let instance = Instance::new();
    let trust = trusting(root(&instance));
    let leaf = signer(&instance);
    let somebody = instance.certify(ISSUER, "https://github.com/evil/app", SIGNED_AT - 60);
    let wrong_digest = logged(&instance, &leaf, statement(&other_image(), SIGNED), SIGNED_AT);
    let wrong_identity = logged(&instance, &somebody, statement(&image(), SIGNED), SIGNED_AT);
    let no_time = logged(&instance, &leaf, statement(&image(), SIGNED), SIGNED_AT + 86_000);
    for (evidence, reason) in [
        (vec![&wrong_digest], Refusal::WrongDigest),
        (vec![&no_time, &wrong_digest], Refusal::NoTime),
        (vec![&no_time, &wrong_identity, &wrong_digest], Refusal::WrongIdentity),
    ] {
        let found = verdict(&by_identity(), &bundles(&evidence), &trust);
        assert_eq!(refusal(&found), reason);
        let Verdict::Refused { detail, .. } = found else { panic!() };
        assert!(detail.starts_with("ci: "), "{detail}");
    }
}

#[test]
fn what_registries_send_is_quoted_on_one_line_of_bounded_length() {
    let instance = Instance::new();
    let subject = format!("https://evil.example/{}", "a".repeat(5_000));
    let leaf = instance.certify("https://evil.example/\n\u{1b}[31m", &subject, SIGNED_AT - 60);
    let bundle = logged(&instance, &leaf, statement(&image(), SIGNED), SIGNED_AT);
    let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
    let Verdict::Refused { reason: Refusal::WrongIdentity, detail } = found else { panic!("{found:?}") };
    assert!(detail.len() <= 300 && !detail.contains(char::is_control), "{detail}");
}
