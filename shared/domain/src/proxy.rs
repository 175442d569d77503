//! The URL of a proxy, and the password in it, which is kept apart.

use url::Url;

use crate::reference::is_host;

/// What stands for a password wherever a proxy's URL is shown. Sent back, it means the password that is stored.
pub const MASK: &str = "********";

/// The longest address of a proxy that has a password, in bytes: a host name of 253 (RFC 1035, 2.3.4), a colon and a
/// port.
const ADDRESS_LENGTH: usize = 259;

/// A proxy's URL in its parts: `[scheme://][user[:password]@]address`. Together they are the very text again.
///
/// It is split where a URL parser splits it, as far as there is a user; what a parser could read differently is refused,
/// so that no part of a password is taken for something else, and no proxy for another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ProxyUrl<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    password: Option<&'a str>,
    address: &'a str,
}

/// A text that is no proxy's URL, or could be read in two ways. Says nothing of the text: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be [http[s]://][user:password@]host[:port], with other characters of user and password percent-encoded")]
pub struct ProxyUrlError;

impl<'a> ProxyUrl<'a> {
    /// Reads what is sent: a proxy's location and nothing else, as Quay's `validate_mirror_proxy_config` has it. That is
    /// `http`, `https` or no scheme; at most one user, percent-encoded; a host, and a port other than 0 where there is a
    /// colon. A single slash may be at the end, and no blank anywhere.
    pub fn parse(text: &'a str) -> Result<Self, ProxyUrlError> {
        let authority = text.split_once("://").map_or(text, |(_, authority)| authority);
        let (login, address) = match authority.split_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let address = address.strip_suffix('/').unwrap_or(address);
        let is_login = login.is_none_or(|login| !login.is_empty() && is_percent_encoded(login));
        let is_address = !address.contains(['@', '/', '?', '#', '\\', '%']) && !address.ends_with(':');
        let has_blank = text.contains(|it: char| it.is_whitespace() || it.is_control());
        let url = Self::split(text)?;
        let is_location = url.location().is_some_and(|location| {
            let host = location.host_str().unwrap_or_default();
            is_host(host.strip_suffix('.').unwrap_or(host)) && location.port() != Some(0)
        });
        if is_login && is_address && !has_blank && is_location { Ok(url) } else { Err(ProxyUrlError) }
    }

    /// Splits a text. Without an `@` it has no user, and may be anything: earlier builds have stored what they were sent.
    pub fn split(text: &'a str) -> Result<Self, ProxyUrlError> {
        let Some((before, address)) = text.rsplit_once('@') else {
            return Ok(Self { scheme: "", user: None, password: None, address: text });
        };
        let (scheme, login) = match before.find("://") {
            Some(end) => before.split_at(end + 3),
            None => ("", before),
        };
        let is_plain = |text: &str| !text.contains(['/', '?', '#', '\\']) && !text.contains(char::is_control);
        let is_address = |host: &str| is_plain(host) && !host.contains(char::is_whitespace) && !host.is_empty();
        let name = scheme.trim_end_matches("://");
        let host = address.strip_suffix('/').unwrap_or(address);
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name || !is_plain(login) || !is_address(host) || host.len() > ADDRESS_LENGTH {
            return Err(ProxyUrlError);
        }
        let (user, password) = match login.split_once(':') {
            Some((user, password)) if !password.is_empty() => (user, Some(password)),
            _ => (login, None),
        };
        Ok(Self { scheme, user: Some(user), password, address })
    }

    /// The password, if there is one.
    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// Host and port, as they were written.
    pub fn address(&self) -> &'a str {
        self.address.strip_suffix('/').unwrap_or(self.address)
    }

    /// The URL of the proxy, without its password, as whoever connects to it reads the text: plain http, unless a scheme is
    /// given. Nothing if it is the URL of no proxy that can be used.
    pub fn location(&self) -> Option<Url> {
        let text = self.without_password();
        let url = if text.contains("://") { Url::parse(&text) } else { Url::parse(&format!("http://{text}")) };
        url.ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    }

    /// The text without the password.
    pub fn without_password(&self) -> String {
        self.join(None)
    }

    /// The text with a password in place of its own.
    pub fn with_password(&self, password: &str) -> String {
        self.join(Some(password))
    }

    /// The text as it is shown.
    pub fn masked(&self) -> String {
        self.join(self.password.map(|_| MASK))
    }

    fn join(&self, password: Option<&str>) -> String {
        let Self { scheme, user, address, .. } = self;
        match (user, password) {
            (None, _) => format!("{scheme}{address}"),
            (Some(user), None) => format!("{scheme}{user}@{address}"),
            (Some(user), Some(password)) => format!("{scheme}{user}:{password}@{address}"),
        }
    }
}

/// Whether each percent sign of a text begins an encoded byte.
fn is_percent_encoded(text: &str) -> bool {
    let is_byte = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    text.split('%').skip(1).all(is_byte)
}

impl std::fmt::Debug for ProxyUrl<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProxyUrl({:?})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_and_put_back() {
        for (text, password, without) in [
            ("http://proxy:3128", None, "http://proxy:3128"),
            ("proxy:3128", None, "proxy:3128"),
            ("http://user@proxy:3128", None, "http://user@proxy:3128"),
            ("http://user:@proxy:3128", None, "http://user:@proxy:3128"),
            ("http://user:pass@proxy:3128", Some("pass"), "http://user@proxy:3128"),
            ("HTTPS://user:pass@proxy:3128/", Some("pass"), "HTTPS://user@proxy:3128/"),
            ("user:p:a@ss@proxy", Some("p:a@ss"), "user@proxy"),
            ("http://:pass@[::1]:3128", Some("pass"), "http://@[::1]:3128"),
            ("; rm -rf /", None, "; rm -rf /"),
        ] {
            let url = ProxyUrl::split(text).unwrap();
            assert_eq!((url.password(), url.without_password().as_str()), (password, without), "{text}");
            if let Some(password) = password {
                let stored = url.without_password();
                assert_eq!(ProxyUrl::split(&stored).unwrap().with_password(password), text);
                assert!(!format!("{url:?}{}", url.masked()).contains(password), "{text}");
                assert_eq!(ProxyUrl::split(&url.masked()).unwrap().password(), Some(MASK));
            } else {
                assert_eq!((without, url.masked().as_str()), (text, text));
            }
        }
        assert_eq!(ProxyUrl::split("http://u:p@proxy:3128/").unwrap().address(), "proxy:3128");
    }

    #[test]
    fn a_proxy_is_where_a_url_leads() {
        let host = |text: &str| {
            let url = ProxyUrl::split(text).ok()?.location()?;
            Some((url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default()))
        };
        for (text, expected, port) in [
            ("http://proxy:3128", "proxy", 3128),
            ("proxy:3128", "proxy", 3128),
            ("proxy", "proxy", 80),
            ("https://proxy.example.com", "proxy.example.com", 443),
            ("http://user:pass@proxy:3128", "proxy", 3128),
            ("user:pass@proxy:3128", "proxy", 3128),
            ("0x7f.1:3128", "127.0.0.1", 3128),
            ("http://quay.io:443@127.1/", "127.0.0.1", 80),
            ("[::1]:3128", "[::1]", 3128),
            ("ht\ttp://127.0.0.1\n", "127.0.0.1", 80),
        ] {
            assert_eq!(host(text), Some((expected.to_owned(), Some(port))), "{text:?}");
        }
        for text in
            ["", "; rm -rf /", "socks5://proxy:1080", "ftp://proxy", "http://", "file:///x", "http://p:70000", "a b"]
        {
            assert_eq!(host(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_sent_is_a_location_and_nothing_else() {
        for text in [
            "http://proxy:3128",
            "HTTPS://proxy:3128/",
            "proxy",
            "proxy:3128",
            "proxy.example.com./",
            "8.8.8.8:80",
            "[2606:4700::1]:3128",
            "http://user@proxy",
            "http://user:@proxy",
            "http://:pass@proxy",
            "http://us%40er:p%2Fa%3As:s@proxy:3128",
            "user:********@proxy",
            "http://pr\u{f6}xy.example",
        ] {
            assert!(ProxyUrl::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "/",
            "http://",
            "//proxy",
            "http:///proxy",
            "http:/proxy",
            "http:proxy",
            "://proxy",
            "http://proxy/path",
            "http://proxy//",
            "proxy/path",
            "http://proxy/;x",
            "http://proxy;x",
            "proxy; rm -rf /",
            "http://proxy?query",
            "http://proxy/?query",
            "http://proxy#fragment",
            "http://proxy/#",
            "http://proxy:",
            "http://proxy:/",
            "proxy:",
            "proxy:0",
            "proxy:65536",
            "proxy:+80",
            "proxy:80:80",
            "a,b",
            "a..b",
            "pr%6fxy",
            "::1",
            "[::1",
            "[2606:4700::1]x",
            "http://@proxy",
            "@proxy",
            "http://a@b@proxy",
            "http://user:p@ss@proxy",
            "http://user:p%ss@proxy",
            "http://user:pass%@proxy",
            "http://user:pass%4@proxy",
            "http://user:pass@",
            "http://user:pass@proxy:",
            "http://user:pass@proxy/path",
            "http\\://proxy",
            "http:\\\\proxy",
            " proxy",
            "proxy ",
            "pro xy",
            "ht\ttp://proxy",
            "http://proxy\n",
            "socks5://proxy:1080",
            "http://http://proxy",
        ] {
            assert_eq!(ProxyUrl::parse(text), Err(ProxyUrlError), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "http://user:pa/ss@proxy",
            "http://user:pass@proxy/x@other",
            "http://user:pass@proxy?x",
            "http://user:pass@proxy#x",
            "http:\\\\user:pass@proxy",
            "http:/user:pass@proxy",
            "http://user:pa\tss@proxy",
            "http://user:pass@",
            "http://user:pass@proxy ",
            "a/b://user:pass@proxy",
            "http://a://user:pass@proxy",
        ] {
            assert_eq!(ProxyUrl::split(text), Err(ProxyUrlError), "{text}");
        }
    }
}
