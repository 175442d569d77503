//! How a blob is cut into pieces, which are fetched, and parts, which are uploaded.

use std::ops::Range;

/// What is fetched by one request: small enough that a blob of some parts comes by as many connections as may be open,
/// large enough that a request's latency is little beside it.
pub const PIECE: u64 = 8 * 1024 * 1024;
/// The largest usual part: 1,000 GB in layers of 100 MB are 20,000 parts then, 10 cents; by parts of one piece they would
/// be six times as much.
const MAX_PART: u64 = 6 * PIECE;
/// Parts that the memory budget is to have room for. The pieces of one blob that come at once are of two or three; the
/// others are for those that go. With fewer, they wait for each other.
const PARTS_HELD: u64 = 7;
/// S3's limit on the number of parts.
const MAX_PARTS: u64 = 10_000;
/// The sizes of parts of enormous blobs are multiples of this.
const PART_STEP: u64 = 1024 * 1024;

/// The size of all parts but the last of a blob of `size` bytes, where as much memory as `budget` may be taken.
pub(crate) fn part_size(size: u64, budget: u64) -> u64 {
    let fits = budget / PARTS_HELD / PIECE * PIECE;
    size.div_ceil(MAX_PARTS).next_multiple_of(PART_STEP).max(fits.clamp(PIECE, MAX_PART))
}

/// Whether an upload of a blob of `size` bytes that has parts of `part_size` can be gone on with: one part may be in memory
/// and another on its way.
pub(crate) fn is_possible(part_size: u64, size: u64, budget: u64) -> bool {
    part_size >= PIECE && size.div_ceil(part_size) <= MAX_PARTS && part_size <= budget / 2
}

/// What is to be fetched next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The bytes of the blob; they are of one part.
    pub range: Range<u64>,
    /// The length of the part, if they are its first.
    pub begins: Option<u64>,
}

/// The pieces of a blob of `size` bytes from `next` on, in their order, each of `most` bytes at most.
pub(crate) fn pieces(size: u64, part_size: u64, next: u64, most: u64) -> impl Iterator<Item = Piece> {
    let mut next = next;
    std::iter::from_fn(move || {
        let part = next / part_size * part_size;
        let part_end = size.min(part.saturating_add(part_size));
        let range = next..part_end.min(next.saturating_add(most));
        next = range.end;
        let begins = (range.start == part).then_some(part_end - part);
        (!range.is_empty()).then_some(Piece { range, begins })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;
    const GIB: u64 = 1024 * MIB;

    #[test]
    fn there_are_never_too_many_parts() {
        for (size, budget) in
            [0, 1, PIECE, 78 * GIB, 79 * GIB, 5_000 * GIB].into_iter().zip([16, 88, 352].into_iter().cycle())
        {
            let part = part_size(size, budget * MIB);
            assert!(size.div_ceil(part) <= MAX_PARTS && part >= PIECE && part.is_multiple_of(PART_STEP), "{size}");
        }
    }

    #[test]
    fn parts_are_as_large_as_there_is_memory_for_some() {
        for (budget, part) in [(16, 8), (88, 8), (176, 24), (352, 48), (8_192, 48)] {
            assert_eq!(part_size(GIB, budget * MIB), part * MIB, "{budget}");
        }
        assert!(is_possible(8 * MIB, GIB, 16 * MIB) && is_possible(32 * MIB, GIB, 64 * MIB));
        assert!(!is_possible(32 * MIB, GIB, 63 * MIB), "a function that has less memory by now begins anew");
        assert!(!is_possible(0, GIB, GIB) && !is_possible(8 * MIB, 79 * GIB, GIB));
    }

    #[test]
    fn pieces_are_of_one_part_each() {
        let all = |next, most| -> Vec<_> {
            pieces(75, 30, next, most).map(|it| (it.range.start, it.range.end, it.begins)).collect()
        };
        let begun = [(0, 20, Some(30)), (20, 30, None), (30, 50, Some(30)), (50, 60, None), (60, 75, Some(15))];
        assert_eq!(all(0, 20), begun);
        assert_eq!(all(40, 20), [(40, 60, None), (60, 75, Some(15))]);
        assert_eq!(all(0, 30), [(0, 30, Some(30)), (30, 60, Some(30)), (60, 75, Some(15))]);
        assert_eq!(all(75, 20), []);
    }
}
