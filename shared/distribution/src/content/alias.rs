//! A bucket on the same machine, as a local stack has it. Some clients follow no redirect from a host name to an address,
//! because that is how servers are made to ask their own network; so the machine goes by the name that the client called.

use std::net::IpAddr;

use moorage_storage::Storage;
use url::{Host, Url};

/// How a URL may call the machine itself.
const NAME: &str = "localhost";
const ADDRESS: &str = "127.0.0.1";

/// A bucket of this machine, by the machine's other name.
pub struct Alias {
    endpoint: Url,
    pub(crate) storage: Storage,
}

impl Alias {
    /// The bucket behind an endpoint by the machine's other name, as `storage` makes it of a URL; nothing if the endpoint is
    /// not on the machine itself.
    pub fn of(endpoint: &str, storage: impl FnOnce(&str) -> Storage) -> Option<Self> {
        let endpoint = other_name(endpoint)?;
        Some(Self { storage: storage(endpoint.as_str()), endpoint })
    }

    /// Whether a client that called `host` calls the machine so: by a name, or by an address.
    pub(crate) fn is_called(&self, host: &str) -> bool {
        is_called(&self.endpoint, host)
    }
}

/// An endpoint by the machine's other name, if it is on the machine itself.
fn other_name(endpoint: &str) -> Option<Url> {
    let mut url: Url = endpoint.parse().ok()?;
    let other = match url.host()? {
        Host::Domain(NAME) => ADDRESS,
        host if is_loopback(&host) => NAME,
        _ => return None,
    };
    url.set_host(Some(other)).ok()?;
    Some(url)
}

fn is_called(endpoint: &Url, host: &str) -> bool {
    let is_name = |url: &Url| url.host().map(|host| matches!(host, Host::Domain(_)));
    let host: Option<Url> = format!("http://{host}").parse().ok();
    host.is_some_and(|host| is_name(&host).is_some() && is_name(&host) == is_name(endpoint))
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
        Host::Domain(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_has_another_name() {
        for (endpoint, other) in [
            ("http://127.0.0.1:4566", Some("http://localhost:4566/")),
            ("http://localhost:4566", Some("http://127.0.0.1:4566/")),
            ("http://[::1]:4566", Some("http://localhost:4566/")),
            ("http://10.0.0.1:9000", None),
            ("https://s3.eu-central-1.amazonaws.com", None),
            ("nothing", None),
        ] {
            assert_eq!(other_name(endpoint).as_ref().map(Url::as_str), other, "{endpoint}");
        }
    }

    #[test]
    fn names_are_for_names_and_addresses_for_addresses() {
        for (endpoint, host, is_it) in [
            ("http://localhost:4566", "localhost:8080", true),
            ("http://localhost:4566", "registry.example", true),
            ("http://localhost:4566", "127.0.0.1:8080", false),
            ("http://127.0.0.1:4566", "127.0.0.1:8080", true),
            ("http://127.0.0.1:4566", "[::1]:8080", true),
            ("http://127.0.0.1:4566", "localhost", false),
            ("http://127.0.0.1:4566", "", false),
            ("http://127.0.0.1:4566", "a b", false),
        ] {
            assert_eq!(is_called(&endpoint.parse().unwrap(), host), is_it, "{endpoint} {host}");
        }
    }
}
