//! Where a provider is asked.

use std::fmt;

use url::Url;

use crate::{cause::innermost, here::is_here, provider::failure::ProviderError};

/// The longest URL: providers have some hundred characters.
const LENGTH: usize = 2_000;

/// A URL of a provider's: https, or http to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads it. What is shown of it has no character that a terminal would take for an order, and no letter that looks like
    /// another one: a URL is written in ASCII.
    pub fn parse(text: &str) -> Result<Self, ProviderError> {
        let wrong = |why| ProviderError::Endpoint { why };
        if text.len() > LENGTH {
            return Err(wrong("it is too long"));
        }
        let url = Url::parse(text).map_err(|_| wrong("it is none"))?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a user, a password or a fragment"));
        }
        match url.scheme() {
            "https" if url.has_host() => Ok(Self(url)),
            "http" if is_here(&url) => Ok(Self(url)),
            _ => Err(wrong("it is neither https nor on this machine")),
        }
    }

    /// Its host, with its port if that is said.
    pub fn host(&self) -> String {
        self.0[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is on this machine, in plain http: that goes by no proxy, which would read it.
    pub(super) fn is_direct(&self) -> bool {
        self.0.scheme() == "http"
    }

    pub(super) fn url(&self) -> Url {
        self.0.clone()
    }

    /// With something at the end of its path.
    pub(super) fn below(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        Self(url)
    }

    /// Whether this is its name, but for a slash at the end.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.0.as_str().trim_end_matches('/') == name.trim_end_matches('/')
    }

    pub(super) fn unreachable(&self, error: &reqwest::Error) -> ProviderError {
        let why = if error.is_timeout() { "it does not answer in time".to_owned() } else { innermost(error) };
        ProviderError::Unreachable { host: self.host(), why }
    }

    pub(super) fn not_understood(&self, why: &'static str) -> ProviderError {
        ProviderError::NotUnderstood { host: self.host(), why }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_asked_by_tls_or_on_this_machine() {
        for (text, host) in [
            ("https://login.example.com/token", "login.example.com"),
            ("https://login.example.com:8443/x?tenant=1", "login.example.com:8443"),
            ("http://127.0.0.1:4000/device", "127.0.0.1:4000"),
            ("http://localhost/device", "localhost"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.host().as_str(), endpoint.as_str()), (host, text));
        }
        let long = format!("https://h/{}", "x".repeat(LENGTH));
        for text in
            ["", "x", "http://login.example.com", "ftp://h", "https://u@h", "https://u:p@h/", "https://h#x", &long]
        {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_of_it_is_plain() {
        for text in ["https://h/a\u{1b}[2Jb\u{202e}", "https://h/\r\nx", "https://ех\u{202e}ample.com/"] {
            if let Ok(endpoint) = Endpoint::parse(text) {
                let is_plain = |byte: u8| byte.is_ascii_graphic();
                assert!(
                    endpoint.to_string().bytes().all(is_plain) && endpoint.host().bytes().all(is_plain),
                    "{endpoint}"
                );
            }
        }
        let issuer = Endpoint::parse("https://h/realms/x/").unwrap();
        assert_eq!(issuer.below("/y").as_str(), "https://h/realms/x/y");
        assert!(issuer.is_named("https://h/realms/x") && !issuer.is_named("https://h/realms"));
    }
}
