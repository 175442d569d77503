//! Which token server may have the credentials. A registry names any it likes; it must not name a stranger's.

use std::net::IpAddr;

use moorage_domain::TokenRealm;
use url::Url;

use crate::{address::without_user, suffix::same_domain};

/// Whether a token server may have the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may.
    May,
    /// Only if the mirror names it.
    Unnamed,
    /// Whatever is named: that would give up encryption, or lead from the network into this machine.
    Never,
}

/// The token server that a challenge of `registry` names: its address, or where it is from there. What a registry behind a
/// proxy that ends TLS says of itself, that it is spoken to by plain http, is corrected.
pub(crate) fn resolve(realm: &str, registry: &Url) -> Option<Url> {
    let mut server = without_user(registry.join(realm).ok()?);
    let is_its_host = server.host_str() == registry.host_str();
    let is_its_port = server.port().is_none_or(|port| registry.port() == Some(port) || port == 443);
    if registry.scheme() == "https" && server.scheme() == "http" && is_its_host && is_its_port {
        server.set_port(registry.port()).ok()?;
        server.set_scheme("https").ok()?;
    }
    Some(server)
}

/// Whether the token server at `realm` may have the credentials of the registry at `registry`: it is at the registry's
/// own host and port, or of the same registrable domain, or the mirror names it.
pub(crate) fn judge(registry: &Url, realm: &Url, named: &[TokenRealm]) -> Verdict {
    let (Some(own), Some(host)) = (registry.host_str(), realm.host_str()) else { return Verdict::Never };
    if registry.scheme() == "https" && realm.scheme() != "https" || is_inside(host) && !is_inside(own) {
        return Verdict::Never;
    }
    let port = realm.port_or_known_default();
    let is_own = own == host && registry.port_or_known_default() == port;
    if is_own || same_domain(own, host) || named.iter().any(|named| named.is_at(host, port)) {
        Verdict::May
    } else {
        Verdict::Unnamed
    }
}

/// Whether a host, as a URL has it, is this machine or its own network by its name alone.
pub(crate) fn is_inside(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    match host.parse() {
        Ok(address) => is_inside_address(address),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether an address is this machine's or its own network's.
pub(crate) fn is_inside_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_have_the_credentials() {
        for (registry, realm, named, may) in [
            ("https://registry-1.docker.io", "https://auth.docker.io/token", &[][..], true),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", &[], true),
            ("https://quay.io", "https://quay.io/v2/auth", &[], true),
            ("https://r.example:5000", "https://r.example:5001/t", &[], true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/t", &[], true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", &[], false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", &["127.0.0.1"], true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", &["127.0.0.1:5001"], true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", &["127.0.0.1:5002"], false),
            ("http://registry:5000", "http://registry:5001/t", &[], false),
            ("https://r.example", "https://evil.invalid/t", &[], false),
            ("https://r.example", "https://evil.invalid/t", &["evil.invalid"], true),
            ("https://r.example", "https://evil.invalid/t", &["evil.invalid:444"], false),
            ("https://a.github.io", "https://b.github.io/t", &[], false),
            ("https://r.example", "http://r.example/t", &[], false),
            ("https://r.example", "http://auth.example/t", &["auth.example"], false),
            ("https://r.example", "https://127.0.0.1/t", &["127.0.0.1"], false),
            ("https://r.example", "https://localhost/t", &["localhost"], false),
            ("https://r.example", "https://[::ffff:127.0.0.1]/t", &["::ffff:7f00:1"], false),
            ("https://r.example", "https://169.254.169.254/t", &["169.254.169.254"], false),
            ("https://r.example", "data:,x", &[], false),
        ] {
            let named: Vec<TokenRealm> = named.iter().filter_map(|named| named.parse().ok()).collect();
            let (from, to) = (registry.parse().unwrap(), realm.parse().unwrap());
            assert_eq!(judge(&from, &to, &named) == Verdict::May, may, "{registry} {realm} {named:?}");
        }
    }

    #[test]
    fn realms_are_addresses_or_relative_to_the_registry() {
        for (realm, registry, expected) in [
            ("https://auth.example/t?x=1", "https://r.example/v2/a/tags/list", Some("https://auth.example/t?x=1")),
            ("/token", "http://r.example:5000/v2/a/tags/list", Some("http://r.example:5000/token")),
            ("//auth.example/token", "https://r.example/v2/", Some("https://auth.example/token")),
            ("http://r.example/token", "https://r.example/v2/", Some("https://r.example/token")),
            ("http://r.example:5000/token", "https://r.example:5000/v2/", Some("https://r.example:5000/token")),
            ("http://r.example/token", "https://r.example:5000/v2/", Some("https://r.example:5000/token")),
            ("http://r.example:5001/token", "https://r.example:5000/v2/", Some("http://r.example:5001/token")),
            ("http://auth.example/token", "https://r.example/v2/", Some("http://auth.example/token")),
            ("https://user:secret@r.example/token", "http://r.example/v2/", Some("https://r.example/token")),
            ("https://", "https://r.example/v2/", None),
        ] {
            let found = resolve(realm, &registry.parse().unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{realm} at {registry}");
        }
    }

    #[test]
    fn what_no_setting_allows() {
        for (realm, verdict) in [
            ("https://evil.invalid/t", Verdict::Unnamed),
            ("http://r.example/t", Verdict::Never),
            ("https://127.0.0.1/t", Verdict::Never),
        ] {
            let (from, to) = ("https://r.example".parse().unwrap(), realm.parse().unwrap());
            assert_eq!(judge(&from, &to, &[]), verdict, "{realm}");
        }
    }
}
