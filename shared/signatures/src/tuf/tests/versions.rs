//! What goes back.

use serde_json::json;

use super::{
    super::{Anchor, Defect},
    FIRST, OfRole, SECOND, good, new, refused,
    repository::{TufRepository, new_key},
};

/// A repository whose every version is five, as a refresh has seen.
fn at_five() -> (TufRepository, Anchor) {
    let (mut repository, anchor) = new();
    for role in [&mut repository.timestamp, &mut repository.snapshot, &mut repository.targets] {
        role.version = 5;
    }
    repository.publish(FIRST);
    let seen = good(&repository, &anchor).anchor;
    (repository, seen)
}

#[test]
fn no_version_goes_back() {
    let roles: [(OfRole, &str, &str); 3] = [
        (|all| &mut all.timestamp, "timestamp", "timestamp.json"),
        (|all| &mut all.snapshot, "snapshot", "timestamp.json"),
        (|all| &mut all.targets, "targets", "6.snapshot.json"),
    ];
    for (role, name, expected) in roles {
        let (mut repository, anchor) = at_five();
        repository.update(SECOND);
        role(&mut repository).version = 4;
        repository.publish(SECOND);
        let (file, defect) = refused(&repository, &anchor);
        assert_eq!(file, expected);
        let is_so = matches!(defect, Defect::RolledBack { role, seen: 5, sent: 4 } if role == name);
        assert!(is_so, "{defect:?}");
        // Who has seen nothing has nothing to compare with.
        let unknown = Anchor::new(repository.root_file()).unwrap();
        assert_eq!(good(&repository, &unknown).trust_root, SECOND);
    }
}

#[test]
fn old_versions_are_as_old_in_a_stored_anchor() {
    let (mut repository, anchor) = at_five();
    let old = repository.files["timestamp.json"].clone();
    repository.update(SECOND);
    let seen = good(&repository, &anchor).anchor;
    let stored: Anchor = serde_json::from_value(serde_json::to_value(&seen).unwrap()).unwrap();
    repository.files.insert("timestamp.json".to_owned(), old);
    let (_, defect) = refused(&repository, &stored);
    assert!(matches!(defect, Defect::RolledBack { seen: 6, sent: 5, .. }), "{defect:?}");
}

#[test]
fn a_root_with_other_keys_goes_back_behind_versions_that_others_have_signed() {
    let keys: [OfRole; 2] = [|all| &mut all.timestamp, |all| &mut all.snapshot];
    for role in keys {
        let (mut repository, anchor) = at_five();
        role(&mut repository).version = u64::MAX;
        repository.publish(FIRST);
        let anchor = good(&repository, &anchor).anchor;
        role(&mut repository).version = 6;
        repository.publish(SECOND);
        assert!(matches!(refused(&repository, &anchor).1, Defect::RolledBack { .. }));
        // The same keys in a new root do not change that.
        repository.rotate();
        assert!(matches!(refused(&repository, &anchor).1, Defect::RolledBack { .. }));
        role(&mut repository).key = new_key();
        repository.rotate();
        repository.publish(SECOND);
        let found = good(&repository, &anchor);
        assert_eq!(found.trust_root, SECOND);
        assert_eq!(serde_json::to_value(&found.anchor).unwrap()["seen"]["targets"], json!(5));
    }
}

#[test]
fn a_file_of_another_version_than_is_named_is_none() {
    for (name, pinned) in [("snapshot.json", "9.snapshot.json"), ("targets.json", "9.targets.json")] {
        let (mut repository, _) = new();
        repository.is_pinned = false;
        repository.publish(FIRST);
        repository.name(name, &json!({"version": 9}));
        let bytes = repository.files[&format!("1.{name}")].clone();
        repository.files.insert(pinned.to_owned(), bytes);
        let (file, defect) = refused(&repository, &Anchor::new(repository.root_file()).unwrap());
        assert!(file == pinned && matches!(defect, Defect::Mismatched(_)), "{file}: {defect:?}");
    }
}
