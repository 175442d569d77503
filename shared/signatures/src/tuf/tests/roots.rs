//! From one root to the next.

use serde_json::json;

use super::{
    super::{Anchor, Defect, MAX_ROOT, MAX_ROOTS, RefreshError},
    FIRST, at, good, new, now, refused,
    repository::{LIFETIME, new_key, signed},
};

#[test]
fn roots_are_followed_one_by_one() {
    let (mut repository, anchor) = new();
    repository.rotate();
    repository.rotate();
    let found = good(&repository, &anchor);
    assert_eq!(found.trust_root, FIRST);
    // The next refresh asks for none of them again.
    repository.files.remove("2.root.json");
    repository.files.remove("3.root.json");
    assert_eq!(good(&repository, &found.anchor), found);
}

#[test]
fn keys_of_other_roles_may_change_with_a_root() {
    let (mut repository, anchor) = new();
    let first = good(&repository, &anchor);
    repository.targets.key = new_key();
    repository.publish(FIRST);
    let (file, defect) = refused(&repository, &first.anchor);
    assert!(file == "1.targets.json" && matches!(defect, Defect::BadlySigned(_)), "{file}: {defect:?}");
    repository.rotate();
    assert_eq!(good(&repository, &first.anchor).trust_root, FIRST);
}

#[test]
fn a_root_is_signed_by_the_one_before_and_by_itself() {
    for is_by_the_one_before in [true, false] {
        let (mut repository, anchor) = new();
        repository.rotate();
        let old = std::mem::replace(&mut repository.root.key, new_key());
        repository.root.version += 1;
        let signer = if is_by_the_one_before { &old } else { &repository.root.key };
        let bytes = signed(&repository.unsigned_root(), &[signer]);
        repository.files.insert(repository.root_path(), bytes);
        let (file, defect) = refused(&repository, &anchor);
        assert!(file == "3.root.json" && matches!(defect, Defect::BadlySigned(_)), "{file}: {defect:?}");
    }
}

#[test]
fn no_root_is_skipped_or_goes_back() {
    for version in [1, 3, u64::MAX] {
        let (mut repository, anchor) = new();
        repository.root.version = version;
        let bytes = signed(&repository.unsigned_root(), &[&repository.root.key]);
        repository.files.insert("2.root.json".to_owned(), bytes);
        let (file, defect) = refused(&repository, &anchor);
        assert!(file == "2.root.json" && matches!(defect, Defect::Mismatched(_)), "{file}: {defect:?}");
    }
}

#[test]
fn only_the_last_root_must_not_have_expired() {
    let (mut repository, _) = new();
    repository.root.expires = now().minus(LIFETIME);
    repository.write_root();
    let anchor = Anchor::new(repository.root_file()).unwrap();
    repository.rotate();
    let (file, defect) = refused(&repository, &anchor);
    assert!(file == "2.root.json" && matches!(defect, Defect::Expired(_)), "{file}: {defect:?}");
    repository.root.expires = now().plus(LIFETIME);
    repository.rotate();
    assert_eq!(good(&repository, &anchor).trust_root, FIRST);
}

#[test]
fn the_root_that_a_refresh_begins_with_expires() {
    let (mut repository, _) = new();
    repository.root.expires = now().minus(LIFETIME);
    repository.write_root();
    let (file, defect) = refused(&repository, &Anchor::new(repository.root_file()).unwrap());
    assert_eq!(file, "root.json");
    assert!(matches!(defect, Defect::Expired(then) if then == now().minus(LIFETIME)), "{defect:?}");
}

#[test]
fn there_is_a_bound_to_how_many_are_walked() {
    let (mut repository, anchor) = new();
    for _ in 0..MAX_ROOTS {
        repository.rotate();
    }
    assert_eq!(good(&repository, &anchor).trust_root, FIRST);
    repository.rotate();
    assert!(matches!(at(&repository.files, &anchor, now()), Err(RefreshError::TooManyRoots)));
}

#[test]
fn an_anchor_is_a_root_that_signs_itself() {
    let (repository, anchor) = new();
    assert_eq!(Anchor::new(repository.root_file()).unwrap(), anchor);
    let by_another = signed(&repository.unsigned_root(), &[&repository.targets.key]);
    assert!(matches!(Anchor::new(&by_another), Err(Defect::BadlySigned(_))));
    assert!(matches!(Anchor::new(&repository.files["timestamp.json"]), Err(Defect::Unreadable(_))));
    for other in [b"".as_slice(), b"{}", b"\xff", b"[[["] {
        assert!(matches!(Anchor::new(other), Err(Defect::Unreadable(_))));
    }
}

#[test]
fn an_anchor_is_of_bounded_size() {
    let (repository, _) = new();
    let padded = |length: usize| {
        let mut bytes = repository.root_file().to_vec();
        bytes.resize(length, b' ');
        Anchor::new(&bytes)
    };
    let largest = serde_json::to_value(padded(MAX_ROOT).unwrap()).unwrap();
    assert_eq!(largest["root"].as_str().unwrap().len(), MAX_ROOT);
    assert!(matches!(padded(MAX_ROOT + 1), Err(Defect::TooLarge(MAX_ROOT))));
}

#[test]
fn an_anchor_is_stored() {
    let (mut repository, anchor) = new();
    repository.update(FIRST);
    let found = good(&repository, &anchor).anchor;
    for anchor in [&anchor, &found] {
        let stored = serde_json::to_value(anchor).unwrap();
        assert_eq!(serde_json::from_value::<Anchor>(stored).unwrap(), *anchor);
    }
    let mut stored = serde_json::to_value(&found).unwrap();
    assert_eq!(stored["root"].as_str().unwrap().as_bytes(), repository.root_file());
    assert_eq!(stored["seen"], json!({"timestamp": 2, "snapshot": 2, "targets": 2}));
    stored["root"] = json!("{}");
    assert!(serde_json::from_value::<Anchor>(stored).is_err());
}
