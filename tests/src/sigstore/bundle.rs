//! Signed statements, and the bundles in which they are with what there is to verify them by.

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::Digest;
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};

use super::authority::Certified;

const STATEMENT: &str = "application/vnd.in-toto+json";

/// A statement in an envelope, signed.
pub struct Envelope {
    /// The envelope.
    pub json: Value,
    /// The statement.
    pub payload: String,
    /// What is signed: the payload with its type.
    pub signed: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// What is said of an image.
pub fn statement(image: &Digest, predicate: &str) -> String {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": image.hex().to_string()}, "annotations": {}}],
        "predicateType": predicate, "predicate": {},
    })
    .to_string()
}

/// Signs a statement (DSSE).
pub fn envelope(key: &KeyPair, payload: String) -> Envelope {
    let signed = format!("DSSEv1 {} {STATEMENT} {} {payload}", STATEMENT.len(), payload.len()).into_bytes();
    let signature = key.sign(&signed).unwrap();
    let signatures = json!([{"sig": STANDARD.encode(&signature)}]);
    let json = json!({"payload": STANDARD.encode(&payload), "payloadType": STATEMENT, "signatures": signatures});
    Envelope { json, payload, signed, signature }
}

/// A bundle of version 0.3.
pub fn bundle(material: &Value, envelope: &Envelope) -> Value {
    let media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
    json!({"mediaType": media_type, "verificationMaterial": material, "dsseEnvelope": envelope.json})
}

/// Whose signature it is.
pub fn certificate(leaf: &Certified) -> Value {
    json!({"certificate": {"rawBytes": STANDARD.encode(&leaf.der)}})
}

/// Time stamps.
pub fn stamps(stamps: &[Vec<u8>]) -> Value {
    let stamp = |bytes: &Vec<u8>| json!({"signedTimestamp": STANDARD.encode(bytes)});
    json!({"rfc3161Timestamps": stamps.iter().map(stamp).collect::<Vec<_>>()})
}

/// What Rekor's first version keeps of an envelope, and of whom signed it: a certificate or a public key, PEM.
pub fn dsse_body(envelope: &Envelope, verifier: &str) -> Value {
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
pub fn hashed_body(envelope: &Envelope, certificate: &[u8]) -> Value {
    let data = json!({"algorithm": "SHA2_256", "digest": STANDARD.encode(Digest::sha256(&envelope.signed).bytes())});
    let verifier = json!({
        "keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": STANDARD.encode(certificate)},
    });
    let signature = json!({"content": STANDARD.encode(&envelope.signature), "verifier": verifier});
    json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {"data": data, "signature": signature}}})
}
