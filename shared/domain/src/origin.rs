//! The one name that a repository of an external registry has, however it is written: what its mirrors are found by.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use crate::{
    ExternalReference,
    reference::{DOCKER_HUB, DOCKER_HUB_OFFICIAL, DOCKER_HUB_REGISTRY, ReferenceError, split_port},
};

/// The port that nobody writes.
const HTTPS: u16 = 443;

/// `registry/path`, in one spelling: host names are lower case, IPv6 addresses short, port 443 is left out, and Docker Hub
/// is `registry-1.docker.io`, where what has no namespace is in `library`.
///
/// Two references have one origin if a client could mean the same repository by them. At most as long as an
/// [`ExternalReference`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(Box<str>);

impl Origin {
    /// The repository that a reference names.
    pub fn of(reference: &ExternalReference) -> Self {
        let (registry, path) = (registry(reference.authority()), reference.path());
        if registry != DOCKER_HUB_REGISTRY || path.contains('/') {
            return Self(format!("{registry}/{path}").into());
        }
        Self(format!("{registry}/{DOCKER_HUB_OFFICIAL}/{path}").into())
    }

    /// It as clients write it: Docker Hub is `docker.io` to them.
    pub fn reference(&self) -> String {
        let hub = self.0.strip_prefix(DOCKER_HUB_REGISTRY).filter(|path| path.starts_with('/'));
        hub.map_or_else(|| self.to_string(), |path| format!("{}{path}", DOCKER_HUB[0]))
    }

    /// The repository of which a client says `host` and path apart, as `ns` and in a URL; nothing if there can be none.
    pub fn asked(host: &str, path: &str) -> Option<Self> {
        // A slash would make a part of the path of what is said of the host.
        if host.contains('/') {
            return None;
        }
        format!("{host}/{path}").parse().ok()
    }
}

/// Host and port in one spelling.
fn registry(authority: &str) -> String {
    let (host, port) = split_port(authority);
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::parse::<Ipv6Addr>);
    let host = match address {
        Some(Ok(address)) => format!("[{address}]"),
        _ => host.to_ascii_lowercase(),
    };
    let registry = match port.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != HTTPS) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    };
    if DOCKER_HUB.contains(&registry.as_str()) { DOCKER_HUB_REGISTRY.to_owned() } else { registry }
}

impl FromStr for Origin {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        text.parse().map(|reference| Self::of(&reference))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_are_one_origin() {
        for (spellings, origin) in [
            (
                &[
                    "docker.io/nginx",
                    "docker.io/library/nginx",
                    "index.docker.io/nginx",
                    "registry-1.docker.io/library/nginx",
                    "registry-1.docker.io/nginx",
                    "Docker.IO:443/nginx",
                ][..],
                "registry-1.docker.io/library/nginx",
            ),
            (&["docker.io/acme/app", "registry-1.docker.io/acme/app"], "registry-1.docker.io/acme/app"),
            (&["quay.io/app", "QUAY.io:443/app", "quay.io:0443/app"], "quay.io/app"),
            (&["quay.io:8443/app", "quay.IO:08443/app"], "quay.io:8443/app"),
            (&["localhost:5000/a/b"], "localhost:5000/a/b"),
            (&["docker.io:5000/nginx"], "docker.io:5000/nginx"),
            (&["[0:0::1]:5000/a", "[::1]:5000/a"], "[::1]:5000/a"),
        ] {
            for spelling in spellings {
                assert_eq!(spelling.parse::<Origin>().unwrap().to_string(), origin, "{spelling}");
                let (host, path) = spelling.split_once('/').unwrap();
                assert_eq!(Origin::asked(host, path).unwrap().to_string(), origin, "{spelling}");
            }
            assert_eq!(origin.parse::<Origin>().unwrap().to_string(), origin, "it is its own spelling");
        }
    }

    #[test]
    fn clients_have_a_name_of_their_own_for_docker_hub() {
        for (text, reference) in [
            ("registry-1.docker.io/nginx", "docker.io/library/nginx"),
            ("docker.io/acme/app", "docker.io/acme/app"),
            ("registry-1.docker.io:5000/app", "registry-1.docker.io:5000/app"),
            ("quay.io/app", "quay.io/app"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().reference(), reference, "{text}");
        }
    }

    #[test]
    fn what_a_client_says_may_be_anything() {
        let long = "x".repeat(300);
        for (host, path) in [
            ("", "library/nginx"),
            ("docker.io/library", "nginx"),
            ("https://docker.io", "nginx"),
            ("docker.io?x", "nginx"),
            ("docker io", "nginx"),
            ("user@docker.io", "nginx"),
            ("docker.io:0", "nginx"),
            ("docker.io\n", "nginx"),
            ("\u{e9}.io", "nginx"),
            (&long, "nginx"),
            ("docker.io", ""),
            ("docker.io", "Nginx"),
            ("docker.io", "../nginx"),
            ("docker.io", &long),
        ] {
            assert_eq!(Origin::asked(host, path), None, "{host} {path}");
        }
    }
}
