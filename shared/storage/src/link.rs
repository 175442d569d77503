//! Links: what makes content part of a repository, and what proves that it is.
//!
//! A link says which of the repositories of its name has written it. One that says so for another than the present one
//! was left behind by a run that did not notice the end of its repository: it proves nothing, and is not served. One that
//! does not say it was written before that was recorded, or by somebody else who knows the layout.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_s3::{
    operation::{
        get_object::GetObjectError, head_object::HeadObjectError, put_object::builders::PutObjectFluentBuilder,
    },
    primitives::ByteStream,
};
use moorage_domain::{Digest, Owner, Proven, TrustDomain};

use crate::{
    Storage, StorageError,
    error::{broken_off, failed},
    key::StorageKey,
};

/// The metadata in which a link says whose it is.
const GENERATION: &str = "moorage-generation";

/// Whether a link with this metadata is a repository's, and not of an earlier one of its name.
pub(crate) fn is_of(owner: &Owner, metadata: Option<&HashMap<String, String>>) -> bool {
    let generation = metadata.and_then(|metadata| metadata.get(GENERATION));
    generation.is_none_or(|generation| *generation == owner.generation.to_string())
}

impl Storage {
    /// Proof that `heir` may have a blob, by the link of `holder`, if trust reaches from one to the other.
    pub async fn proves_blob(
        &self,
        holder: &Owner,
        heir: &Arc<Owner>,
        trust: TrustDomain,
        digest: &Digest,
    ) -> Result<Option<Proven>, StorageError> {
        let key = StorageKey::LayerLink(&holder.repository, digest);
        let proves = trust.joins(&holder.repository, &heir.repository) && self.holds(key, holder, digest).await?;
        Ok(proves.then(|| Proven::attested(heir, digest)))
    }

    /// Proof that `heir` may have a manifest, and the blobs of it if it is an image, by the link of `holder`, if trust
    /// reaches from one to the other.
    pub async fn proves_manifest(
        &self,
        holder: &Owner,
        heir: &Arc<Owner>,
        trust: TrustDomain,
        digest: &Digest,
    ) -> Result<Option<Proven>, StorageError> {
        let key = StorageKey::RevisionLink(&holder.repository, digest);
        let proves = trust.joins(&holder.repository, &heir.repository) && self.holds(key, holder, digest).await?;
        Ok(proves.then(|| Proven::attested_whole(heir, digest)))
    }

    /// Proof that a repository has a blob; its bytes may be missing.
    pub async fn links_blob(&self, owner: &Arc<Owner>, digest: &Digest) -> Result<Option<Proven>, StorageError> {
        self.proves_blob(owner, owner, TrustDomain::Namespace, digest).await
    }

    /// Proof that a repository has a manifest; its bytes may be missing.
    pub async fn links_manifest(&self, owner: &Arc<Owner>, digest: &Digest) -> Result<Option<Proven>, StorageError> {
        self.proves_manifest(owner, owner, TrustDomain::Namespace, digest).await
    }

    /// Makes a blob part of its repository; tells whether it was not.
    pub async fn link_blob(&self, blob: &Proven) -> Result<bool, StorageError> {
        self.link_once(StorageKey::LayerLink(&blob.owner().repository, blob.digest()), blob).await
    }

    /// Makes a manifest part of its repository, after everything below it; tells whether it was not.
    pub async fn link_manifest(&self, manifest: &Proven) -> Result<bool, StorageError> {
        self.link_once(StorageKey::RevisionLink(&manifest.owner().repository, manifest.digest()), manifest).await
    }

    /// Makes a blob part of its repository, looking at what is there; tells whether it was not.
    pub async fn mend_blob_link(&self, blob: &Proven) -> Result<bool, StorageError> {
        self.mend_link(StorageKey::LayerLink(&blob.owner().repository, blob.digest()), blob).await
    }

    /// Makes a manifest part of its repository, looking at what is there; tells whether it was not.
    pub async fn mend_manifest_link(&self, manifest: &Proven) -> Result<bool, StorageError> {
        self.mend_link(StorageKey::RevisionLink(&manifest.owner().repository, manifest.digest()), manifest).await
    }

    /// Makes a link hold what it should hold; tells whether it did not.
    pub(crate) async fn mend_link(&self, key: StorageKey<'_>, content: &Proven) -> Result<bool, StorageError> {
        let expected = content.digest().to_string().into_bytes();
        let get = self.client.get_object().bucket(&*self.bucket).key(self.key(key)).send().await;
        let before = match get {
            Ok(object) => {
                let length = object.content_length().and_then(|length| usize::try_from(length).ok());
                let may_be = length == Some(expected.len()) && is_of(content.owner(), object.metadata());
                let etag = object.e_tag().map(str::to_owned);
                if may_be {
                    let body = object.body.collect().await;
                    let body = body.map_err(|error| broken_off(&error))?;
                    if body.into_bytes() == expected {
                        return Ok(false);
                    }
                }
                etag
            }
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => None,
            Err(error) => return Err(failed(error)),
        };
        let put = self.put_link(key, content);
        let put = match before {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        self.guarded(put.customize()).send().await.map_err(failed)?;
        Ok(true)
    }

    /// Writes a link whose content never changes, unless it is there: a bucket with versions would keep each copy. Tells
    /// whether it was not, or was an earlier repository's.
    pub(crate) async fn link_once(&self, key: StorageKey<'_>, content: &Proven) -> Result<bool, StorageError> {
        let put = self.guarded(self.put_link(key, content).if_none_match("*").customize()).send().await;
        if self.settle(&self.key(key), put).await? {
            return Ok(true);
        }
        if self.holds(key, content.owner(), content.digest()).await? {
            return Ok(false);
        }
        self.guarded(self.put_link(key, content).customize()).send().await.map_err(failed)?;
        Ok(true)
    }

    /// A link that is still to be written.
    pub(crate) fn put_link(&self, key: StorageKey<'_>, content: &Proven) -> PutObjectFluentBuilder {
        let put = self.client.put_object().bucket(&*self.bucket).key(self.key(key));
        let put = put.metadata(GENERATION, content.owner().generation.to_string());
        put.body(ByteStream::from(content.digest().to_string().into_bytes()))
    }

    /// Whether a repository has a link, as far as can be told without reading it.
    async fn holds(&self, key: StorageKey<'_>, owner: &Owner, digest: &Digest) -> Result<bool, StorageError> {
        match self.client.head_object().bucket(&*self.bucket).key(self.key(key)).send().await {
            Ok(link) => {
                let length = link.content_length().and_then(|length| usize::try_from(length).ok());
                Ok(length == Some(digest.to_string().len()) && is_of(owner, link.metadata()))
            }
            Err(error) if matches!(error.as_service_error(), Some(HeadObjectError::NotFound(_))) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::Generation;
    use uuid::Uuid;

    use super::*;

    /// The name and the form of the metadata are in buckets: the test has them as texts.
    #[test]
    fn links_of_earlier_builds_are_still_their_repositorys() {
        let id = "0123456789abcdef0123456789abcdef";
        let generation = Generation::new(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        let owner = Owner { repository: "acme/app".parse().unwrap(), generation };
        let metadata = |id: &str| HashMap::from([("moorage-generation".to_owned(), id.to_owned())]);
        assert!(is_of(&owner, Some(&metadata(id))));
        assert!(!is_of(&owner, Some(&metadata("ffffffffffffffffffffffffffffffff"))));
        for nothing in [None, Some(HashMap::new())] {
            assert!(is_of(&owner, nothing.as_ref()), "links that were written before there were generations");
        }
    }
}
