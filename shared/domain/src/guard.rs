//! The guard against server-side request forgery: which hosts a user-supplied name may lead to.
//!
//! Pure: it judges names and addresses. Whoever connects asks it for every address that a name resolves to, and
//! connects to exactly what was judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use url::Host;

/// Names that lead into a cluster or a cloud's metadata service, whatever they resolve to. They are Quay's, and refused
/// as a whole: a public name may begin with any of them.
const PRIVATE_NAMES: [&str; 3] = ["metadata", "kubernetes", "kubernetes.default"];
/// Domains that only this machine and private networks resolve: Quay's, RFC 6761's, RFC 8375's and a cluster's.
const PRIVATE_DOMAINS: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "svc"];

/// The bits before an IPv4 address that is mapped into IPv6.
const V4_MAPPED: u8 = 96;

/// Public addresses and whatever the stack allows besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    names: Vec<Box<str>>,
    networks: Vec<Ipv6Net>,
}

/// An entry of the allow-list that is neither a host name nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a host name, an address nor a network in CIDR notation")]
pub struct GuardError(String);

impl Guard {
    /// With an allow-list: host names, addresses and CIDR networks, separated by commas.
    pub fn new(allowed: &str) -> Result<Self, GuardError> {
        let mut guard = Self::default();
        for entry in allowed.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            if let Some(network) = network(entry) {
                guard.networks.push(network);
                continue;
            }
            match Host::parse(entry) {
                Ok(Host::Domain(name)) => guard.names.push(bare(&name).into()),
                Ok(Host::Ipv4(address)) => guard.networks.push(mapped(address.into()).into()),
                Ok(Host::Ipv6(address)) => guard.networks.push(address.into()),
                Err(_) => return Err(GuardError(entry.to_owned())),
            }
        }
        Ok(guard)
    }

    /// Whether a host may be spoken to: a name, or an address with or without the brackets of IPv6. It is read as whoever
    /// connects reads it, by the URL standard, where `0x7f.1` and `2130706433` are addresses too; what no URL can have as
    /// its host leads nowhere, and may not. The addresses of a name are still to be judged.
    pub fn allows_host(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<Ipv6Addr>() {
            return self.allows_address(address.into());
        }
        Host::parse(host).is_ok_and(|host| self.allows(&host))
    }

    /// As [`Self::allows_host`], of a host that was read already.
    pub fn allows<S: AsRef<str>>(&self, host: &Host<S>) -> bool {
        let name = match host {
            Host::Ipv4(address) => return self.allows_address((*address).into()),
            Host::Ipv6(address) => return self.allows_address((*address).into()),
            Host::Domain(name) => bare(name.as_ref()),
        };
        let is_within =
            |domain: &&str| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let is_private = PRIVATE_NAMES.contains(&name.as_str()) || PRIVATE_DOMAINS.iter().any(is_within);
        self.lists(&name) || !is_private
    }

    /// Whether `address`, to which `name` resolved, may be connected to.
    pub fn allows_resolved(&self, name: &str, address: IpAddr) -> bool {
        self.lists(&bare(name)) || self.allows_address(address)
    }

    /// Whether an address is public, or allowed by the list.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&mapped(address))) || is_public(address)
    }

    /// Whether the list names a host, be it public or not: what is said to it may be readable on the way.
    pub fn lists_host<S: AsRef<str>>(&self, host: &Host<S>) -> bool {
        let address = match host {
            Host::Domain(name) => return self.lists(&bare(name.as_ref())),
            Host::Ipv4(address) => IpAddr::from(*address),
            Host::Ipv6(address) => IpAddr::from(*address),
        };
        self.networks.iter().any(|network| network.contains(&mapped(address)))
    }

    fn lists(&self, name: &str) -> bool {
        self.names.iter().any(|listed| **listed == *name)
    }
}

/// A name without the dot of the root, in lower case.
fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// A network, or one address, as IPv6 has it.
fn network(text: &str) -> Option<Ipv6Net> {
    match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()? {
        IpNet::V4(network) => Ipv6Net::new(network.addr().to_ipv6_mapped(), V4_MAPPED + network.prefix_len()).ok(),
        IpNet::V6(network) => Some(network),
    }
}

/// An address as IPv6 has it: those of IPv4 are mapped ones (RFC 4291, 2.5.5.2).
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Global unicast, by IANA's special-purpose registries for IPv4 and IPv6.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0 // "this network"
        || a >= 224 // multicast, reserved, broadcast
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (18..20).contains(&b))) // benchmarking
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(address) = address.to_ipv4_mapped() {
        return is_public_v4(address);
    }
    let segments = address.segments();
    // Only 2000::/3 is global unicast. That leaves out loopback, unspecified, unique local, link-local, site-local,
    // multicast, IPv4-compatible addresses and NAT64's 64:ff9b::/96.
    segments[0] & 0xe000 == 0x2000
        && segments[0] != 0x2002 // 6to4, which embeds an IPv4 address
        && !(segments[0] == 0x2001 && segments[1] < 0x200) // protocol assignments, Teredo among them
        && !(segments[0] == 0x2001 && segments[1] == 0xdb8) // documentation
        && segments[0] != 0x3fff // documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses() {
        let guard = Guard::default();
        for address in ["8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8"] {
            assert!(guard.allows_address(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!guard.allows_address(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn private_names() {
        let guard = Guard::default();
        for host in [
            "quay.io",
            "registry.example.com",
            "8.8.8.8",
            "mylocalhost.com",
            "metadatahub.io",
            "localhost.example.com",
            "kubernetes.example.com",
            "metadata.example.com",
            "kubernetes.default.example.com",
            "mylocalhost",
            "e164.arpa",
            "myhome.arpa",
        ] {
            assert!(guard.allows_host(host), "{host}");
        }
        for host in [
            "localhost",
            "LOCALHOST",
            "a.localhost",
            "metadata.google.internal",
            "metadata",
            "kubernetes",
            "Kubernetes.Default.",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "foo.home.arpa",
            "home.arpa",
            "x.local",
            "x.local.",
            "127.0.0.1",
            "[::1]",
            "169.254.169.254",
        ] {
            assert!(!guard.allows_host(host), "{host}");
        }
    }

    #[test]
    fn an_address_is_one_in_every_notation() {
        let guard = Guard::default();
        for host in [
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "0x7f.0.0.0x1",
            "127.0.0.1.",
            "017700000001",
            "0",
            "0x0",
            "169.254.43518",
            "0xa9fea9fe",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "%31%32%37.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:0:0:1]",
            "::ffff:10.0.0.1",
            "\u{2113}ocalhost",
            "LOCALHOST..",
        ] {
            assert!(!guard.allows_host(host), "{host}");
        }
        for host in ["134744072", "0x08.8.8.8", "010.8.8.8", "8.8.8.8.", "[::ffff:8.8.8.8]", "2606:4700::1"] {
            assert!(guard.allows_host(host), "{host}");
        }
        for host in
            ["", "1.2.3.256", "127.0.0.1.5", "0x7g.1", "[fe80::1%25eth0]", "[::1", "::1]", "a b", "a/b", "a@b", "a:1"]
        {
            assert!(!guard.allows_host(host), "no URL has the host {host}");
        }
        let loopback = Guard::new("0x7f.1").unwrap();
        assert!(loopback.allows_host("127.0.0.1") && !loopback.allows_host("127.0.0.2"));
        assert!(Guard::new("[::1]").unwrap().allows_host("::1"));
    }

    #[test]
    fn the_list_allows_names_and_networks() {
        let guard = Guard::new("localhost, 127.0.0.0/8,::1 ,registry.internal,10.1.2.3").unwrap();
        for host in ["localhost", "127.9.9.9", "[::1]", "registry.internal", "10.1.2.3"] {
            assert!(guard.allows_host(host), "{host}");
        }
        for host in ["10.1.2.4", "other.internal", "128.0.0.1.local", "::2"] {
            assert!(!guard.allows_host(host), "{host}");
        }
        for (host, is_listed) in
            [("localhost", true), ("127.0.0.1", true), ("[::1]", true), ("10.1.2.4", false), ("quay.io", false)]
        {
            assert_eq!(guard.lists_host(&Host::parse(host).unwrap()), is_listed, "{host}");
        }
        let private = "10.9.9.9".parse().unwrap();
        assert!(guard.allows_resolved("registry.internal", private), "a listed name may resolve to anything");
        assert!(!guard.allows_resolved("quay.io", private), "DNS must not lead inside");
        for entry in ["10.0.0.0/33", "::1/129", "1.2.3.4/x", "http://a", "1.2.3.256", "a b"] {
            assert!(Guard::new(entry).is_err(), "{entry}");
        }
        assert!(Guard::new("0.0.0.0/0,::/0").unwrap().allows_host("10.0.0.1"));
    }
}
