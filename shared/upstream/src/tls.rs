//! TLS as a mirror wants it: authorities beside the public ones, and a certificate of who asks.
//!
//! The certificate is shown to whoever asks for one in the handshake, be it where the registry redirects to: its key stays
//! here, and what is signed by it is of use in that connection alone.

use std::time::Duration;

use moorage_domain::{ExposeSecret as _, SecretString, Tls};
use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::{
    AlertDescription, CertificateError, Error,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use x509_cert::der::Decode as _;

/// What nginx writes into its page when a client shows no certificate, or one that it does not know. It speaks TLS all the
/// same, and answers by status 400.
const REFUSALS: [(&str, &str); 2] = [
    ("No required SSL certificate was sent", WANTED),
    ("The SSL certificate error", "the server does not accept the client certificate"),
];
/// What is said to whoever has no certificate.
const WANTED: &str = "the server wants a client certificate (client_certificate and client_key are for a registry's)";

/// What a client is made with.
#[derive(Debug, Default)]
pub(crate) struct ClientTls {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
}

/// Why certificates make no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// They cannot be read.
    Unreadable,
    /// They have expired, by the name of their setting.
    Expired(&'static str),
}

impl ClientTls {
    /// With what is valid now, which is given as the time since 1970. An authority that has expired is left out: TLS would not
    /// ask how old one is that it trusts. Fails if none is left, if who asks has a certificate that has expired, and if it
    /// cannot be read; it was judged when it was set.
    pub(crate) fn new(tls: &Tls, now: Duration) -> Result<Self, Unusable> {
        let authorities = tls.authorities.as_ref().map(read).transpose()?.unwrap_or_default();
        let is_one = !authorities.is_empty();
        let valid = authorities.into_iter().filter(|(_, end)| *end >= now);
        let authorities: Vec<_> =
            valid.map(|(der, _)| Certificate::from_der(&der)).collect::<Result<_, _>>().map_err(unusable)?;
        if is_one && authorities.is_empty() {
            return Err(Unusable::Expired("ca_bundle"));
        }
        Ok(Self { authorities, identity: tls.identity.as_ref().map(|pem| identity(pem, now)).transpose()? })
    }

    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        // Beside the public ones: a registry of a company's own may well redirect to a public store.
        let builder = builder.tls_certs_merge(self.authorities.iter().cloned());
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }
}

/// The certificates of a text, with the moment when each ends.
fn read(pem: &SecretString) -> Result<Vec<(CertificateDer<'static>, Duration)>, Unusable> {
    let parts = CertificateDer::pem_slice_iter(pem.expose_secret().as_bytes());
    let read = parts.map(|der| {
        let der = der.map_err(unusable)?;
        let certificate = x509_cert::Certificate::from_der(&der).map_err(unusable)?;
        Ok((der, certificate.tbs_certificate.validity.not_after.to_unix_duration()))
    });
    read.collect()
}

/// The certificate of who asks, whose own comes first, and its key.
fn identity(pem: &SecretString, now: Duration) -> Result<Identity, Unusable> {
    if read(pem)?.first().is_some_and(|(_, end)| *end < now) {
        return Err(Unusable::Expired("client_certificate"));
    }
    Identity::from_pem(pem.expose_secret().as_bytes()).map_err(unusable)
}

/// What cannot be read is told of without what it says: it may be of a key.
fn unusable<E>(_: E) -> Unusable {
    Unusable::Unreadable
}

/// What is wrong with a handshake, and which setting would change it.
pub(crate) fn explained(error: &Error) -> String {
    let because = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that is trusted and has not expired vouches for the server's certificate (ca_bundle is for a \
             registry's own authority)"
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "an authority of this name is trusted, but it is another one (ca_bundle is for a registry's own authority)"
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the server's certificate has expired"
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => WANTED,
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "the client certificate has expired: send a new one"
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            // It knows an authority of the name, and not this one.
            | AlertDescription::DecryptError,
        ) => "the server does not accept the client certificate, or wants one and there is none",
        _ => return error.to_string(),
    };
    format!("{error}; {because}")
}

/// What a page says that a server answers with who speaks TLS with everybody, and then refuses who shows no certificate.
pub(crate) fn refusal(status: u16, page: &[u8]) -> Option<&'static str> {
    // A page is short, and its reason is near its beginning.
    let start = String::from_utf8_lossy(page.get(..page.len().min(1_024))?);
    let said = REFUSALS.iter().find(|(said, _)| status == 400 && start.contains(said));
    said.map(|(_, because)| *because)
}

#[cfg(test)]
mod tests {
    use moorage_domain::FailureReason;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use time::OffsetDateTime;

    use super::*;
    use crate::UpstreamError;

    /// A moment within the lifetime of some.
    const NOW: u64 = 1_800_000_000;

    /// A certificate that ends some seconds after [`NOW`], with its key.
    fn ending(after: i64) -> (String, String) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = OffsetDateTime::from_unix_timestamp(1_800_000_000 + after).unwrap();
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn what_has_expired_is_not_trusted_and_not_shown() {
        let (valid, key) = ending(9);
        let (expired, expired_key) = ending(-1);
        let made = |authorities: Option<String>, identity: Option<String>| {
            let tls = Tls { authorities: authorities.map(Into::into), identity: identity.map(Into::into) };
            ClientTls::new(&tls, Duration::from_secs(NOW))
        };
        let count = |pem: String| made(Some(pem), None).unwrap().authorities.len();
        assert_eq!((count(valid.clone()), count(format!("{expired}{valid}")), count(String::new())), (1, 1, 0));
        assert!(made(None, Some(format!("{valid}{key}"))).unwrap().identity.is_some());
        for (failed, setting) in [
            (made(Some(expired.clone()), None), "tls.ca_bundle has expired"),
            (made(Some(valid), Some(format!("{expired}{expired_key}"))), "tls.client_certificate has expired"),
        ] {
            let error = UpstreamError::from(failed.map(drop).unwrap_err());
            assert_eq!(error.reason(), FailureReason::TlsError);
            assert!(error.to_string().starts_with(setting), "{error}");
        }
    }

    #[test]
    fn what_makes_no_certificate_makes_no_client() {
        let tls = |authorities: Option<&str>, identity: Option<&str>| Tls {
            authorities: authorities.map(Into::into),
            identity: identity.map(Into::into),
        };
        let now = Duration::from_secs(NOW);
        assert!(ClientTls::new(&Tls::default(), now).is_ok());
        let garbage = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for unusable in [tls(Some(garbage), None), tls(None, Some(garbage)), tls(None, Some(""))] {
            assert_eq!(ClientTls::new(&unusable, now).map(drop), Err(Unusable::Unreadable), "{unusable:?}");
        }
    }

    #[test]
    fn refusals_name_the_setting() {
        let page = b"<html><head><title>400 No required SSL certificate was sent</title></head>";
        assert_eq!(refusal(400, page), Some(WANTED));
        assert_eq!(refusal(200, page), None);
        assert_eq!(refusal(400, b"<html>400 Bad Request</html>"), None);
        let required = explained(&Error::AlertReceived(AlertDescription::CertificateRequired));
        assert!(required.contains("client_certificate"), "{required}");
        let unknown = explained(&Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(unknown.contains("ca_bundle"), "{unknown}");
        let plain = Error::AlertReceived(AlertDescription::ProtocolVersion);
        assert_eq!(explained(&plain), plain.to_string());
    }
}
