//! What has expired.

use std::time::Duration;

use super::{
    super::{Anchor, Defect},
    FIRST, OfRole, at, defect, good, new, now, refused,
    repository::LIFETIME,
};

#[test]
fn nothing_that_has_expired_is_taken() {
    let expired: [(OfRole, &str); 3] = [
        (|all| &mut all.timestamp, "timestamp.json"),
        (|all| &mut all.snapshot, "1.snapshot.json"),
        (|all| &mut all.targets, "1.targets.json"),
    ];
    for (role, expected) in expired {
        let (mut repository, anchor) = new();
        let then = now().minus(Duration::from_secs(1));
        role(&mut repository).expires = then;
        repository.publish(FIRST);
        let (file, defect) = refused(&repository, &anchor);
        assert_eq!(file, expected);
        assert!(matches!(defect, Defect::Expired(at) if at == then), "{defect:?}");
    }
}

/// Whoever keeps back what is new can do so until it expires.
#[test]
fn the_same_as_ever_is_taken_until_it_expires() {
    let (mut repository, _) = new();
    repository.root.expires = now().plus(3 * LIFETIME);
    repository.write_root();
    let anchor = good(&repository, &Anchor::new(repository.root_file()).unwrap()).anchor;
    let last = now().plus(LIFETIME);
    assert_eq!(at(&repository.files, &anchor, last).unwrap().anchor, anchor);
    let (file, defect) = defect(at(&repository.files, &anchor, last.plus(Duration::from_secs(1))));
    assert_eq!(file, "timestamp.json");
    assert!(matches!(defect, Defect::Expired(at) if at == last), "{defect:?}");
}
