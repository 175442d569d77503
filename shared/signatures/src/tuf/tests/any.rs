//! Whatever a repository has, nothing is taken that was not signed.

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index};

use super::{super::Anchor, Files, SECOND, at, new, now};

/// What a repository has that has two roots, but for the first of them, which is the anchor.
static WORLD: LazyLock<(Files, Anchor)> = LazyLock::new(|| {
    let (mut repository, anchor) = new();
    repository.rotate();
    repository.update(SECOND);
    repository.files.remove("1.root.json");
    (repository.files, anchor)
});

/// The same, but for one of the files.
fn with(which: Index, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = WORLD.0.clone();
    let which = which.index(files.len());
    change(files.values_mut().nth(which).unwrap());
    files
}

proptest! {
    #[test]
    fn a_byte_that_is_changed_changes_nothing_that_is_signed(which: Index, place: Index, bit in 0..8_u32) {
        let files = with(which, |bytes| {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        });
        if let Ok(found) = at(&files, &WORLD.1, now()) {
            prop_assert_eq!(found.trust_root, SECOND);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_not_asked_for(which: Index, bytes: Vec<u8>) {
        let files = with(which, |file| *file = bytes);
        if let Ok(found) = at(&files, &WORLD.1, now()) {
            prop_assert_eq!(found.trust_root, SECOND);
        }
    }
}
