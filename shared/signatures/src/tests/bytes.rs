//! Whatever bytes there are: a verdict is of those that were judged, and no others.

use std::sync::LazyLock;

use moorage_domain::{
    Digest,
    signature_policy::{SIGNED, Verdict},
};
use proptest::prelude::*;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::{
    bundles, by_identity, image, policy, root,
    signed::{good, keyed},
    sigstore::{Instance, authority::key, bundle::statement},
    trusting, verdict, verified,
};
use crate::{evidence::Evidence, trust::Trust};

struct World {
    key: KeyPair,
    trust: Trust,
    bundles: [Value; 2],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let (instance, key) = (Instance::new(), key());
    let bundles = [good(&instance), keyed(&key, statement(&image(), SIGNED))];
    World { key, trust: trusting(root(&instance)), bundles }
});

fn said(evidence: &[Evidence]) -> Verdict {
    let key = json!({"name": "key", "key": {"pem": WORLD.key.public_key_pem()}, "transparency_log": "optional"});
    let keyless = serde_json::to_value(by_identity()).unwrap()["authorities"][0].clone();
    verdict(&policy(json!([key, keyless])), evidence, &WORLD.trust)
}

/// Whoever has the verdict stores what was judged: another bundle that is as good has another digest.
#[test]
fn the_verdict_names_the_bytes_that_were_judged() {
    let instance = Instance::new();
    let trust = trusting(root(&instance));
    let [judged, put_in_its_place] = [good(&instance), good(&instance)];
    let found = verified(verdict(&by_identity(), &bundles(&[&judged]), &trust));
    assert_eq!(found.evidence, Digest::sha256(judged.to_string().as_bytes()));
    assert_ne!(found.evidence, Digest::sha256(put_in_its_place.to_string().as_bytes()));
}

proptest! {
    #[test]
    fn a_byte_that_is_changed_is_no_signature_or_another_digest(which in 0..2_usize, at: prop::sample::Index, bit in 0..8_u32) {
        let mut bytes = WORLD.bundles[which].to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Verdict::Verified { by } = said(&[Evidence::Bundle(bytes.clone())]) {
            prop_assert_eq!(&by[0].evidence, &Digest::sha256(&bytes));
            // What is signed and by whom is as it was.
            let changed: Value = serde_json::from_slice(&bytes).unwrap();
            let good = &WORLD.bundles[which];
            prop_assert_eq!(&changed["dsseEnvelope"]["payload"], &good["dsseEnvelope"]["payload"]);
            prop_assert_eq!(
                &changed["verificationMaterial"]["certificate"], &good["verificationMaterial"]["certificate"]
            );
        }
    }

    #[test]
    fn any_bytes_are_judged(bytes: Vec<u8>, payloads: Vec<Vec<u8>>) {
        let evidence = [Evidence::Bundle(bytes.clone()), Evidence::Simple { manifest: bytes, payloads }];
        let is_refused = matches!(said(&evidence), Verdict::Refused { .. });
        prop_assert!(is_refused);
    }
}
