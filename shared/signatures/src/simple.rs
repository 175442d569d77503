//! Simple signing: signatures as cosign kept them before its version 3, read into the form of bundles.
//!
//! The manifest has a layer for each signature. The layer is what is signed, a JSON document that names the image's digest;
//! its annotations have the signature, and if there are any the certificate with its chain, the log's entry and the time
//! stamp. A bundle of version 0.1 says the same: verification is one for both.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::{Digest, signature_policy::Format};
use serde::Deserialize;
use serde_json::{Value, json};
use sigstore_verify::types::Sha256Hash;

use crate::candidate::{Candidate, MAX_CANDIDATE, Unreadable, parse};

/// The media type of the payload's layer.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The largest payload, in bytes: cosign's have 300, and what people add to them. Each layer may have the same.
pub const MAX_PAYLOAD: usize = 16 * 1024;
/// What the payload says that it is.
const TYPE: &str = "cosign container image signature";
/// The most certificates of a chain that are read: an intermediate and a root, and room.
const MAX_CHAIN: usize = 8;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

#[derive(Debug, Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: Digest,
    annotations: Option<BTreeMap<String, String>>,
}

/// What is signed.
#[derive(Debug, Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Debug, Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

/// The log's promise, and what it is about, as Rekor answered it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogEntry {
    signed_entry_timestamp: String,
    payload: LogPayload,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPayload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// What a log's entry says that it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    kind: String,
    api_version: String,
}

#[derive(Debug, Deserialize)]
struct Stamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    timestamp: String,
}

/// How many layers a manifest has; none if it is no manifest.
pub(crate) fn layers(manifest: &[u8]) -> usize {
    serde_json::from_slice::<Manifest>(manifest).map_or(0, |manifest| manifest.layers.len())
}

/// Reads each layer of a manifest.
pub(crate) fn read(manifest: &[u8], payloads: &[Vec<u8>], image: &Digest) -> Vec<Result<Candidate, Unreadable>> {
    if manifest.len() > MAX_CANDIDATE {
        return vec![Err(Unreadable::TooLarge(MAX_CANDIDATE))];
    }
    let Ok(read) = serde_json::from_slice::<Manifest>(manifest) else { return vec![Err(Unreadable::NoManifest)] };
    let evidence = Digest::sha256(manifest);
    let by_digest: BTreeMap<_, _> = payloads.iter().map(|payload| (Digest::sha256(payload), payload)).collect();
    let read_layer = |layer: &Layer| {
        if layer.media_type != PAYLOAD {
            return Err(Unreadable::OtherPayload);
        }
        let payload = by_digest.get(&layer.digest).ok_or(Unreadable::NoPayload)?;
        candidate(&evidence, payload, layer.annotations.as_ref(), image)
    };
    read.layers.iter().map(read_layer).collect()
}

fn candidate(
    evidence: &Digest,
    payload: &[u8],
    annotations: Option<&BTreeMap<String, String>>,
    image: &Digest,
) -> Result<Candidate, Unreadable> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Unreadable::TooLarge(MAX_PAYLOAD));
    }
    let Payload { critical } = serde_json::from_slice(payload).map_err(|_| Unreadable::OtherPayload)?;
    if critical.kind != TYPE {
        return Err(Unreadable::OtherPayload);
    }
    let annotation = |name: &str| annotations.and_then(|all| all.get(name)).filter(|text| !text.is_empty());
    let signature = annotation(SIGNATURE).and_then(|text| STANDARD.decode(text).ok()).ok_or(Unreadable::NoSignature)?;
    let mut material = match annotation(CERTIFICATE) {
        Some(leaf) => json!({"x509CertificateChain": {"certificates": chain(leaf, annotation(CHAIN))?}}),
        None => json!({"publicKey": {"hint": ""}}),
    };
    if let Some(text) = annotation(LOG_ENTRY) {
        material["tlogEntries"] = json!([log_entry(text)?]);
    }
    if let Some(text) = annotation(TIMESTAMP) {
        let Stamp { timestamp } = serde_json::from_str(text).map_err(|_| Unreadable::Annotations)?;
        material["timestampVerificationData"] = json!({"rfc3161Timestamps": [{"signedTimestamp": timestamp}]});
    }
    // Version 0.1 is the one that needs no more of the log than its promise, which has to be there.
    let version = if annotation(LOG_ENTRY).is_some() { "0.1" } else { "0.2" };
    let bundle = json!({
        "mediaType": format!("application/vnd.dev.sigstore.bundle+json;version={version}"),
        "verificationMaterial": material,
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(Digest::sha256(payload).bytes())},
            "signature": STANDARD.encode(&signature),
        },
    });
    Ok(Candidate {
        format: Format::Simple,
        evidence: evidence.clone(),
        signed: payload.to_vec(),
        signature,
        image: Sha256Hash::try_from(image.bytes())
            .ok()
            .filter(|_| critical.image.docker_manifest_digest == image.to_string()),
        predicate: None,
        bundle: parse(bundle.to_string().as_bytes())?,
    })
}

/// The certificates of PEM texts, the signer's first.
fn chain(leaf: &str, others: Option<&String>) -> Result<Vec<Value>, Unreadable> {
    let texts = [leaf].into_iter().chain(others.map(String::as_str));
    let bodies = texts.flat_map(|text| text.split("-----BEGIN CERTIFICATE-----").skip(1)).take(MAX_CHAIN + 1);
    let read = |body: &str| {
        let (body, _) = body.split_once("-----END CERTIFICATE-----")?;
        let body: String = body.chars().filter(|sign| !sign.is_ascii_whitespace()).collect();
        STANDARD.decode(&body).ok().map(|_| json!({"rawBytes": body}))
    };
    let chain: Option<Vec<_>> = bodies.map(read).collect();
    chain.filter(|chain| (1..=MAX_CHAIN).contains(&chain.len())).ok_or(Unreadable::Annotations)
}

/// The log's entry, as bundles have it.
fn log_entry(text: &str) -> Result<Value, Unreadable> {
    let LogEntry { signed_entry_timestamp, payload } =
        serde_json::from_str(text).map_err(|_| Unreadable::Annotations)?;
    let body = STANDARD.decode(&payload.body).map_err(|_| Unreadable::Annotations)?;
    let Kind { kind, api_version } = serde_json::from_slice(&body).map_err(|_| Unreadable::Annotations)?;
    let log_id = hex::decode(&payload.log_id).map_err(|_| Unreadable::Annotations)?;
    Ok(json!({
        "logIndex": payload.log_index.to_string(),
        "logId": {"keyId": STANDARD.encode(log_id)},
        "kindVersion": {"kind": kind, "version": api_version},
        "integratedTime": payload.integrated_time.to_string(),
        "inclusionPromise": {"signedEntryTimestamp": signed_entry_timestamp},
        "canonicalizedBody": payload.body,
    }))
}
