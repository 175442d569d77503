//! Which token server may have the credentials. A registry names any it likes; it must not name a stranger's.

use std::net::IpAddr;

use moorage_domain::TokenRealm;
use url::Url;

use crate::suffix::same_domain;

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
