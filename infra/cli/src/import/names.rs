//! Names of the source, and what they are here.

use std::{collections::BTreeMap, str::FromStr};

use moorage_domain::{ExternalReference, Namespace, RepositoryName, RobotName, TagName};

use crate::import::draft::Options;

/// Where images are that have no host in their names.
const DOCKER_HUB: &str = "docker.io";
/// Docker Hub's, by its other name.
const DOCKER_HUB_INDEX: &str = "index.docker.io";
/// The namespace there of images that have none.
const OFFICIAL: &str = "library";

/// Organizations that have another name here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Renames(BTreeMap<Namespace, Namespace>);

/// One of them, as `OLD=NEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rename(Namespace, Namespace);

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:.100} is not OLD=NEW, two names of organizations");
        let (old, new) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self(old.parse().map_err(|_| wrong())?, new.parse().map_err(|_| wrong())?))
    }
}

impl FromIterator<Rename> for Renames {
    fn from_iter<T: IntoIterator<Item = Rename>>(renames: T) -> Self {
        Self(renames.into_iter().map(|Rename(old, new)| (old, new)).collect())
    }
}

impl Renames {
    /// What an organization is called here.
    pub(crate) fn organization(&self, name: &Namespace) -> Namespace {
        self.0.get(name).unwrap_or(name).clone()
    }

    /// What a robot is called here.
    pub(crate) fn robot(&self, name: &RobotName) -> RobotName {
        RobotName::new(&self.organization(&name.namespace()), name.short()).unwrap_or_else(|_| name.clone())
    }

    /// What a repository is called here, which its organization's new name may make too long.
    pub(crate) fn repository(&self, namespace: &Namespace, name: &str) -> Result<RepositoryName, String> {
        let organization = self.organization(namespace);
        RepositoryName::new(organization.as_str(), name)
            .map_err(|_| format!("{organization}/{name} is no name that a repository can have here"))
    }
}

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
        "index.docker.io" | "index.docker.io/v1" | "registry-1.docker.io" | "registry.hub.docker.com"
        | "hub.docker.com" => DOCKER_HUB,
        _ => name,
    }
}

/// What a repository is here that has this path where the tool copies to: its first part is the organization.
pub(crate) fn target(path: &str, options: &Options) -> Result<RepositoryName, String> {
    let wrong = || format!("{path:.200} is no name that a repository can have here");
    let (organization, name) = match (path.split_once('/'), &options.organization) {
        (Some((organization, name)), _) => (organization.parse().map_err(|_| wrong())?, name),
        (None, Some(organization)) => (organization.clone(), path),
        (None, None) => return Err(format!("{path:.200} is in no organization: say in which, by --organization")),
    };
    options.renames.repository(&organization, name)
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

    #[test]
    fn renames_reach_everything_of_an_organization() {
        let renames: Renames = ["old=new"].iter().map(|text| text.parse::<Rename>().unwrap()).collect();
        assert_eq!(renames.robot(&"old+bot".parse().unwrap()).as_str(), "new+bot");
        assert_eq!(renames.robot(&"other+bot".parse().unwrap()).as_str(), "other+bot");
        assert_eq!(renames.repository(&"old".parse().unwrap(), "a/b").unwrap().as_str(), "new/a/b");
        for text in ["old", "old=", "=new", "Old=new", "a=b=c"] {
            assert!(text.parse::<Rename>().is_err(), "{text}");
        }
    }
}
