//! One large blob: fetched in parallel parts, hashed in order, uploaded in parallel; left and taken up at any part.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Digest, FailureReason, manifest::Descriptor};
use moorage_state::PendingUpload;
use moorage_storage::{Present, Room, Upload};
use moorage_upstream::{BlobReader, UpstreamError};
use tokio_util::task::AbortOnDropHandle;

use crate::{blobs::Blobs, clock::now, error::WorkError, fault::fault};

/// Parts of one blob that are fetched at once, if there is room: a registry that limits each connection gives a dozen
/// times as much.
const PARTS_IN_FLIGHT: usize = 12;
/// How often the table learns how far an upload is. A killed sync fetches again at most what came since.
const RECORD_EVERY: Duration = Duration::from_secs(1);

/// A part in memory, and its place there.
type Piece = (Bytes, Option<Room>);

impl Blobs {
    /// Copies a blob that the bucket does not have, from where an earlier attempt left it. What arrived stays for the
    /// next attempt, unless the content turns out to be wrong.
    pub(crate) async fn upload(&self, blob: &Descriptor, present: Present) -> Result<(), WorkError> {
        let mut upload = self.take_up(blob).await?;
        let begun = upload.checkpoint().offset;
        let filled = self.fill(blob, &mut upload).await;
        // What is on its way arrives, whatever has happened: the next attempt goes on behind it.
        let settled = upload.settle().await;
        if upload.checkpoint().offset > begun {
            self.progress.stored();
        }
        self.record(blob, &upload).await?;
        if let Err(error) = filled.and(settled.map_err(Into::into)) {
            let wrong = matches!(&error, WorkError::Failed(failure) if failure.reason == FailureReason::DigestMismatch);
            if wrong || upload.checkpoint().offset == 0 {
                self.give_up(&blob.digest, &upload.checkpoint().upload_id).await?;
            }
            return Err(error);
        }
        let id = upload.checkpoint().upload_id.clone();
        if let Err(error) = upload.complete(present).await {
            let error = WorkError::from(error);
            if matches!(&error, WorkError::Failed(failure) if failure.reason == FailureReason::DigestMismatch) {
                self.progress.lost(blob.size);
                self.give_up(&blob.digest, &id).await?;
            }
            return Err(error);
        }
        self.progress.stored();
        Ok(self.table.delete_upload(&self.repository, &blob.digest).await?)
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

    async fn take_up(&self, blob: &Descriptor) -> Result<Upload, WorkError> {
        if let Some(pending) = self.table.upload(&self.repository, &blob.digest).await? {
            let (id, is_ours) = (pending.checkpoint.upload_id.clone(), pending.run_id == self.run);
            if let Some(upload) = self.storage.resume_upload(&blob.digest, blob.size, pending.checkpoint).await? {
                let there = upload.checkpoint().offset;
                if is_ours {
                    self.progress.counted(there);
                } else {
                    self.progress.done(there);
                }
                self.write(blob, &upload).await?;
                return Ok(upload);
            }
            self.give_up(&blob.digest, &id).await?;
        }
        let upload = self.storage.begin_upload(&blob.digest, blob.size).await?;
        self.write(blob, &upload).await?;
        Ok(upload)
    }

    /// Pushes what is missing, until that is done or it is time to hand over.
    async fn fill(&self, blob: &Descriptor, upload: &mut Upload) -> Result<(), WorkError> {
        let mut missing = upload.missing();
        let Some(first) = missing.next() else { return Ok(()) };
        // Room comes before the request: who waits for room must not keep the registry's connections from others.
        let length = first.end - first.start;
        let room = self.storage.room(length).await?;
        if let Some(reader) = self.registry.blob_part(&blob.digest, blob.size, first.clone()).await? {
            return self.push_all(blob, upload, self.parts(blob, (reader, room), missing)).await;
        }
        drop(room);
        // Room for the part that is read and for one on its way, for as long as the connection is held.
        let _room = self.storage.room(2 * length).await?;
        let reader = self.registry.blob(&blob.digest, blob.size, first.start).await?;
        let pieces = stream::try_unfold((reader, upload.missing()), |(mut reader, mut missing)| async move {
            let Some(range) = missing.next() else { return Ok(None) };
            let bytes = reader.take(range.end - range.start).await?;
            Ok::<_, WorkError>(Some(((bytes, None), (reader, missing))))
        });
        self.push_all(blob, upload, pieces).await
    }

    async fn push_all(
        &self,
        blob: &Descriptor,
        upload: &mut Upload,
        pieces: impl Stream<Item = Result<Piece, WorkError>>,
    ) -> Result<(), WorkError> {
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
                        self.write(blob, upload).await?;
                    }
                }
                piece = pieces.try_next() => {
                    let Some((bytes, room)) = piece? else { return Ok(()) };
                    self.progress.received(bytes.len() as u64);
                    upload.push(bytes, room).await?;
                }
            }
        }
    }

    /// The parts of a blob in their order, of which some are fetched at once. Room is taken in that order, too, and
    /// before the request, so whoever waits for room waits for parts that can arrive.
    fn parts<'a>(
        &'a self,
        blob: &'a Descriptor,
        (reader, room): (BlobReader, Room),
        rest: impl Iterator<Item = Range<u64>> + Send + 'a,
    ) -> impl Stream<Item = Result<Piece, WorkError>> + Send + 'a {
        let first = AbortOnDropHandle::new(tokio::spawn(reader.rest()));
        let rest = stream::iter(rest).then(async move |range| {
            let room = self.storage.room(range.end - range.start).await?;
            let (registry, digest, size) = (self.registry.clone(), blob.digest.clone(), blob.size);
            let fetch = async move {
                match registry.blob_part(&digest, size, range).await? {
                    Some(reader) => reader.rest().await,
                    None => Err(UpstreamError::Protocol(format!("the registry no longer sends parts of {digest}"))),
                }
            };
            Ok((AbortOnDropHandle::new(tokio::spawn(fetch)), room))
        });
        let started = stream::iter([Ok((first, room))]).chain(rest);
        let arrived = started.map(async |started: Result<_, WorkError>| {
            let (fetch, room) = started?;
            // Only a fault of ours ends it so; what that says may be anything.
            Ok((fetch.await.map_err(|_| WorkError::Failed(fault()))??, Some(room)))
        });
        arrived.buffered(PARTS_IN_FLIGHT)
    }

    /// Records how far an attempt came that ends here, and takes back what did not arrive.
    async fn record(&self, blob: &Descriptor, upload: &Upload) -> Result<(), WorkError> {
        let checkpoint = upload.checkpoint();
        self.progress.lost(upload.pushed() - checkpoint.offset);
        if checkpoint.offset == blob.size {
            return Ok(());
        }
        self.write(blob, upload).await
    }

    async fn write(&self, blob: &Descriptor, upload: &Upload) -> Result<(), WorkError> {
        self.claim.check()?;
        let checkpoint = upload.checkpoint().clone();
        let pending = PendingUpload { digest: blob.digest.clone(), checkpoint, run_id: self.run };
        Ok(self.table.put_upload(&self.repository, pending, now()).await?)
    }

    async fn give_up(&self, digest: &Digest, upload_id: &str) -> Result<(), WorkError> {
        self.claim.check()?;
        self.storage.abort_upload(digest, upload_id).await?;
        Ok(self.table.delete_upload(&self.repository, digest).await?)
    }
}
