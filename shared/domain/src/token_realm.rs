//! Token servers that a mirror's owner names: hosts that may have the credentials beside the registry itself.

use std::{fmt, str::FromStr};

use crate::reference::{is_host, split_port};

/// `host` or `host:port`: a token server by its name, at any port or at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRealm {
    /// In lower case, without the brackets of an IPv6 address.
    host: Box<str>,
    port: Option<u16>,
}

/// A text that names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token realm is a host, or a host and a port: auth.example.com or auth.example.com:5001")]
pub struct TokenRealmError;

impl TokenRealm {
    /// The host, in lower case, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether this is the server at a host, as a URL has it, and a port.
    pub fn is_at(&self, host: &str, port: Option<u16>) -> bool {
        self.host.eq_ignore_ascii_case(host.trim_start_matches('[').trim_end_matches(']'))
            && self.port.is_none_or(|named| Some(named) == port)
    }
}

impl FromStr for TokenRealm {
    type Err = TokenRealmError;

    fn from_str(text: &str) -> Result<Self, TokenRealmError> {
        let (host, port) = split_port(text);
        let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or(TokenRealmError)).transpose()?;
        if !is_host(host) {
            return Err(TokenRealmError);
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase().into();
        Ok(Self { host, port })
    }
}

impl fmt::Display for TokenRealm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        if self.host.contains(':') { write!(f, "[{}]{port}", self.host) } else { write!(f, "{}{port}", self.host) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, host, port, is_at) in [
            ("auth.example", "auth.example", Some(443), true),
            ("Auth.Example", "auth.example", None, true),
            ("auth.example:5001", "auth.example", Some(5001), true),
            ("auth.example:5001", "auth.example", Some(443), false),
            ("auth.example", "a.auth.example", Some(443), false),
            ("[::1]:5000", "[::1]", Some(5000), true),
            ("127.0.0.1:5000", "127.0.0.1", Some(5000), true),
        ] {
            assert_eq!(text.parse::<TokenRealm>().unwrap().is_at(host, port), is_at, "{text}");
        }
        for text in ["", ":5000", "a b", "https://a", "a/b", "a:0", "a:x", "a:65536", "*.example", "u@a"] {
            assert!(text.parse::<TokenRealm>().is_err(), "{text}");
        }
        for text in ["auth.example:5001", "[::1]:5000", "[::1]"] {
            assert_eq!(text.parse::<TokenRealm>().unwrap().to_string(), text);
        }
    }
}
