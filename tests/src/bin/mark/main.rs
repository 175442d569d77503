//! Marks so many links, ten to each blob, as a listing would show them, and looks every blob up: for benchmarks.

use moorage_collector::Marks;
use moorage_domain::Digest;

/// Links of one blob.
const SHARED: u64 = 10;

fn main() {
    let links: u64 = std::env::args().nth(1).and_then(|links| links.parse().ok()).unwrap_or(1_000_000);
    let blobs = links / SHARED;
    let digest = |n: u64| Digest::sha256(&n.to_be_bytes());
    let mut marks = Marks::new(0, u8::MAX, usize::MAX);
    for link in 0..links {
        marks.add(digest(link % blobs));
    }
    marks.thin_out();
    let found = (0..2 * blobs).filter(|n| marks.has(&digest(*n))).count() as u64;
    assert_eq!((marks.links(), found), (links, blobs));
}
