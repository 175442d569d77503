//! Signs images as cosign does, with a key and without a log: as version 3 does it, in bundles that refer to the image, and
//! as those before it, in tags.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::Digest;
use serde_json::{Value, json};

use crate::image::{Image, OCI_INDEX, OCI_MANIFEST, descriptor};

/// The media type of bundles, and of what refers to images by them.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What a signature says of an image.
pub const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const STATEMENT: &str = "application/vnd.in-toto+json";

/// A key pair, as `cosign generate-key-pair` makes it.
pub struct SigningKey(EcdsaKeyPair);

impl SigningKey {
    /// A new one.
    pub fn generate() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    /// Its public key: `SubjectPublicKeyInfo`, DER.
    pub fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    /// Its public key, PEM.
    pub fn public_pem(&self) -> String {
        let text = STANDARD.encode(self.public_der());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The policy that takes what it signs, and asks for no log.
    pub fn policy(&self, mode: &str) -> Value {
        let authority = json!({"name": "release", "key": {"pem": self.public_pem()}, "transparency_log": "optional"});
        json!({"mode": mode, "authorities": [authority]})
    }

    fn sign(&self, bytes: &[u8]) -> String {
        STANDARD.encode(self.0.sign(&SystemRandom::new(), bytes).unwrap())
    }

    /// A bundle that says something of an image.
    pub fn bundle(&self, image: &Digest, predicate_type: &str, predicate: &Value) -> Vec<u8> {
        let (mut bundle, signed) = self.unsigned(image, predicate_type, predicate);
        bundle["dsseEnvelope"]["signatures"] = json!([{"sig": self.sign(&signed)}]);
        bundle.to_string().into_bytes()
    }

    /// The same without a signature, and what is to be signed.
    pub fn unsigned(&self, image: &Digest, predicate_type: &str, predicate: &Value) -> (Value, Vec<u8>) {
        let subject = json!([{"digest": {"sha256": image.hex().to_string()}, "annotations": {}}]);
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate_type,
            "predicate": predicate,
        });
        let statement = statement.to_string();
        let signed = format!("DSSEv1 {} {STATEMENT} {} {statement}", STATEMENT.len(), statement.len());
        let hint = STANDARD.encode(Digest::sha256(&self.public_der()).bytes());
        let bundle = json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {"payload": STANDARD.encode(&statement), "payloadType": STATEMENT},
        });
        (bundle, signed.into_bytes())
    }

    /// What cosign 3 attaches to an image that it signs.
    pub fn signature(&self, subject: &Image) -> Image {
        bundle_of(subject, self.bundle(&subject.digest(), SIGN, &json!({})), SIGN)
    }

    /// What cosign 3 attaches to an image that it attests something of.
    pub fn attestation(&self, subject: &Image, predicate_type: &str, predicate: &Value) -> Image {
        bundle_of(subject, self.bundle(&subject.digest(), predicate_type, predicate), predicate_type)
    }

    /// What cosign 2 puts into the tag [`simple_tag`] for an image that it signs as one of a repository.
    pub fn simple(&self, image: &Digest, repository: &str) -> Image {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": repository}, "image": {"docker-manifest-digest": image},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let config = json!({"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": [Digest::sha256(&payload)]}});
        let config = config.to_string().into_bytes();
        let mut layer = descriptor(PAYLOAD, &payload);
        layer["annotations"] = json!({"dev.cosignproject.cosign/signature": self.sign(&payload)});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config), "layers": [layer],
        });
        let manifest = manifest.to_string().into_bytes();
        Image { media_type: OCI_MANIFEST, manifest, blobs: vec![config, payload], children: Vec::new() }
    }
}

/// The tag in which cosign 2 keeps the signatures of an image.
pub fn simple_tag(image: &Digest) -> String {
    format!("{}-{}.sig", image.algorithm().as_str(), image.hex())
}

/// What refers to an image by a bundle: an empty config, one layer.
pub fn bundle_of(subject: &Image, bundle: Vec<u8>, predicate_type: &str) -> Image {
    let config = b"{}".to_vec();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": BUNDLE,
        "config": descriptor("application/vnd.oci.empty.v1+json", &config),
        "layers": [descriptor(BUNDLE, &bundle)],
        "subject": descriptor(subject.media_type, &subject.manifest),
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": predicate_type,
            "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
        },
    });
    let manifest = manifest.to_string().into_bytes();
    Image { media_type: OCI_MANIFEST, manifest, blobs: vec![config, bundle], children: Vec::new() }
}

/// A list of bundles, as clients keep it where a registry has no referrers API.
pub fn list(bundles: Vec<Image>) -> Image {
    let manifests: Vec<_> = bundles.iter().map(listed).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).to_string();
    Image { media_type: OCI_INDEX, manifest: manifest.into_bytes(), blobs: Vec::new(), children: bundles }
}

/// The entry of a list of referrers that stands for a bundle.
pub fn listed(bundle: &Image) -> Value {
    let manifest: Value = serde_json::from_slice(&bundle.manifest).unwrap();
    let mut entry = descriptor(bundle.media_type, &bundle.manifest);
    entry["artifactType"] = manifest["artifactType"].clone();
    entry["annotations"] = manifest["annotations"].clone();
    entry
}

#[cfg(test)]
mod tests {
    use moorage_domain::{
        Timestamp,
        signature_policy::{SignaturePolicy, Verdict},
    };
    use moorage_signatures::{Evidence, Trust, judge};

    use super::*;

    fn verdict(policy: Value, image: &Image, evidence: Evidence) -> Verdict {
        let policy = SignaturePolicy::parse(policy).unwrap();
        let (tag, now) = ("v1".parse().unwrap(), Timestamp::from_unix(0));
        judge(&policy, &tag, &image.digest(), &[evidence], &Trust::default(), now).unwrap()
    }

    #[test]
    fn what_is_signed_verifies() {
        let (key, image) = (SigningKey::generate(), Image::artifact(vec![1]));
        let bundle = Evidence::Bundle(key.signature(&image).blobs.remove(1));
        let mut simple = key.simple(&image.digest(), "registry.example.com/app");
        let simple = Evidence::Simple { manifest: simple.manifest, payloads: vec![simple.blobs.remove(1)] };
        for evidence in [bundle, simple] {
            let found = verdict(key.policy("enforce"), &image, evidence.clone());
            assert!(matches!(found, Verdict::Verified { .. }), "{found:?}");
            let other = verdict(SigningKey::generate().policy("enforce"), &image, evidence);
            assert_eq!(other.reason(), Some("bad_signature"));
        }
    }

    #[test]
    fn what_is_attested_verifies() {
        let (key, image) = (SigningKey::generate(), Image::artifact(vec![1]));
        let predicate = "https://slsa.dev/provenance/v1";
        let attestation = Evidence::Bundle(key.attestation(&image, predicate, &json!({})).blobs.remove(1));
        let mut policy = key.policy("enforce");
        assert_eq!(verdict(policy.clone(), &image, attestation.clone()).reason(), Some("unsigned"));
        policy["authorities"][0]["attestations"] = json!([predicate]);
        assert_eq!(verdict(policy, &image, attestation).reason(), None);
    }
}
