//! Possession: which repository may have which content. The bucket holds everybody's, so a digest alone opens nothing.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{Algorithm, Digest, Generation, Hasher, RepositoryName};

/// A repository as one of those that bore its name, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Its name.
    pub repository: RepositoryName,
    /// Which of those that bore it.
    pub generation: Generation,
}

/// How far proof reaches: whose possession of some content lets a repository have it, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TrustDomain {
    /// That of the repositories of the same namespace.
    #[default]
    Namespace,
    /// That of all repositories of the bucket: for deployments with a single tenant.
    Bucket,
}

/// A text that names no trust domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trust domain is namespace or bucket")]
pub struct UnknownTrustDomain;

impl FromStr for TrustDomain {
    type Err = UnknownTrustDomain;

    fn from_str(text: &str) -> Result<Self, UnknownTrustDomain> {
        match text {
            "namespace" => Ok(Self::Namespace),
            "bucket" => Ok(Self::Bucket),
            _ => Err(UnknownTrustDomain),
        }
    }
}

impl TrustDomain {
    /// Whether what `holder` has may be given to `heir`.
    pub fn joins(self, holder: &RepositoryName, heir: &RepositoryName) -> bool {
        self == Self::Bucket || holder.namespace() == heir.namespace()
    }

    /// The name of the domain that a repository is in. No namespace is called `*`.
    pub fn of(self, repository: &RepositoryName) -> String {
        match self {
            Self::Namespace => repository.namespace().to_string(),
            Self::Bucket => "*".to_owned(),
        }
    }
}

/// That a repository may have the content of a digest. It is made from nothing but the content itself, or from a link or
/// record that is only ever written for whom it was proven; the bucket's content is neither read nor linked without it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proven {
    owner: Arc<Owner>,
    digest: Digest,
    is_whole: bool,
}

impl Proven {
    /// By the bytes themselves, if they have the digest.
    pub fn of(owner: &Arc<Owner>, digest: &Digest, bytes: &[u8]) -> Option<Self> {
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(bytes);
        Self::hashed(owner, digest, hasher)
    }

    /// By a hasher that has seen all of the bytes, if they have the digest.
    pub fn hashed(owner: &Arc<Owner>, digest: &Digest, hasher: Hasher) -> Option<Self> {
        let is_it = hasher.finish() == *digest;
        is_it.then(|| Self { owner: Arc::clone(owner), digest: digest.clone(), is_whole: false })
    }

    /// By a link or record. Only those who have just read one may say so: `.ci/guards` sees to it.
    pub fn attested(owner: &Arc<Owner>, digest: &Digest) -> Self {
        Self { owner: Arc::clone(owner), digest: digest.clone(), is_whole: false }
    }

    /// By the link of a manifest, or the record of a tag: it is written after everything below, so it proves that, too.
    pub fn attested_whole(owner: &Arc<Owner>, digest: &Digest) -> Self {
        Self { is_whole: true, ..Self::attested(owner, digest) }
    }

    /// A blob of an image whose own link proves it: whoever has that link was proven to have the blob. Nothing where only
    /// the manifest's bytes are known.
    pub fn part(&self, blob: &Digest) -> Option<Self> {
        self.is_whole.then(|| Self { digest: blob.clone(), is_whole: false, ..self.clone() })
    }

    /// Whose it may be.
    pub fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// What may be had.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The algorithm of its digest.
    pub fn algorithm(&self) -> Algorithm {
        self.digest.algorithm()
    }
}

impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.digest, self.owner.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(repository: &str) -> Arc<Owner> {
        Arc::new(Owner { repository: repository.parse().unwrap(), generation: Generation::default() })
    }

    #[test]
    fn only_the_bytes_prove_a_digest() {
        let (owner, digest) = (owner("a/b"), Digest::sha256(b"content"));
        assert_eq!(Proven::of(&owner, &digest, b"content").map(|it| it.digest().clone()), Some(digest.clone()));
        assert_eq!(Proven::of(&owner, &digest, b"conten"), None);
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(b"con");
        assert_eq!(Proven::hashed(&owner, &digest, hasher.clone()), None);
        hasher.update(b"tent");
        assert!(Proven::hashed(&owner, &digest, hasher).is_some());
    }

    #[test]
    fn a_linked_manifest_proves_its_parts_and_a_received_one_does_not() {
        let (owner, digest) = (owner("a/b"), Digest::sha256(b"manifest"));
        let received = Proven::of(&owner, &digest, b"manifest").unwrap();
        assert_eq!(received.part(&Digest::sha256(b"blob")), None);
        let part = Proven::attested_whole(&owner, &digest).part(&Digest::sha256(b"blob")).unwrap();
        assert_eq!((part.digest(), part.part(&digest)), (&Digest::sha256(b"blob"), None), "no further");
    }

    #[test]
    fn trust_ends_at_the_namespace_unless_it_is_widened() {
        let [one, two, other] = ["a/b", "a/c", "x/b"].map(|name| name.parse::<RepositoryName>().unwrap());
        let (narrow, wide) = (TrustDomain::Namespace, TrustDomain::Bucket);
        assert!(narrow.joins(&one, &two) && !narrow.joins(&one, &other) && wide.joins(&one, &other));
        assert_eq!((narrow.of(&one), wide.of(&one)), ("a".to_owned(), "*".to_owned()));
        assert_eq!(("namespace".parse(), "bucket".parse()), (Ok(narrow), Ok(wide)));
        assert_eq!("Bucket".parse::<TrustDomain>(), Err(UnknownTrustDomain));
    }
}
