//! How often a host is asked, whatever issuers are named of it, and whatever issuers say of where their keys are.

use std::num::NonZeroUsize;

use moorage_domain::Timestamp;
use url::Url;

use crate::turns::Turns;

/// How many documents a host is asked for in a minute: those of 30 issuers, as clouds have many at one host. Who makes up
/// issuers of a host has it asked once a second.
pub(crate) const MOST: u32 = 60;
/// How many hosts are remembered: ten times the issuers, so that an issuer that was forgotten is no new host.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// The hosts that were asked, in this environment.
pub(crate) struct Hosts(Turns);

impl Hosts {
    /// None was asked yet.
    pub(crate) fn new() -> Self {
        Self(Turns::new(MOST, CAPACITY))
    }

    /// Whether the host of a URL may be asked once more; if so, that counts.
    pub(crate) fn may_be_asked(&self, url: &Url, now: Timestamp) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
        self.0.take(host, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_so_often_in_a_minute() {
        let hosts = Hosts::new();
        let ask = |url: &str, now| hosts.may_be_asked(&Url::parse(url).unwrap(), Timestamp::from_unix(now));
        for number in 0..MOST {
            assert!(ask(&format!("https://idp.example/{number}"), 1_000));
        }
        for url in ["https://idp.example/x", "https://IDP.example:8443/", "https://idp.example./"] {
            assert!(!ask(url, 1_059), "{url}");
        }
        assert!(ask("https://other.example/", 1_059), "each host by itself");
        assert!(ask("https://idp.example/", 1_060));
        assert!(ask("https://idp.example/", 900), "a clock that was set back");
    }

    #[test]
    fn so_many_hosts_are_remembered() {
        let hosts = Hosts::new();
        for number in 0..CAPACITY.get() + 20 {
            assert!(
                hosts.may_be_asked(&Url::parse(&format!("https://{number}.example")).unwrap(), Timestamp::from_unix(1))
            );
        }
        assert_eq!(hosts.0.remembered(), CAPACITY.get());
    }
}
