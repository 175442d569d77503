//! The repositories that our releases know.

use moorage_domain::signature_policy::TrustRootId;

use super::{anchor::Anchor, error::Defect};

/// A repository by which an instance of Sigstore distributes its trusted root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repository {
    /// What the paths of its files come after, with a slash between.
    pub url: &'static str,
    /// A `root.json` that it has published.
    root: &'static str,
}

impl Repository {
    /// Sigstore's public one, from its root 16 on.
    pub const PUBLIC: Self = Self { url: "https://tuf-repo-cdn.sigstore.dev", root: include_str!("public.root.json") };
    /// GitHub's, from its root 9 on.
    pub const GITHUB: Self = Self { url: "https://tuf-repo.github.com", root: include_str!("github.root.json") };

    /// The one of that name; nothing if our releases know none, and an operator has to.
    pub const fn of(id: &TrustRootId) -> Option<Self> {
        match id {
            TrustRootId::Public => Some(Self::PUBLIC),
            TrustRootId::Github => Some(Self::GITHUB),
            TrustRootId::Other(_) => None,
        }
    }

    /// Where the first refresh starts from.
    pub fn anchor(self) -> Result<Anchor, Defect> {
        Anchor::new(self.root.as_bytes())
    }
}
