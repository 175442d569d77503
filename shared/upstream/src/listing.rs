//! Listings that say what tags point to, each kind of registry in its own way. Such a word never moves anything: it only
//! saves asking for a tag that is said to point to what we hold. Any doubt, and the tag is asked for as ever.

pub(crate) mod digests;
pub(crate) mod docker_hub;
pub(crate) mod gathered;
pub(crate) mod harbor;
pub(crate) mod lister;
pub(crate) mod manifests;
pub(crate) mod page;
pub(crate) mod quay;

use moorage_domain::{Digest, TagName};

use self::digests::Digests;

/// The largest page that all registries' APIs have.
pub(crate) const PAGE_SIZE: u64 = 100;

/// The listing is not understood, or does not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Doubt;

/// What a registry's listing said of its tags.
#[derive(Debug, Default)]
pub struct Said(Option<Digests>);

impl Said {
    /// Whether it said that a tag points to this digest.
    pub fn that(&self, tag: &TagName, digest: &Digest) -> bool {
        self.0.as_ref().is_some_and(|digests| digests.say(tag, digest))
    }

    /// Whether it said anything.
    pub fn anything(&self) -> bool {
        self.0.is_some()
    }
}
