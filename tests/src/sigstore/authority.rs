//! A certificate authority: of signers, as Fulcio is one, or of a clock.

use moorage_domain::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use time::OffsetDateTime;

use super::{
    der::{octets, text},
    log::Log,
};

/// How long certificates of signers are valid, in seconds, as Fulcio's are.
pub const LEAF_LIFETIME: i64 = 600;

/// What is not of a signer is valid from the beginning of 2020 to the end of 2049: whatever a test takes for now.
const LIFETIME: (i64, i64) = (1_577_836_800, 2_524_607_999);

/// Fulcio's extensions for the issuer of the identity: as it was first, which clients still ask for, and in DER.
const ISSUER: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 1];
const ISSUER_V2: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 8];
/// The extension with the promises of logs of certificates.
const PROMISES: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];

/// A key with a certificate.
pub struct Certified {
    /// The key.
    pub key: KeyPair,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The same, PEM.
    pub pem: String,
}

/// The authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
    pem: String,
    /// The digest of its key.
    key: Digest,
}

/// A new key, of the kind that everybody has here.
pub fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

impl Authority {
    /// One with a name.
    pub fn new(name: &str) -> Self {
        let (mut params, key) = (named(name), key());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        let (der, pem) = (certificate.der().to_vec(), certificate.pem());
        let digest = Digest::sha256(&key.subject_public_key_info());
        Self { issuer: Issuer::new(params, key), der, pem, key: digest }
    }

    /// Its certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for whom an identity provider says a signer to be, from some time on; no log has it.
    pub fn certify(&self, issuer: &str, subject: &str, from: i64) -> Certified {
        self.issue(&signing(issuer, subject, from), key())
    }

    /// The same, in a log of certificates (RFC 6962): it promises to have what the certificate is without the promise.
    pub fn certify_logged(&self, issuer: &str, subject: &str, from: i64, log: &Log) -> Certified {
        let (mut params, key) = (signing(issuer, subject, from), key());
        let promised = params.signed_by(&key, &self.issuer).unwrap();
        // What is signed is the first of a certificate's parts, which begin behind its head of four bytes.
        let promised = &promised.der()[4..];
        let length = 4 + usize::from(u16::from_be_bytes([promised[2], promised[3]]));
        let at = u64::try_from(from * 1_000).unwrap().to_be_bytes();
        let head = [&[0, 0][..], &at, &[0, 1], self.key.bytes(), &[0], &u16::try_from(length).unwrap().to_be_bytes()];
        let signature = log.sign(&[&head.concat()[..], &promised[..length], &[0, 0]].concat());
        let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let promise = [&[0][..], log.id().bytes(), &at, &[0, 0, 4, 3], &sized(&signature)].concat();
        let extension = octets(&sized(&sized(&promise)));
        params.custom_extensions.push(CustomExtension::from_oid_content(PROMISES, extension));
        self.issue(&params, key)
    }

    /// A certificate for a key.
    pub fn issue(&self, params: &CertificateParams, key: KeyPair) -> Certified {
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { key, der: certificate.der().to_vec(), pem: certificate.pem() }
    }
}

/// What a certificate is made of that is valid at any time.
pub fn named(name: &str) -> CertificateParams {
    let mut params = valid(LIFETIME.0, LIFETIME.1);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// What a certificate is made of for whom an identity provider says a signer to be.
fn signing(issuer: &str, subject: &str, from: i64) -> CertificateParams {
    let mut params = valid(from, from + LEAF_LIFETIME);
    params.subject_alt_names = vec![SanType::URI(subject.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.custom_extensions = vec![
        CustomExtension::from_oid_content(ISSUER, issuer.as_bytes().to_vec()),
        CustomExtension::from_oid_content(ISSUER_V2, text(issuer)),
    ];
    params
}

fn valid(from: i64, to: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    (params.not_before, params.not_after) = (moment(from), moment(to));
    params.use_authority_key_identifier_extension = true;
    params
}

/// A time, in seconds since 1970.
pub fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}
