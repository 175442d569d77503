//! A log: Rekor, which has signatures, or one of certificates.

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::Digest;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use super::authority::key;

/// The log, which is what signs what it says.
pub struct Log(KeyPair);

impl Log {
    /// A new one.
    pub fn new() -> Self {
        Self(key())
    }

    /// What it is known by: the digest of its key.
    pub fn id(&self) -> Digest {
        Digest::sha256(&self.0.subject_public_key_info())
    }

    /// What a trusted root has of it.
    pub fn listed(&self, url: &str, period: &Value) -> Value {
        json!({
            "baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": {"keyId": STANDARD.encode(self.id().bytes())},
            "publicKey": {
                "rawBytes": STANDARD.encode(self.0.subject_public_key_info()),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": period,
            },
        })
    }

    /// Signs some bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).unwrap()
    }

    /// The promise to have an entry at a place since a time.
    pub fn promise(&self, body: &[u8], index: u64, at: i64) -> String {
        let (id, body) = (self.id(), STANDARD.encode(body));
        let signed = format!(r#"{{"body":"{body}","integratedTime":{at},"logID":"{}","logIndex":{index}}}"#, id.hex());
        STANDARD.encode(self.sign(signed.as_bytes()))
    }

    /// An entry of Rekor's first version.
    pub fn entry(&self, kind: &str, body: &Value, index: u64, at: i64) -> Value {
        let body = body.to_string().into_bytes();
        json!({
            "logIndex": index.to_string(), "logId": {"keyId": STANDARD.encode(self.id().bytes())},
            "integratedTime": at.to_string(), "kindVersion": {"kind": kind, "version": "0.0.1"},
            "canonicalizedBody": STANDARD.encode(&body),
            "inclusionPromise": {"signedEntryTimestamp": self.promise(&body, index, at)},
            "inclusionProof": self.inclusion(&body),
        })
    }

    /// An entry of Rekor's second version, which says no time.
    pub fn entry_v2(&self, body: &Value) -> Value {
        let body = body.to_string().into_bytes();
        json!({
            "logIndex": "0", "logId": {"keyId": STANDARD.encode(self.id().bytes())},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"}, "canonicalizedBody": STANDARD.encode(&body),
            "inclusionProof": self.inclusion(&body),
        })
    }

    /// The proof that it has an entry, which is its only one.
    fn inclusion(&self, body: &[u8]) -> Value {
        let root = STANDARD.encode(Digest::sha256(&[&[0], body].concat()).bytes());
        let note = format!("rekor.example\n1\n{root}\n");
        let signature = STANDARD.encode([&self.id().bytes()[..4], &self.sign(note.as_bytes())].concat());
        json!({
            "logIndex": "0", "treeSize": "1", "rootHash": root, "hashes": [],
            "checkpoint": {"envelope": format!("{note}\n— rekor.example {signature}\n")},
        })
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}
