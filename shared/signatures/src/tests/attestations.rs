//! Attestations, which say something of an image, and do not sign it.

use moorage_domain::signature_policy::{Refusal, Verdict};
use serde_json::json;

use super::{
    ISSUER, SIGNED_AT, SUBJECT, bundles, by_identity, image, other_image, policy, refusal, root,
    signed::{PROVENANCE, good, logged, signer},
    sigstore::{Instance, bundle::statement},
    trusting, verdict,
};

const SBOM: &str = "https://cyclonedx.org/bom";

#[test]
fn an_attestation_is_no_signature() {
    let instance = Instance::new();
    let bundle = logged(&instance, &signer(&instance), statement(&image(), PROVENANCE), SIGNED_AT);
    let found = verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root(&instance)));
    assert_eq!(refusal(&found), Refusal::Unsigned);
}

#[test]
fn each_attestation_that_is_asked_for_is_there() {
    let instance = Instance::new();
    let trust = trusting(root(&instance));
    let identities = json!([{"issuer": ISSUER, "subject": SUBJECT}]);
    let given = json!([{"name": "ci", "keyless": {"identities": identities}, "attestations": [PROVENANCE, SBOM]}]);
    let policy = policy(given);
    let leaf = signer(&instance);
    let of = |predicate| logged(&instance, &leaf, statement(&image(), predicate), SIGNED_AT);
    let (provenance, sbom, signature) = (of(PROVENANCE), of(SBOM), good(&instance));
    let Verdict::Verified { by } = verdict(&policy, &bundles(&[&sbom, &provenance]), &trust) else { panic!() };
    let found: Vec<_> = by.iter().map(|one| one.predicate.as_deref()).collect();
    assert_eq!(found, [Some(PROVENANCE), Some(SBOM)]);
    assert_eq!(refusal(&verdict(&policy, &bundles(&[&provenance, &signature]), &trust)), Refusal::Unsigned);
    let other = logged(&instance, &leaf, statement(&other_image(), SBOM), SIGNED_AT);
    assert_eq!(refusal(&verdict(&policy, &bundles(&[&provenance, &other]), &trust)), Refusal::WrongDigest);
    let somebody = instance.certify(ISSUER, "https://github.com/evil/app", SIGNED_AT - 60);
    let other = logged(&instance, &somebody, statement(&image(), SBOM), SIGNED_AT);
    assert_eq!(refusal(&verdict(&policy, &bundles(&[&provenance, &other]), &trust)), Refusal::WrongIdentity);
}
