//! How often one address may have something exchanged at the provider: whoever makes codes up uses up that, and not what all may.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroUsize,
};

use moorage_domain::Timestamp;
use moorage_identity::Turns;

/// How many codes and refresh tokens are exchanged for one address in a minute: people behind one address, as an office has it,
/// who come to work at the same minute. It is half of what is exchanged for all.
pub(crate) const MOST: u32 = 15;
/// How many addresses are remembered. To be forgotten, one has to come from a thousand others, whom the limit of all holds back.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// The addresses that have had something exchanged, in this environment.
pub(crate) struct Sources(Turns);

impl Default for Sources {
    fn default() -> Self {
        Self(Turns::new(MOST, CAPACITY))
    }
}

impl Sources {
    /// Whether one more may be done for an address; if so, that counts. Calls of which no address is known are of one.
    pub(crate) fn take(&self, ip: Option<&str>, now: Timestamp) -> bool {
        self.0.take(ip.map(counted).unwrap_or_default(), now)
    }
}

/// What an address counts as: one of IPv6 as its network, because whoever has one has all of that.
fn counted(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => Ipv6Addr::from(u128::from(ip) & (u128::MAX << 64)).to_string(),
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own() {
        let (sources, now) = (Sources::default(), Timestamp::from_unix(1_000));
        for _ in 0..MOST {
            assert!(sources.take(Some("192.0.2.1"), now));
        }
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert!(!sources.take(Some(same), now), "{same}");
        }
        for other in [Some("192.0.2.2"), Some("2001:db8::1"), None] {
            assert!(sources.take(other, now), "{other:?}");
        }
        assert!(sources.take(Some("192.0.2.1"), Timestamp::from_unix(1_060)));
    }

    #[test]
    fn a_network_is_one_address() {
        assert_eq!(counted("2001:db8:0:1:2::3"), counted("2001:db8:0:1::"));
        assert_ne!(counted("2001:db8:0:1::"), counted("2001:db8:0:2::"));
        assert_eq!(counted("no address"), "");
    }
}
