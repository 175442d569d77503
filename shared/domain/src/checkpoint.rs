//! How far a large blob is, so that anybody can go on with it.

use serde::{Deserialize, Serialize};

use crate::{Digest, digest::HashState};

/// A multipart upload that was left. The parts before `offset` are in the bucket, each of `part_size` bytes; what they
/// are named there, the bucket itself lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// S3's name of the upload.
    pub upload_id: String,
    /// The length of each part but the last, in bytes.
    pub part_size: u64,
    /// Where to go on: the first byte of the blob that is not uploaded. A multiple of `part_size`, or the blob's end.
    pub offset: u64,
    /// The hash of everything before `offset`.
    pub hash_state: HashState,
    /// Over the entity tags of the parts before `offset`: that they are still those that were hashed.
    pub parts: Digest,
}
