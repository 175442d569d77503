//! How a blob is cut into the parts of a multipart upload.

/// The part size of all but enormous blobs: at 8 MiB the requests cost less than a cent per 16 GB, and a few parts in
/// flight fill Lambda's network.
const PART_SIZE: u64 = 8 * 1024 * 1024;
/// S3's limit on the number of parts.
const MAX_PARTS: u64 = 10_000;
/// Larger part sizes are multiples of this.
const PART_STEP: u64 = 1024 * 1024;

/// The size of all parts but the last of a blob of `size` bytes. It depends on the size alone, so that an upload can be
/// taken up again by anybody.
pub(crate) fn part_size(size: u64) -> u64 {
    size.div_ceil(MAX_PARTS).next_multiple_of(PART_STEP).max(PART_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_too_many_parts() {
        let gib = 1024 * 1024 * 1024;
        for size in [0, 1, PART_SIZE, 78 * gib, 79 * gib, 5_000 * gib] {
            let part = part_size(size);
            assert!(size.div_ceil(part) <= MAX_PARTS && part >= PART_SIZE && part.is_multiple_of(PART_STEP), "{size}");
        }
        assert_eq!(part_size(78 * gib), PART_SIZE);
    }
}
