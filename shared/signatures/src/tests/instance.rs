//! An instance of Sigstore of our own: a certificate authority, a transparency log and a clock.

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::{Digest, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType, SerialNumber,
    SigningKey as _,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::der::{element, integer, octets, oid, sequence, set, tagged};
use crate::trust::TrustRoot;

/// When everything is signed, if it is not said otherwise: 2025-06-01.
pub(super) const SIGNED_AT: i64 = 1_748_736_000;
/// How long certificates of signers are valid, in seconds, as Fulcio's are.
pub(super) const LEAF_LIFETIME: i64 = 600;
pub(super) const ISSUER: &str = "https://token.actions.githubusercontent.com";
pub(super) const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";

const SHA256: &[u32] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const ECDSA_SHA256: &[u32] = &[1, 2, 840, 10045, 4, 3, 2];
const SIGNED_DATA: &[u32] = &[1, 2, 840, 113_549, 1, 7, 2];
const TST_INFO: &[u32] = &[1, 2, 840, 113_549, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u32] = &[1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: &[u32] = &[1, 2, 840, 113_549, 1, 9, 4];
const COMMON_NAME: &[u32] = &[2, 5, 4, 3];
const POLICY: &[u32] = &[1, 3, 6, 1, 4, 1, 57264, 2];
/// The extension with the promises of logs of certificates.
const PROMISES: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
/// Fulcio's extension for the issuer of the identity.
const FULCIO_ISSUER: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 1];

/// A key with a certificate.
pub(super) struct Certified {
    pub(super) key: KeyPair,
    pub(super) der: Vec<u8>,
    pub(super) pem: String,
}

/// A certificate authority for signers, or for clocks.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
    pem: String,
    /// The digest of its key.
    key: Digest,
}

/// A clock that signs the time.
pub(super) struct Clock {
    authority: Authority,
    name: &'static str,
    leaf: Certified,
}

/// All of it.
pub(super) struct Instance {
    pub(super) authority: Authority,
    pub(super) log: KeyPair,
    pub(super) clock: Clock,
}

pub(super) fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (moment(SIGNED_AT - 100_000_000), moment(SIGNED_AT + 100_000_000));
    params
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let (mut params, key) = (named(name), key());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        let (der, pem) = (certificate.der().to_vec(), certificate.pem());
        let digest = Digest::sha256(&key.subject_public_key_info());
        Self { issuer: Issuer::new(params, key), der, pem, key: digest }
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for whom an identity provider says a signer to be.
    pub(super) fn certify(&self, issuer: &str, subject: &str, from: i64) -> Certified {
        self.issue(&signing(issuer, subject, from))
    }

    /// The same, in a log of certificates (RFC 6962): it promises to have what the certificate is without the promise.
    pub(super) fn certify_logged(&self, issuer: &str, subject: &str, from: i64, log: &KeyPair) -> Certified {
        let (mut params, key) = (signing(issuer, subject, from), key());
        params.serial_number = Some(SerialNumber::from(8_u64));
        let promised = params.signed_by(&key, &self.issuer).unwrap();
        // What is signed is the first of a certificate's parts, which begin behind its head of four bytes.
        let promised = &promised.der()[4..];
        let length = 4 + usize::from(u16::from_be_bytes([promised[2], promised[3]]));
        let at = u64::try_from(from * 1_000).unwrap().to_be_bytes();
        let head = [&[0, 0][..], &at, &[0, 1], self.key.bytes(), &[0], &u16::try_from(length).unwrap().to_be_bytes()];
        let signature = log.sign(&[&head.concat()[..], &promised[..length], &[0, 0]].concat()).unwrap();
        let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let id = Digest::sha256(&log.subject_public_key_info());
        let promise = [&[0][..], id.bytes(), &at, &[0, 0, 4, 3], &sized(&signature)].concat();
        let extension = octets(&sized(&sized(&promise)));
        params.custom_extensions.push(CustomExtension::from_oid_content(PROMISES, extension));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { key, der: certificate.der().to_vec(), pem: certificate.pem() }
    }

    fn issue(&self, params: &CertificateParams) -> Certified {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { key, der: certificate.der().to_vec(), pem: certificate.pem() }
    }
}

/// What a certificate is made of for whom an identity provider says a signer to be.
fn signing(issuer: &str, subject: &str, from: i64) -> CertificateParams {
    let mut params = named("");
    params.distinguished_name = DistinguishedName::new();
    (params.not_before, params.not_after) = (moment(from), moment(from + LEAF_LIFETIME));
    params.subject_alt_names = vec![SanType::URI(subject.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.custom_extensions = vec![CustomExtension::from_oid_content(FULCIO_ISSUER, issuer.as_bytes().to_vec())];
    params
}

impl Clock {
    pub(super) fn new(name: &'static str) -> Self {
        let authority = Authority::new(name);
        let mut params = named("clock");
        params.serial_number = Some(SerialNumber::from(7_u64));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
        let leaf = authority.issue(&params);
        Self { authority, name, leaf }
    }

    /// The time at which a signature was there (RFC 3161).
    pub(super) fn stamp(&self, signature: &[u8], at: i64) -> Vec<u8> {
        let algorithm = || sequence(&[oid(SHA256)]);
        let at = moment(at);
        let date = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        );
        let imprint = sequence(&[algorithm(), octets(Digest::sha256(signature).bytes())]);
        let info = sequence(&[integer(1), oid(POLICY), imprint, integer(1), element(0x18, date.as_bytes())]);
        let attribute = |kind: &[u32], value: Vec<u8>| sequence(&[oid(kind), set(&[value])]);
        let attributes =
            [attribute(CONTENT_TYPE, oid(TST_INFO)), attribute(MESSAGE_DIGEST, octets(Digest::sha256(&info).bytes()))];
        let name = sequence(&[set(&[sequence(&[oid(COMMON_NAME), element(0x0c, self.name.as_bytes())])])]);
        let signer = sequence(&[
            integer(1),
            sequence(&[name, integer(7)]),
            algorithm(),
            tagged(0, &attributes.concat()),
            sequence(&[oid(ECDSA_SHA256)]),
            octets(&self.leaf.key.sign(&set(&attributes)).unwrap()),
        ]);
        let content = sequence(&[oid(TST_INFO), tagged(0, &octets(&info))]);
        let cms = sequence(&[integer(3), set(&[algorithm()]), content, set(&[signer])]);
        sequence(&[oid(SIGNED_DATA), tagged(0, &cms)])
    }
}

impl Instance {
    pub(super) fn new() -> Self {
        Self { authority: Authority::new("fulcio"), log: key(), clock: Clock::new("tsa") }
    }

    /// What is published of it.
    pub(super) fn root_json(&self) -> Value {
        let certificates = |ders: &[&Vec<u8>]| {
            let raw = |der: &&Vec<u8>| json!({"rawBytes": STANDARD.encode(der)});
            json!({"certificates": ders.iter().map(raw).collect::<Vec<_>>()})
        };
        let period = json!({"start": "2020-01-01T00:00:00Z"});
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": "https://rekor.example", "hashAlgorithm": "SHA2_256", "logId": {"keyId": self.log_id()},
                "publicKey": {
                    "rawBytes": STANDARD.encode(self.log.subject_public_key_info()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": period,
                },
            }],
            "certificateAuthorities": [{
                "subject": {"organization": "example", "commonName": "fulcio"}, "uri": "https://fulcio.example",
                "certChain": certificates(&[&self.authority.der]), "validFor": period,
            }],
            "ctlogs": [],
            "timestampAuthorities": [{
                "subject": {"organization": "example", "commonName": "tsa"},
                "certChain": certificates(&[&self.clock.leaf.der, &self.clock.authority.der]), "validFor": period,
            }],
        })
    }

    pub(super) fn root(&self) -> TrustRoot {
        root(&self.root_json())
    }

    pub(super) fn log_id(&self) -> String {
        STANDARD.encode(Digest::sha256(&self.log.subject_public_key_info()).bytes())
    }

    /// The proof that the log has an entry, which is its only one.
    pub(super) fn inclusion(&self, body: &[u8]) -> Value {
        let leaf = Digest::sha256(&[&[0], body].concat());
        let root = STANDARD.encode(leaf.bytes());
        let note = format!("rekor.example\n1\n{root}\n");
        let hint = &Digest::sha256(&self.log.subject_public_key_info()).bytes()[..4].to_vec();
        let signature = STANDARD.encode([&hint[..], &self.log.sign(note.as_bytes()).unwrap()].concat());
        json!({
            "logIndex": "0", "treeSize": "1", "rootHash": root, "hashes": [],
            "checkpoint": {"envelope": format!("{note}\n— rekor.example {signature}\n")},
        })
    }

    /// The log's promise to have an entry at a place since a time.
    pub(super) fn promise(&self, body: &[u8], index: u64, at: i64) -> String {
        let id = Digest::sha256(&self.log.subject_public_key_info());
        let body = STANDARD.encode(body);
        let signed = format!(r#"{{"body":"{body}","integratedTime":{at},"logID":"{}","logIndex":{index}}}"#, id.hex());
        STANDARD.encode(self.log.sign(signed.as_bytes()).unwrap())
    }

    /// An entry of Rekor's first version.
    pub(super) fn entry(&self, kind: &str, body: &Value, index: u64, at: i64) -> Value {
        let body = body.to_string().into_bytes();
        json!({
            "logIndex": index.to_string(), "logId": {"keyId": self.log_id()}, "integratedTime": at.to_string(),
            "kindVersion": {"kind": kind, "version": "0.0.1"}, "canonicalizedBody": STANDARD.encode(&body),
            "inclusionPromise": {"signedEntryTimestamp": self.promise(&body, index, at)},
            "inclusionProof": self.inclusion(&body),
        })
    }

    /// An entry of Rekor's second version, which says no time.
    pub(super) fn entry_v2(&self, body: &Value) -> Value {
        let body = body.to_string().into_bytes();
        json!({
            "logIndex": "0", "logId": {"keyId": self.log_id()},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"}, "canonicalizedBody": STANDARD.encode(&body),
            "inclusionProof": self.inclusion(&body),
        })
    }
}

pub(super) fn root(json: &Value) -> TrustRoot {
    TrustRoot::parse(json.to_string().as_bytes(), Timestamp::from_unix(i64::MAX)).unwrap()
}
