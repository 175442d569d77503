//! What may be an issuer.

use std::fmt;

use moorage_domain::Guard;
use url::Url;

/// The longest issuer, in bytes. Those of clouds have some hundred.
const MAX_LENGTH: usize = 512;
/// Where an issuer says where its keys are (OpenID Connect Discovery 1.0, 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Why a text is no issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// It is no such URL. The words are Quay's.
    #[error("Issuer must be a URL (http:// or https://)")]
    NoUrl,
    /// It has a query, a fragment, or credentials; or its form is another than the one that URLs are compared in.
    #[error("Issuer must be a URL without query, fragment and credentials")]
    Form,
    /// It is too long.
    #[error("Issuer is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Whoever sits on the way could say which keys it has.
    #[error("Issuer must be an https:// URL")]
    Unencrypted,
    /// Its host is not one that the stack may speak to.
    #[error("Issuer is at a host that is not allowed")]
    NotAllowed,
}

/// An issuer of tokens: a URL, which is compared letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    discovery: Url,
}

impl Issuer {
    /// An issuer that the stack may ask for keys.
    pub fn parse(text: &str, guard: &Guard) -> Result<Self, IssuerError> {
        if text.len() > MAX_LENGTH {
            return Err(IssuerError::TooLong);
        }
        if !(text.starts_with("http://") || text.starts_with("https://")) {
            return Err(IssuerError::NoUrl);
        }
        // The parser passes over these, and no token's issuer has them.
        if text.contains(|it: char| it.is_control() || it.is_whitespace()) {
            return Err(IssuerError::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| IssuerError::NoUrl)?;
        check(&url, guard)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(IssuerError::Form);
        }
        let discovery = format!("{}{DISCOVERY}", text.trim_end_matches('/'));
        let discovery = Url::parse(&discovery).map_err(|_| IssuerError::NoUrl)?;
        Ok(Self { text: text.to_owned(), discovery })
    }

    /// The issuer, as tokens name it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it says where its keys are.
    pub(crate) fn discovery(&self) -> &Url {
        &self.discovery
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a provider's document may be read from a URL: by https, or by http from a host that the allow-list names; and
/// from no host that the guard refuses. What its name resolves to is judged when it is connected to.
pub(crate) fn check(url: &Url, guard: &Guard) -> Result<(), IssuerError> {
    let host = url.host().ok_or(IssuerError::NoUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(IssuerError::Form);
    }
    if !guard.allows(&host) {
        return Err(IssuerError::NotAllowed);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if guard.lists_host(&host) => Ok(()),
        "http" => Err(IssuerError::Unencrypted),
        _ => Err(IssuerError::NoUrl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_https_unless_their_host_is_listed() {
        let guard = Guard::new("localhost,127.0.0.0/8,idp.internal").unwrap();
        for (text, discovery) in [
            ("https://accounts.example.com", "https://accounts.example.com/.well-known/openid-configuration"),
            ("https://accounts.example.com/", "https://accounts.example.com/.well-known/openid-configuration"),
            (
                "https://idp.example/tenants/7/v2.0",
                "https://idp.example/tenants/7/v2.0/.well-known/openid-configuration",
            ),
            ("https://idp.example:8443/a/", "https://idp.example:8443/a/.well-known/openid-configuration"),
            ("http://localhost:9000", "http://localhost:9000/.well-known/openid-configuration"),
            ("http://127.0.0.1:9000/x", "http://127.0.0.1:9000/x/.well-known/openid-configuration"),
            ("http://idp.internal", "http://idp.internal/.well-known/openid-configuration"),
        ] {
            let issuer = Issuer::parse(text, &guard).unwrap();
            assert_eq!((issuer.as_str(), issuer.discovery().as_str()), (text, discovery));
        }
        for (text, error) in [
            ("accounts.example.com", IssuerError::NoUrl),
            ("ftp://accounts.example.com", IssuerError::NoUrl),
            ("https://", IssuerError::NoUrl),
            ("https://idp.example/a\nb", IssuerError::NoUrl),
            ("https://idp.example ", IssuerError::NoUrl),
            ("http://accounts.example.com", IssuerError::Unencrypted),
            ("http://8.8.8.8", IssuerError::Unencrypted),
            ("https://10.0.0.1", IssuerError::NotAllowed),
            ("https://169.254.169.254/latest", IssuerError::NotAllowed),
            ("https://0xa9fea9fe", IssuerError::NotAllowed),
            ("https://metadata.google.internal", IssuerError::NotAllowed),
            ("https://idp.example?x=1", IssuerError::Form),
            ("https://idp.example#x", IssuerError::Form),
            ("https://user@idp.example", IssuerError::Form),
        ] {
            assert_eq!(Issuer::parse(text, &guard), Err(error), "{text}");
        }
        let long = format!("https://idp.example/{}", "a".repeat(MAX_LENGTH));
        assert_eq!(Issuer::parse(&long, &guard), Err(IssuerError::TooLong));
    }
}
