//! What the transparency log has to say of a signature.

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::signature_policy::{Refusal, SIGNED, Verdict};
use serde_json::{Value, json};

use super::{
    ISSUER, SIGNED_AT, SUBJECT, bundles, by_identity, image, refusal, root, root_of,
    signed::{good, logged, signer, stamped},
    sigstore::{
        Instance,
        authority::Certified,
        bundle::{bundle, certificate, envelope, stamps, statement},
        log::Log,
    },
    trusting, verdict, verified,
};
use crate::trust::Trust;

fn said(instance: &Instance, bundle: &Value) -> Verdict {
    verdict(&by_identity(), &bundles(&[bundle]), &trusting(root(instance)))
}

#[test]
fn an_entry_is_of_one_bundle() {
    let instance = Instance::new();
    let leaf = signer(&instance);
    let [this, same_signer] = [(), ()].map(|()| logged(&instance, &leaf, statement(&image(), SIGNED), SIGNED_AT));
    for other in [same_signer, good(&instance)] {
        let mut bundle = this.clone();
        bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"].clone();
        assert_eq!(refusal(&said(&instance, &bundle)), Refusal::BadSignature);
        // Nor does it go along with the right one.
        let entries = bundle["verificationMaterial"]["tlogEntries"].as_array_mut().unwrap();
        entries.insert(0, this["verificationMaterial"]["tlogEntries"][0].clone());
        assert_eq!(refusal(&said(&instance, &bundle)), Refusal::BadSignature);
    }
    let [this, other] = [(), ()].map(|()| stamped(&instance, &leaf, statement(&image(), SIGNED), &[SIGNED_AT]));
    let mut bundle = this;
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"].clone();
    assert_eq!(refusal(&said(&instance, &bundle)), Refusal::BadSignature, "of the second version");
}

#[test]
fn the_log_is_one_that_is_trusted() {
    let mut instance = Instance::new();
    let trust = trusting(root(&instance));
    instance.log = Log::new();
    let leaf = signer(&instance);
    for bundle in [
        logged(&instance, &leaf, statement(&image(), SIGNED), SIGNED_AT),
        stamped(&instance, &leaf, statement(&image(), SIGNED), &[SIGNED_AT]),
    ] {
        let found = verdict(&by_identity(), &bundles(&[&bundle]), &trust);
        assert_eq!(refusal(&found), Refusal::UntrustedRoot, "{bundle}");
    }
}

#[test]
fn what_the_log_says_is_what_it_has_signed() {
    let instance = Instance::new();
    let entry = |change: fn(&mut Value)| {
        let mut bundle = good(&instance);
        change(&mut bundle["verificationMaterial"]["tlogEntries"][0]);
        said(&instance, &bundle)
    };
    verified(entry(|_| ()));
    let changes: [fn(&mut Value); 8] = [
        |entry| entry["integratedTime"] = json!((SIGNED_AT + 1).to_string()),
        |entry| entry["logIndex"] = json!("42"),
        |entry| entry["inclusionPromise"]["signedEntryTimestamp"] = json!(STANDARD.encode("no signature")),
        |entry| entry["inclusionProof"] = Value::Null,
        |entry| entry["inclusionProof"]["rootHash"] = json!(STANDARD.encode([0; 32])),
        |entry| entry["inclusionProof"]["hashes"] = json!([STANDARD.encode([0; 32])]),
        |entry| entry["inclusionProof"]["checkpoint"] = Value::Null,
        |entry| {
            let envelope = &mut entry["inclusionProof"]["checkpoint"]["envelope"];
            *envelope = json!(envelope.as_str().unwrap().replace("\n1\n", "\n2\n"));
        },
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let found = entry(change);
        assert!(matches!(found, Verdict::Refused { .. }), "{at}: {found:?}");
    }
}

#[test]
fn a_clock_is_no_log() {
    let instance = Instance::new();
    let leaf = signer(&instance);
    let envelope = envelope(&leaf.key, statement(&image(), SIGNED));
    let mut material = certificate(&leaf);
    material["tlogEntries"] = json!([]);
    material["timestampVerificationData"] = stamps(&[instance.clock.stamp(&envelope.signature, SIGNED_AT)]);
    let bundle = bundle(&material, &envelope);
    assert_eq!(refusal(&said(&instance, &bundle)), Refusal::BadSignature);
    // Unless there is no log, as in GitHub's instance for private repositories.
    let mut json = instance.trusted_root();
    json["tlogs"] = json!([]);
    let found = verified(verdict(&by_identity(), &bundles(&[&bundle]), &trusting(root_of(&json))));
    assert_eq!((found.time.map(moorage_domain::Timestamp::unix), found.log_index), (Some(SIGNED_AT), None));
}

#[test]
fn certificates_are_in_the_log_of_certificates_where_there_is_one() {
    let (instance, other) = (Instance::new(), Log::new());
    let mut json = instance.trusted_root();
    let trust = trusting(root_of(&json));
    json["ctlogs"] = json!([]);
    let without = trusting(root_of(&json));
    let said = |leaf: &Certified, trust: &Trust| {
        let bundle = logged(&instance, leaf, statement(&image(), SIGNED), SIGNED_AT);
        verdict(&by_identity(), &bundles(&[&bundle]), trust)
    };
    let unlogged = instance.authority.certify(ISSUER, SUBJECT, SIGNED_AT - 60);
    assert_eq!(refusal(&said(&unlogged, &trust)), Refusal::UntrustedRoot);
    verified(said(&unlogged, &without));
    let by = |log: &Log| said(&instance.authority.certify_logged(ISSUER, SUBJECT, SIGNED_AT - 60, log), &trust);
    verified(by(&instance.certificates));
    assert_eq!(refusal(&by(&other)), Refusal::UntrustedRoot);
    assert_eq!(refusal(&by(&instance.log)), Refusal::UntrustedRoot);
}
