//! TLS as a mirror wants it: authorities beside the public ones, and a certificate of who asks.
//!
//! The certificate is shown to whoever asks for one in the handshake, be it where the registry redirects to: its key stays
//! here, and what is signed by it is of use in that connection alone.

use moorage_domain::{ExposeSecret as _, SecretString, Tls};
use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::{AlertDescription, CertificateError, Error};

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

impl ClientTls {
    /// Fails if it cannot be read; it was judged when it was set.
    pub(crate) fn new(tls: &Tls) -> reqwest::Result<Self> {
        let pem = |text: &Option<SecretString>| text.as_ref().map(|text| text.expose_secret().as_bytes().to_vec());
        let authorities = pem(&tls.authorities).map(|pem| Certificate::from_pem_bundle(&pem)).transpose()?;
        let identity = pem(&tls.identity).map(|pem| Identity::from_pem(&pem)).transpose()?;
        Ok(Self { authorities: authorities.unwrap_or_default(), identity })
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

/// What is wrong with a handshake, and which setting would change it.
pub(crate) fn explained(error: &Error) -> String {
    let because = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that is trusted vouches for the server's certificate (ca_bundle is for a registry's own authority)"
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
    use super::*;

    #[test]
    fn what_makes_no_certificate_makes_no_client() {
        let tls = |authorities: Option<&str>, identity: Option<&str>| Tls {
            authorities: authorities.map(Into::into),
            identity: identity.map(Into::into),
        };
        assert!(ClientTls::new(&Tls::default()).is_ok());
        let garbage = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for unusable in [tls(Some(garbage), None), tls(None, Some(garbage)), tls(None, Some(""))] {
            assert!(ClientTls::new(&unusable).is_err(), "{unusable:?}");
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
