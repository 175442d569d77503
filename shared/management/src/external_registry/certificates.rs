//! Certificates that are sent: judged before they are kept, since nobody can look at them afterwards. What is said of them
//! never holds what was sent.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{SecretString, Timestamp};
use rustls::{
    RootCertStore,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{PemObject as _, SectionKind},
    },
    sign::CertifiedKey,
};
use x509_cert::{Certificate, der::Decode as _, ext::pkix::BasicConstraints};

/// The longest bundle, in bytes: the authorities of a large company. A list of robots reads those of all of them, and an item of
/// the table has all else of a mirror besides.
pub(crate) const MAX_BUNDLE: usize = 32 * 1024;
/// The most authorities: each handshake looks at them, and each is shown.
pub(crate) const MAX_AUTHORITIES: usize = 32;
/// The longest chain of a client, in bytes, as servers take it at most.
pub(crate) const MAX_CHAIN: usize = 16 * 1024;
/// The most certificates of a chain: more than anybody verifies.
pub(crate) const MAX_CHAIN_LENGTH: usize = 8;
/// The longest key, in bytes: one of RSA with 8192 bits has 6.4 KB.
pub(crate) const MAX_KEY: usize = 8 * 1024;
/// How much of a subject is shown, in characters.
const MAX_SUBJECT: usize = 200;
/// What each part of PEM begins with.
const BEGIN: &str = "-----BEGIN ";
/// The bytes of a line of PEM, before they are encoded.
const LINE: usize = 48;

/// Why certificates are not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    #[error("has more than {0} certificates")]
    TooMany(usize),
    #[error("has no certificate in PEM")]
    Nothing,
    #[error("has something else than certificates in PEM")]
    Otherwise,
    #[error("certificate {0} cannot be read")]
    Unreadable(usize),
    #[error("certificate {number} ({subject}) has expired at {at}")]
    Expired { number: usize, subject: String, at: String },
    #[error("certificate {number} ({subject}) is not valid before {at}")]
    NotYetValid { number: usize, subject: String, at: String },
    #[error(
        "certificate {number} ({subject}) is not an authority's, as its basic constraints say: give the one of who has signed \
         the registry's certificate"
    )]
    NoAuthority { number: usize, subject: String },
    #[error("is encrypted: send it without a passphrase; it is kept encrypted")]
    EncryptedKey,
    #[error("has no private key in PEM: PKCS#8, PKCS#1 or SEC1")]
    NoKey,
    #[error(
        "is of a kind that TLS here cannot sign with: RSA of 2048 to 8192 bits, ECDSA of P-256, P-384 or P-521, Ed25519"
    )]
    UnknownKey,
    #[error("does not belong to the first certificate of client_certificate")]
    AnothersKey,
}

/// Certificates that were judged.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// In PEM, and nothing else: with the key where there is one.
    pub(crate) pem: SecretString,
    /// Whom they are of.
    pub(crate) subjects: Vec<String>,
    /// When the first of them is not valid any more.
    pub(crate) expires: Timestamp,
}

/// Authorities, at a moment.
pub(crate) fn authorities(text: &str, now: Timestamp) -> Result<Judged, CertificateError> {
    let read = read(text, MAX_BUNDLE, MAX_AUTHORITIES)?;
    let judged = judge(&read, now)?;
    for (index, (der, certificate)) in read.iter().enumerate() {
        let number = index + 1;
        let constraints = certificate.tbs_certificate.get::<BasicConstraints>();
        let constraints = constraints.map_err(|_| CertificateError::Unreadable(number))?;
        if !constraints.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(CertificateError::NoAuthority { number, subject: subject(certificate) });
        }
        // As TLS will read it.
        RootCertStore::empty().add(der.clone()).map_err(|_| CertificateError::Unreadable(number))?;
    }
    Ok(judged)
}

/// The chain of a client at a moment: its own certificate comes first.
pub(crate) fn chain(text: &str, now: Timestamp) -> Result<(Judged, Vec<CertificateDer<'static>>), CertificateError> {
    let read = read(text, MAX_CHAIN, MAX_CHAIN_LENGTH)?;
    let judged = judge(&read, now)?;
    Ok((judged, read.into_iter().map(|(der, _)| der).collect()))
}

/// The key of a chain, in PEM.
pub(crate) fn key(text: &str, chain: Vec<CertificateDer<'static>>) -> Result<SecretString, CertificateError> {
    if text.len() > MAX_KEY {
        return Err(CertificateError::TooLong(MAX_KEY));
    }
    // In its label (PKCS#8), or in a header below (as OpenSSL did it before).
    if text.contains("ENCRYPTED") {
        return Err(CertificateError::EncryptedKey);
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| CertificateError::NoKey)?;
    let label = match &key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let signing = any_supported_type(&key).map_err(|_| CertificateError::UnknownKey)?;
    CertifiedKey::new(chain, signing).keys_match().map_err(|_| CertificateError::AnothersKey)?;
    Ok(pem(label, key.secret_der()).into())
}

fn read(
    text: &str,
    longest: usize,
    most: usize,
) -> Result<Vec<(CertificateDer<'static>, Certificate)>, CertificateError> {
    if text.len() > longest {
        return Err(CertificateError::TooLong(longest));
    }
    let mut read = Vec::new();
    for part in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        let number = read.len() + 1;
        if number > most {
            return Err(CertificateError::TooMany(most));
        }
        let (kind, der) = part.map_err(|_| CertificateError::Unreadable(number))?;
        if kind != SectionKind::Certificate {
            return Err(CertificateError::Otherwise);
        }
        let certificate = Certificate::from_der(&der).map_err(|_| CertificateError::Unreadable(number))?;
        read.push((CertificateDer::from(der), certificate));
    }
    match read.len() {
        0 if text.contains(BEGIN) => Err(CertificateError::Otherwise),
        0 => Err(CertificateError::Nothing),
        // What has another label is passed over.
        count if count != text.matches(BEGIN).count() => Err(CertificateError::Otherwise),
        _ => Ok(read),
    }
}

/// All of them are valid now.
fn judge(read: &[(CertificateDer<'static>, Certificate)], now: Timestamp) -> Result<Judged, CertificateError> {
    let (mut subjects, mut moments, mut text) = (Vec::new(), Vec::new(), String::new());
    for (index, (der, certificate)) in read.iter().enumerate() {
        let (number, validity) = (index + 1, &certificate.tbs_certificate.validity);
        let moment = |time: x509_cert::time::Time| {
            Timestamp::from_unix(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
        };
        let (begin, end) = (moment(validity.not_before), moment(validity.not_after));
        let subject = subject(certificate);
        if end < now {
            return Err(CertificateError::Expired { number, subject, at: end.iso() });
        }
        if begin > now {
            return Err(CertificateError::NotYetValid { number, subject, at: begin.iso() });
        }
        subjects.push(subject);
        moments.push(end);
        text.push_str(&pem("CERTIFICATE", der));
    }
    let expires = moments.into_iter().min().ok_or(CertificateError::Nothing)?;
    Ok(Judged { pem: text.into(), subjects, expires })
}

/// Whom a certificate is of, in one line that is not long.
fn subject(certificate: &Certificate) -> String {
    let subject = certificate.tbs_certificate.subject.to_string();
    subject.chars().filter(|c| !c.is_control()).take(MAX_SUBJECT).collect()
}

/// PEM as it is always written, without whatever was between its parts.
fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<_> = der.chunks(LINE).map(|line| BASE64.encode(line)).collect();
    format!("{BEGIN}{label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
