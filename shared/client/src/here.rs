//! Which URLs lead to this machine.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether a URL leads to this machine: nobody else reads what goes there by plain http.
pub(crate) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}
