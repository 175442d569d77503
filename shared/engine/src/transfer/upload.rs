//! One large blob: fetched in parallel parts, hashed in order, uploaded in parallel; left and taken up at any part.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Digest, failure::Failure, manifest::Descriptor};
use moorage_state::{PendingUpload, now};
use moorage_storage::{MemoryPermit, PIECE, Piece, Present, Upload};
use moorage_upstream::BlobReader;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    error::WorkError,
    transfer::{blobs::Blobs, possession::Proof},
};

/// The most pieces of one blob that are fetched at once: a registry that limits each connection gives a dozen times as
/// much.
const PIECES_IN_FLIGHT: usize = 12;
/// How often the table learns how far an upload is. A killed sync fetches again at most what came since.
const RECORD_EVERY: Duration = Duration::from_secs(1);

/// A piece, and the memory permit of the part that it begins, if that has one of its own.
type Arrived = (Bytes, Option<MemoryPermit>);

/// An upload that is gone on with.
struct Taken {
    upload: Upload,
    /// Whether what came first in this run was wrong.
    again: bool,
}

impl Blobs {
    /// Copies a blob from where an earlier invocation left it. What arrived stays for the next one, unless the content
    /// turns out to be wrong: then all of it is fetched once more, in one piece. `is_linked` tells whether it is linked and
    /// protected already.
    pub(crate) async fn upload(&self, blob: &Descriptor, present: Present, is_linked: bool) -> Result<(), WorkError> {
        let Taken { upload, again } = self.take_up(blob).await?;
        match self.try_upload(blob, present, is_linked, (upload, again)).await {
            Err(error) if error.is_wrong_content() && !again => {}
            result => return result,
        }
        let upload = self.begin(blob, true).await?;
        self.try_upload(blob, present, is_linked, (upload, true)).await?;
        // Parts may be what the registry has wrong.
        self.registry.sends_no_parts();
        Ok(())
    }

    async fn try_upload(
        &self,
        blob: &Descriptor,
        present: Present,
        is_linked: bool,
        (mut upload, again): (Upload, bool),
    ) -> Result<(), WorkError> {
        let begun = upload.checkpoint().offset;
        // Boxed: it has a part's connection and memory permit.
        let filled = Box::pin(self.fill(blob, &mut upload, again)).await;
        // What is on its way arrives, whatever has happened: the next invocation goes on behind it.
        let settled = upload.settle().await;
        if upload.checkpoint().offset > begun {
            self.progress.stored();
        }
        self.record(blob, &upload, again).await?;
        if let Err(error) = filled.and(settled.map_err(Into::into)) {
            if error.is_wrong_content() || upload.checkpoint().offset == 0 {
                self.progress.lost(upload.checkpoint().offset);
                self.give_up(&blob.digest, &upload.checkpoint().upload_id).await?;
            }
            return Err(error);
        }
        let proven = match upload.verify(self.possession.owner()).await.map_err(WorkError::from) {
            Ok(proven) => proven,
            Err(error) => {
                if error.is_wrong_content() {
                    self.progress.lost(blob.size);
                    self.give_up(&blob.digest, &upload.checkpoint().upload_id).await?;
                }
                return Err(error);
            }
        };
        if !is_linked {
            self.link(&Proof::unlinked(proven.clone())).await?;
        }
        upload.complete(&proven, present).await?;
        self.progress.stored();
        Ok(self.table.delete_upload(&self.repository, &blob.digest, self.claim.transaction()).await?)
    }

    /// Gives up the uploads that this run did not want: their blobs were deleted or moved at the registry.
    pub(crate) async fn give_up_others(&self) -> Result<(), WorkError> {
        for upload in self.table.uploads(&self.repository).await? {
            if upload.run_id != self.run {
                self.give_up(&upload.digest, &upload.checkpoint.upload_id).await?;
            }
        }
        Ok(())
    }

    async fn take_up(&self, blob: &Descriptor) -> Result<Taken, WorkError> {
        if let Some(pending) = self.table.upload(&self.repository, &blob.digest).await? {
            let (id, is_ours) = (pending.checkpoint.upload_id.clone(), pending.run_id == self.run);
            // Another run has its own two times.
            let again = pending.again && is_ours;
            // What an earlier repository of the name has hashed, this one's registry has not sent.
            if pending.generation == self.possession.owner().generation
                && let Some(upload) = self.storage.resume_upload(&blob.digest, blob.size, pending.checkpoint).await?
            {
                let there = upload.checkpoint().offset;
                if is_ours {
                    self.progress.counted(there);
                } else {
                    self.progress.done(there);
                }
                self.enter(blob, &upload, again).await?;
                return Ok(Taken { upload, again });
            }
            self.give_up(&blob.digest, &id).await?;
            return Ok(Taken { upload: self.begin(blob, again).await?, again });
        }
        Ok(Taken { upload: self.begin(blob, false).await?, again: false })
    }

    async fn begin(&self, blob: &Descriptor, again: bool) -> Result<Upload, WorkError> {
        let upload = self.storage.begin_upload(&blob.digest, blob.size).await?;
        self.enter(blob, &upload, again).await?;
        Ok(upload)
    }

    /// Pushes what is missing, until that is done or it is time to hand over: by pieces, as long as the registry sends
    /// parts and they were not wrong before.
    async fn fill(&self, blob: &Descriptor, upload: &mut Upload, again: bool) -> Result<(), WorkError> {
        let mut missing = upload.missing(PIECE);
        let Some(first) = missing.next() else { return Ok(()) };
        if !again {
            // The permit comes before the request: whoever waits for it must not keep the registry's connections from
            // others.
            let permit = self.permit(&first).await?;
            if let Some(reader) = self.registry.blob_part(&blob.digest, blob.size, first.range).await? {
                let pieces = self.pieces(blob, (reader, permit), missing);
                if self.push_all(blob, upload, pieces, again).await? {
                    return Ok(());
                }
            }
            self.progress.lost(upload.drop_part());
        }
        // For the part that is read and for one on its way, as long as the connection is open.
        let part_size = upload.part_size().min(blob.size);
        let _permit = self.storage.memory_permit(part_size.saturating_mul(2)).await?;
        let mut missing = upload.missing(part_size).peekable();
        let Some(first) = missing.peek() else { return Ok(()) };
        let reader = self.registry.whole_blob(&blob.digest, blob.size, first.range.start).await?;
        if !again {
            self.registry.sends_no_parts();
        }
        let pieces = stream::try_unfold((reader, missing), |(mut reader, mut missing)| async move {
            let Some(Piece { range, .. }) = missing.next() else { return Ok(None) };
            let bytes = reader.take(range.end - range.start).await?;
            Ok::<_, WorkError>(Some((Some((bytes, None)), (reader, missing))))
        });
        Box::pin(self.push_all(blob, upload, pieces, again)).await.map(drop)
    }

    /// The permit for the part that a piece begins; nothing if it does not begin one.
    async fn permit(&self, piece: &Piece) -> Result<Option<MemoryPermit>, WorkError> {
        Ok(match piece.begins {
            Some(length) => Some(self.storage.memory_permit(length).await?),
            None => None,
        })
    }

    /// Pushes pieces until there are no more. Tells whether these were all; not if there is one that does not come as a
    /// part.
    async fn push_all(
        &self,
        blob: &Descriptor,
        upload: &mut Upload,
        pieces: impl Stream<Item = Result<Option<Arrived>, WorkError>>,
        again: bool,
    ) -> Result<bool, WorkError> {
        let (mut pieces, mut ticks) = (std::pin::pin!(pieces), tokio::time::interval(RECORD_EVERY));
        let mut recorded = upload.checkpoint().offset;
        loop {
            tokio::select! {
                biased;
                () = self.budget.ending() => return Err(WorkError::Suspended),
                _ = ticks.tick() => {
                    upload.land_ready().await?;
                    if upload.checkpoint().offset > recorded {
                        recorded = upload.checkpoint().offset;
                        self.write(blob, upload, again).await?;
                    }
                }
                piece = pieces.try_next() => {
                    let Some(piece) = piece? else { return Ok(true) };
                    let Some((bytes, permit)) = piece else { return Ok(false) };
                    self.progress.received(bytes.len() as u64);
                    upload.push(bytes, permit).await?;
                }
            }
        }
    }

    /// The pieces of a blob in their order, of which some are fetched at once. The permits of their parts are taken in that
    /// order, too, and before the request, so whoever waits for one waits for parts that can become whole.
    fn pieces<'a>(
        &'a self,
        blob: &'a Descriptor,
        (reader, permit): (BlobReader, Option<MemoryPermit>),
        rest: impl Iterator<Item = Piece> + Send + 'a,
    ) -> impl Stream<Item = Result<Option<Arrived>, WorkError>> + Send + 'a {
        let first = AbortOnDropHandle::new(tokio::spawn(reader.part()));
        let rest = stream::iter(rest).then(async move |piece| {
            let permit = self.permit(&piece).await?;
            let (registry, digest, size) = (self.registry.clone(), blob.digest.clone(), blob.size);
            let fetch = async move {
                match registry.blob_part(&digest, size, piece.range).await? {
                    Some(reader) => reader.part().await,
                    None => Ok(None),
                }
            };
            Ok((AbortOnDropHandle::new(tokio::spawn(fetch)), permit))
        });
        let started = stream::iter([Ok((first, permit))]).chain(rest);
        let arrived = started.map(async |started: Result<_, WorkError>| {
            let (fetch, permit) = started?;
            // Only a fault of ours ends it so; what that says may be anything.
            let bytes = fetch.await.map_err(|_| WorkError::Failed(Failure::fault()))??;
            Ok(bytes.map(|bytes| (bytes, permit)))
        });
        arrived.buffered(PIECES_IN_FLIGHT)
    }

    /// Records how far the upload came that is left here, and takes back from the counts what did not arrive.
    async fn record(&self, blob: &Descriptor, upload: &Upload, again: bool) -> Result<(), WorkError> {
        let checkpoint = upload.checkpoint();
        self.progress.lost(upload.pushed() - checkpoint.offset);
        if checkpoint.offset == blob.size {
            return Ok(());
        }
        self.write(blob, upload, again).await
    }

    /// Records an upload that is begun, or taken up.
    async fn enter(&self, blob: &Descriptor, upload: &Upload, again: bool) -> Result<(), WorkError> {
        let pending = self.pending(blob, upload, again)?;
        Ok(self.table.begin_upload(&self.repository, pending, self.claim.transaction(), now()).await?)
    }

    /// Records how far it is since.
    async fn write(&self, blob: &Descriptor, upload: &Upload, again: bool) -> Result<(), WorkError> {
        let pending = self.pending(blob, upload, again)?;
        Ok(self.table.put_upload(&self.repository, pending, self.claim.transaction(), now()).await?)
    }

    fn pending(&self, blob: &Descriptor, upload: &Upload, again: bool) -> Result<PendingUpload, WorkError> {
        self.claim.check()?;
        let (digest, checkpoint) = (blob.digest.clone(), upload.checkpoint().clone());
        let generation = self.possession.owner().generation;
        Ok(PendingUpload { digest, checkpoint, run_id: self.run, generation, again })
    }

    async fn give_up(&self, digest: &Digest, upload_id: &str) -> Result<(), WorkError> {
        self.claim.check()?;
        self.storage.abort_upload(digest, upload_id).await?;
        Ok(self.table.give_up_upload(&self.repository, digest, self.claim.transaction()).await?)
    }
}
