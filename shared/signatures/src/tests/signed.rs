//! Signatures, as bundles and as simple signing.

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::{Digest, signature_policy::SIGNED};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

use super::{
    ISSUER, SIGNED_AT, SUBJECT, image,
    sigstore::{
        Instance,
        authority::Certified,
        bundle::{bundle, envelope, statement},
    },
};
use crate::evidence::Evidence;

pub(super) const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// The certificate of whom the tests trust.
pub(super) fn signer(instance: &Instance) -> Certified {
    instance.certify(ISSUER, SUBJECT, SIGNED_AT - 60)
}

/// A signature with an entry in Rekor's first version.
pub(super) fn logged(instance: &Instance, leaf: &Certified, payload: String, at: i64) -> Value {
    instance.signed(leaf, payload, Some(at), None)
}

/// A signature with an entry in Rekor's second version, and as many time stamps as there are times.
pub(super) fn stamped(instance: &Instance, leaf: &Certified, payload: String, times: &[i64]) -> Value {
    instance.signed(leaf, payload, None, Some(times))
}

/// The signature that everything else differs from.
pub(super) fn good(instance: &Instance) -> Value {
    logged(instance, &signer(instance), statement(&image(), SIGNED), SIGNED_AT)
}

/// A signature by a key, without a log.
pub(super) fn keyed(key: &KeyPair, payload: String) -> Value {
    bundle(&key_material(key), &envelope(key, payload))
}

pub(super) fn key_material(key: &KeyPair) -> Value {
    let hint = STANDARD.encode(Digest::sha256(&key.subject_public_key_info()).bytes());
    json!({"publicKey": {"hint": hint}, "tlogEntries": []})
}

/// What simple signing signs.
pub(super) fn payload(image: &Digest) -> Vec<u8> {
    json!({
        "critical": {
            "identity": {"docker-reference": "registry.example/acme/app"},
            "image": {"docker-manifest-digest": image}, "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
    .into_bytes()
}

/// A layer of a manifest of simple signing.
pub(super) fn layer(payload: &[u8], annotations: &Value) -> Value {
    json!({
        "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": Digest::sha256(payload),
        "size": payload.len(), "annotations": annotations,
    })
}

pub(super) fn simple(layers: &[Value], payloads: &[Vec<u8>]) -> Evidence {
    let manifest = json!({"schemaVersion": 2, "config": {}, "layers": layers});
    Evidence::Simple { manifest: manifest.to_string().into_bytes(), payloads: payloads.to_vec() }
}
