//! Signatures, as bundles and as simple signing.

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::{Digest, signature_policy::SIGNED};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use super::{
    image,
    instance::{Certified, ISSUER, Instance, SIGNED_AT, SUBJECT},
};
use crate::evidence::Evidence;

const STATEMENT: &str = "application/vnd.in-toto+json";
pub(super) const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A statement in an envelope, signed.
pub(super) struct Envelope {
    pub(super) json: Value,
    pub(super) payload: String,
    /// What is signed: the payload with its type.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

pub(super) fn statement(image: &Digest, predicate: &str) -> String {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": image.hex().to_string()}, "annotations": {}}],
        "predicateType": predicate, "predicate": {},
    })
    .to_string()
}

pub(super) fn envelope(key: &KeyPair, payload: String) -> Envelope {
    let signed = format!("DSSEv1 {} {STATEMENT} {} {payload}", STATEMENT.len(), payload.len()).into_bytes();
    let signature = key.sign(&signed).unwrap();
    let signatures = json!([{"sig": STANDARD.encode(&signature)}]);
    let json = json!({"payload": STANDARD.encode(&payload), "payloadType": STATEMENT, "signatures": signatures});
    Envelope { json, payload, signed, signature }
}

/// A bundle of version 0.3.
pub(super) fn bundle(material: &Value, envelope: &Envelope) -> Value {
    let media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
    json!({"mediaType": media_type, "verificationMaterial": material, "dsseEnvelope": envelope.json})
}

/// What Rekor's first version keeps of an envelope, and of whom signed it: a certificate or a public key, PEM.
pub(super) fn dsse_body(envelope: &Envelope, verifier: &str) -> Value {
    let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": Digest::sha256(bytes).hex().to_string()});
    let signature = json!({"signature": STANDARD.encode(&envelope.signature), "verifier": STANDARD.encode(verifier)});
    json!({
        "apiVersion": "0.0.1", "kind": "dsse",
        "spec": {
            "envelopeHash": hash(envelope.json.to_string().as_bytes()), "payloadHash": hash(envelope.payload.as_bytes()),
            "signatures": [signature],
        },
    })
}

/// What Rekor's second version keeps of it.
pub(super) fn hashed_body(envelope: &Envelope, certificate: &[u8]) -> Value {
    let data = json!({"algorithm": "SHA2_256", "digest": STANDARD.encode(Digest::sha256(&envelope.signed).bytes())});
    let verifier = json!({
        "keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": STANDARD.encode(certificate)},
    });
    let signature = json!({"content": STANDARD.encode(&envelope.signature), "verifier": verifier});
    json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {"data": data, "signature": signature}}})
}

pub(super) fn certificate(leaf: &Certified) -> Value {
    json!({"certificate": {"rawBytes": STANDARD.encode(&leaf.der)}})
}

pub(super) fn stamps(stamps: &[Vec<u8>]) -> Value {
    let stamp = |bytes: &Vec<u8>| json!({"signedTimestamp": STANDARD.encode(bytes)});
    json!({"rfc3161Timestamps": stamps.iter().map(stamp).collect::<Vec<_>>()})
}

/// The certificate of whom the tests trust.
pub(super) fn signer(instance: &Instance) -> Certified {
    instance.authority.certify(ISSUER, SUBJECT, SIGNED_AT - 60)
}

/// A signature with an entry in Rekor's first version.
pub(super) fn logged(instance: &Instance, leaf: &Certified, payload: String, at: i64) -> Value {
    let envelope = envelope(&leaf.key, payload);
    let mut material = certificate(leaf);
    material["tlogEntries"] = json!([instance.entry("dsse", &dsse_body(&envelope, &leaf.pem), 41, at)]);
    bundle(&material, &envelope)
}

/// A signature with an entry in Rekor's second version, and as many time stamps as there are times.
pub(super) fn stamped(instance: &Instance, leaf: &Certified, payload: String, times: &[i64]) -> Value {
    let envelope = envelope(&leaf.key, payload);
    let mut material = certificate(leaf);
    material["tlogEntries"] = json!([instance.entry_v2(&hashed_body(&envelope, &leaf.der))]);
    let tokens: Vec<_> = times.iter().map(|at| instance.clock.stamp(&envelope.signature, *at)).collect();
    material["timestampVerificationData"] = stamps(&tokens);
    bundle(&material, &envelope)
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
