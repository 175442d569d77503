//! Where the API is.

use std::fmt;

use url::Url;

use crate::{error::ClientError, here::is_here};

/// What all paths begin with.
const BASE: &str = "api/v1/";

/// The address of a deployment: https, or http to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads `https://host[:port]`; what the API's own paths begin with may follow. Plain http shows the token to everybody on
    /// the way: it is refused but to this machine, unless `allow_http`.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::Address { why: why.to_owned() };
        let url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("it has to begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it must not have a user or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it ends with the host, or with the path of the API"));
        }
        if url.scheme() == "http" && !allow_http && !is_here(&url) {
            return Err(wrong("plain http would show the token to everybody on the way; use https"));
        }
        let path = url.path().trim_matches('/').to_owned();
        let prefix = path.strip_suffix("api/v1").unwrap_or(&path).trim_matches('/');
        let mut base = url.clone();
        base.set_path(&if prefix.is_empty() { format!("/{BASE}") } else { format!("/{prefix}/{BASE}") });
        Ok(Self(base))
    }

    /// The URL of a path below the API's.
    pub(crate) fn of(&self, path: &str) -> Result<Url, ClientError> {
        let wrong = || ClientError::Path { path: path.chars().take(200).collect() };
        let url = self.0.join(path).map_err(|_| wrong())?;
        // A path that leads elsewhere would take the token there.
        let is_below = url.origin() == self.0.origin() && url.path().starts_with(self.0.path());
        if is_below && !path.starts_with('/') { Ok(url) } else { Err(wrong()) }
    }

    /// Its host, as a name or an address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Its port, if it is said, or that of its scheme.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// Whether it is https.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is this machine, in plain http: that goes by no proxy, which would read it.
    pub(crate) fn is_direct(&self) -> bool {
        !self.is_encrypted() && is_here(&self.0)
    }

    /// The deployment's own URL, without the path of the API.
    pub fn root(&self) -> String {
        self.0.as_str().strip_suffix(BASE).unwrap_or_default().trim_end_matches('/').to_owned()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_and_never_shown_to_everybody() {
        for (text, root) in [
            ("https://moorage.example.com", "https://moorage.example.com"),
            ("https://moorage.example.com/", "https://moorage.example.com"),
            ("https://h:8443/api/v1/", "https://h:8443"),
            ("https://h/stage/api/v1", "https://h/stage"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            let address = Address::parse(text, false).unwrap();
            assert_eq!(address.to_string(), root, "{text}");
            assert_eq!(address.of("user/").unwrap().as_str(), format!("{root}/api/v1/user/"), "{text}");
        }
        for text in [
            "",
            "h",
            "h:8080",
            "ftp://h",
            "http://h",
            "http://10.0.0.1",
            "https://u@h",
            "https://u:p@h",
            "https://h?x=1",
            "https://h#x",
        ] {
            assert!(Address::parse(text, false).is_err(), "{text}");
        }
        assert!(Address::parse("http://h", true).is_ok());
    }

    #[test]
    fn no_path_leads_elsewhere() {
        let address = Address::parse("https://h", false).unwrap();
        for path in ["https://evil/", "//evil/x", "/api/v1/user", "../../x", "http://h/api/v1/user"] {
            assert!(address.of(path).is_err(), "{path}");
        }
        assert_eq!(address.of("a/b?x=1").unwrap().query(), Some("x=1"));
    }
}
