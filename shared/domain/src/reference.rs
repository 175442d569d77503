//! Where a mirror copies from: a repository of an external registry.

use std::{borrow::Cow, fmt, net::Ipv6Addr, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest host name (RFC 1035, 2.3.4).
const HOST_LENGTH: usize = 253;
/// The longest label of a host name (RFC 1035, 2.3.4).
const LABEL_LENGTH: usize = 63;
/// The longest repository path that registries take (distribution's limit for a whole name).
const PATH_LENGTH: usize = 255;

/// The names under which Docker Hub's images are known.
pub(crate) const DOCKER_HUB: [&str; 2] = ["docker.io", "index.docker.io"];
/// Where Docker Hub's registry is.
pub(crate) const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";
/// The namespace of its official images.
pub(crate) const DOCKER_HUB_OFFICIAL: &str = "library";

/// `host[:port]/path`, no scheme, no tag; for example `quay.io/redhat/quay`.
///
/// The text is kept as it was given, because the API echoes it; host, port and path are checked parts of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalReference {
    text: Box<str>,
    /// Where the path begins in `text`.
    path: usize,
}

/// Why a text is not an [`ExternalReference`]; the messages are the API's answers (Quay's wording where it has one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing, or only white space.
    #[error("External registry reference is required")]
    Empty,
    /// White space anywhere.
    #[error("External registry reference must not contain whitespace")]
    Whitespace,
    /// `https://…`.
    #[error("External registry reference must not include a URL scheme")]
    Scheme,
    /// One of `? # \ % @`.
    #[error("External registry reference contains an invalid character")]
    Characters,
    /// Only a host.
    #[error("External registry reference must include a repository path")]
    Path,
    /// The path is not one of the distribution-spec's names.
    #[error("External registry reference has an invalid repository path")]
    PathForm,
    /// A port outside 1 to 65535.
    #[error("External registry reference contains an invalid registry port")]
    Port,
    /// Neither a host name nor an IP address.
    #[error("External registry reference must include a valid registry hostname")]
    Host,
}

impl ExternalReference {
    /// Host with its port, as written.
    pub fn authority(&self) -> &str {
        &self.text[..self.path - 1]
    }

    /// Host and port that speak the registry's protocol: what credentials and limits belong to. Docker Hub is known by
    /// other names than its registry's.
    pub fn registry(&self) -> &str {
        if self.is_docker_hub() { DOCKER_HUB_REGISTRY } else { self.authority() }
    }

    /// The repository's name there: Docker Hub's official images are in a namespace that nobody writes.
    pub fn repository(&self) -> Cow<'_, str> {
        if self.is_docker_hub() && !self.path().contains('/') {
            return Cow::Owned(format!("{DOCKER_HUB_OFFICIAL}/{}", self.path()));
        }
        Cow::Borrowed(self.path())
    }

    fn is_docker_hub(&self) -> bool {
        DOCKER_HUB.iter().any(|name| self.authority().eq_ignore_ascii_case(name))
    }

    /// Host without port and without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        let (host, _) = split_port(self.authority());
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The repository's path, as written.
    pub fn path(&self) -> &str {
        &self.text[self.path..]
    }

    /// The whole text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ExternalReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.trim().is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.contains(char::is_whitespace) {
            return Err(ReferenceError::Whitespace);
        }
        if text.contains("://") {
            return Err(ReferenceError::Scheme);
        }
        if text.contains(['?', '#', '\\', '%', '@']) {
            return Err(ReferenceError::Characters);
        }
        let (authority, path) = text.split_once('/').ok_or(ReferenceError::Path)?;
        if path.is_empty() {
            return Err(ReferenceError::Path);
        }
        if path.len() > PATH_LENGTH || !path.split('/').all(is_path_component) {
            return Err(ReferenceError::PathForm);
        }
        let (host, port) = split_port(authority);
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err(ReferenceError::Port);
        }
        if !is_host(host) {
            return Err(ReferenceError::Host);
        }
        Ok(Self { text: text.into(), path: authority.len() + 1 })
    }
}

impl TryFrom<String> for ExternalReference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<ExternalReference> for String {
    fn from(reference: ExternalReference) -> Self {
        reference.text.into()
    }
}

impl fmt::Display for ExternalReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Splits `host:port`, leaving the colons of a bracketed IPv6 address alone.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// distribution-spec v1.1.1: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric)
        && separators
            .into_iter()
            .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

pub(crate) fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        (1..=LABEL_LENGTH).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= HOST_LENGTH && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_host_and_path() {
        for (text, authority, host, path) in [
            ("quay.io/redhat/quay", "quay.io", "quay.io", "redhat/quay"),
            ("localhost:5000/a", "localhost:5000", "localhost", "a"),
            ("127.0.0.1:5000/a/b__c", "127.0.0.1:5000", "127.0.0.1", "a/b__c"),
            ("[::1]:5000/a", "[::1]:5000", "::1", "a"),
            ("[::1]/a", "[::1]", "::1", "a"),
        ] {
            let reference: ExternalReference = text.parse().unwrap();
            assert_eq!((reference.authority(), reference.host(), reference.path()), (authority, host, path));
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn docker_hub_has_many_names() {
        for (text, registry, repository) in [
            ("docker.io/nginx", "registry-1.docker.io", "library/nginx"),
            ("index.docker.io/library/nginx", "registry-1.docker.io", "library/nginx"),
            ("docker.io/acme/app", "registry-1.docker.io", "acme/app"),
            ("registry-1.docker.io/acme/app", "registry-1.docker.io", "acme/app"),
            ("quay.io/app", "quay.io", "app"),
        ] {
            let reference: ExternalReference = text.parse().unwrap();
            assert_eq!((reference.registry(), &*reference.repository()), (registry, repository), "{text}");
            assert_eq!(reference.to_string(), text, "it is echoed as it was given");
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        use ReferenceError as E;
        for (text, error) in [
            ("", E::Empty),
            (" \n", E::Empty),
            ("quay.io/a b", E::Whitespace),
            ("quay.io/a\n", E::Whitespace),
            ("https://quay.io/a", E::Scheme),
            ("quay.io/a?x", E::Characters),
            ("quay.io/a%2fb", E::Characters),
            ("user@quay.io/a", E::Characters),
            ("quay.io/a@sha256:00", E::Characters),
            ("example.com", E::Path),
            ("example.com/", E::Path),
            ("quay.io/A", E::PathForm),
            ("quay.io/a:tag", E::PathForm),
            ("quay.io/a//b", E::PathForm),
            ("quay.io/../a", E::PathForm),
            ("quay.io/a;rm", E::PathForm),
            ("quay.io:0/a", E::Port),
            ("quay.io:65536/a", E::Port),
            ("quay.io:/a", E::Port),
            ("-quay.io/a", E::Host),
            ("quay..io/a", E::Host),
            ("/a", E::Host),
            ("[::g]/a", E::Host),
        ] {
            assert_eq!(text.parse::<ExternalReference>(), Err(error), "{text}");
        }
    }
}
