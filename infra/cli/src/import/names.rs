//! Images and registries, as tools name them.

use moorage_domain::{ExternalReference, TagName};

/// Where images are that have no host in their names.
const DOCKER_HUB: &str = "docker.io";
/// Docker Hub's, by its other name.
const DOCKER_HUB_INDEX: &str = "index.docker.io";
/// The namespace there of images that have none.
const OFFICIAL: &str = "library";

/// An image, as tools name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// Its repository.
    pub(crate) repository: ExternalReference,
    /// Its tag, if it has one.
    pub(crate) tag: Option<TagName>,
    /// Whether it is named by its digest.
    pub(crate) has_digest: bool,
}

impl Image {
    /// Reads `[HOST/]PATH[:TAG][@DIGEST]`: what has no host is Docker Hub's.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:.200} is no image: {why}");
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let last = name.rfind('/').map_or(0, |at| at + 1);
        let (path, tag) = match name[last..].split_once(':') {
            // What has no slash and a number behind the colon is an image all the same, as for Docker.
            Some((short, tag)) => (&name[..last + short.len()], Some(tag)),
            None => (name, None),
        };
        let tag = tag.map(|tag| tag.parse().map_err(|_| wrong("its tag is none"))).transpose()?;
        let repository = canonical(path).parse().map_err(|error| wrong(&format!("{error}")))?;
        Ok(Self { repository, tag, has_digest: digest.is_some() })
    }

    /// The path of its repository, without the host and without what nobody writes.
    pub(crate) fn path(&self) -> String {
        self.repository.repository().into_owned()
    }
}

/// The whole name of a repository.
fn canonical(path: &str) -> String {
    let (host, rest) = path.split_once('/').unwrap_or(("", path));
    let is_host = host.contains(['.', ':']) || host == "localhost" || host.bytes().any(|it| it.is_ascii_uppercase());
    let (host, rest) = if is_host { (host, rest) } else { (DOCKER_HUB, path) };
    if host != DOCKER_HUB && host != DOCKER_HUB_INDEX {
        return format!("{host}/{rest}");
    }
    if rest.contains('/') { format!("{DOCKER_HUB}/{rest}") } else { format!("{DOCKER_HUB}/{OFFICIAL}/{rest}") }
}

/// The host of a registry, as credentials are looked up by.
pub(crate) fn host(name: &str) -> &str {
    let name = name.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    match name {
        "index.docker.io"
        | "index.docker.io/v1"
        | "registry-1.docker.io"
        | "registry.hub.docker.com"
        | "hub.docker.com" => DOCKER_HUB,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_docker_reads_them() {
        for (text, repository, tag, has_digest) in [
            ("alpine", "docker.io/library/alpine", None, false),
            ("alpine:3.20", "docker.io/library/alpine", Some("3.20"), false),
            ("acme/app", "docker.io/acme/app", None, false),
            ("docker.io/acme/app:v1", "docker.io/acme/app", Some("v1"), false),
            ("index.docker.io/alpine", "docker.io/library/alpine", None, false),
            ("localhost:5000/a/b:c", "localhost:5000/a/b", Some("c"), false),
            ("quay.io/acme/app@sha256:00", "quay.io/acme/app", None, true),
            ("quay.io/acme/app:v1@sha256:00", "quay.io/acme/app", Some("v1"), true),
        ] {
            let image = Image::parse(text).unwrap();
            assert_eq!(image.repository.as_str(), repository, "{text}");
            assert_eq!(image.tag.as_ref().map(TagName::as_str), tag, "{text}");
            assert_eq!(image.has_digest, has_digest, "{text}");
        }
        for text in ["", "quay.io/", "ocidir:///x", "quay.io/a:b c", "https://quay.io/a", "quay.io/Acme"] {
            assert!(Image::parse(text).is_err(), "{text}");
        }
    }
}
