//! One blob: it becomes part of the repository, once per run, whoever asks for it.

use moorage_domain::manifest::Descriptor;
use moorage_storage::{Present, Storage};

use crate::{
    error::WorkError,
    transfer::{
        blobs::{Blobs, wrong_size},
        possession::Proof,
    },
};

impl Blobs {
    /// Makes a blob part of the repository, and sees to it that the bucket has it. Without proof that the repository may
    /// have it nobody looks whether the bucket does: its registry has to send it. Tells whether anything was missing.
    pub(crate) async fn ensure(&self, blob: &Descriptor, proof: Option<&Proof>) -> Result<bool, WorkError> {
        match self.flow.copied.get(&blob.digest, |_| true, || self.copy_first(blob, proof)).await {
            (size, copied) if size == blob.size => copied,
            // It is there, so that was its length.
            (size, Ok(_)) => Err(wrong_size(&blob.digest, blob.size, size)),
            // What another manifest said of it fails that one alone.
            (_, Err(_)) => Box::pin(self.copy(blob, proof)).await,
        }
    }

    async fn copy_first(&self, blob: &Descriptor, proof: Option<&Proof>) -> (u64, Result<bool, WorkError>) {
        (blob.size, self.copy(blob, proof).await)
    }

    /// As [`Self::ensure`], also if it has failed before.
    pub(crate) async fn copy(&self, blob: &Descriptor, proof: Option<&Proof>) -> Result<bool, WorkError> {
        self.progress.want(blob.size);
        let _place = self.flow.places.acquire().await;
        let (missing, is_mended) = match proof {
            None => (Some(Present::Keep), false),
            Some(proof) => {
                let is_mended = self.link(proof).await?;
                (self.lacks(blob, proof).await?, is_mended)
            }
        };
        match missing {
            // Boxed: what streams a blob is large, and most blobs of most runs are there already.
            Some(present) if Storage::is_large(blob.size) => {
                Box::pin(self.upload(blob, present, proof.is_some())).await?;
            }
            Some(present) => Box::pin(self.put(blob, present, proof.is_some())).await?,
            None => self.progress.done(blob.size),
        }
        Ok(missing.is_some() || is_mended)
    }

    /// What is to be done about a blob that is linked and protected; nothing if the bucket has it.
    async fn lacks(&self, blob: &Descriptor, proof: &Proof) -> Result<Option<Present>, WorkError> {
        Ok(match self.storage.blob_size(&proof.proven).await? {
            Some(size) if size == blob.size => None,
            // Either the object is damaged, or the manifest lies.
            Some(size) if self.storage.is_sound(&proof.proven).await? => {
                return Err(wrong_size(&blob.digest, blob.size, size));
            }
            Some(_) => Some(Present::Replace),
            None => Some(Present::Keep),
        })
    }

    /// Copies a blob that is one request on both sides.
    async fn put(&self, blob: &Descriptor, present: Present, is_linked: bool) -> Result<(), WorkError> {
        // The permit comes before the request: whoever waits for it must not keep the registry's connections from others.
        let permit = self.storage.memory_permit(blob.size).await?;
        let content = self.fetch(blob).await?;
        self.flow.tags.came();
        self.progress.received(blob.size);
        let stored = async {
            if !is_linked {
                self.link(&Proof::unlinked(content.proven().clone())).await?;
            }
            Ok(self.storage.put_blob(content, permit, present).await?)
        };
        match stored.await {
            Ok(()) => self.progress.stored(),
            Err(error) => {
                self.progress.lost(blob.size);
                return Err(error);
            }
        }
        Ok(())
    }
}
