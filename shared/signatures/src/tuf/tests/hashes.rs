//! Files that are others than are named, or are not there.

use moorage_domain::{Algorithm, Digest};
use serde_json::{Value, json};

use super::{
    super::{Defect, MAX_ROOT, MAX_SNAPSHOT, MAX_TARGETS, MAX_TIMESTAMP},
    FIRST, good, new, refused,
    repository::TufRepository,
};
use crate::{MAX_TRUST_ROOT, TrustRootError};

/// What a target is said to be.
fn targets(length: usize, hashes: &Value) -> Value {
    json!({"trusted_root.json": {"length": length, "hashes": hashes}})
}

fn sha256(bytes: &[u8]) -> String {
    Digest::sha256(bytes).hex().to_string()
}

#[test]
fn metadata_have_the_length_and_the_hash_that_are_named() {
    for name in ["snapshot.json", "targets.json"] {
        let path = format!("1.{name}");
        for is_length in [true, false] {
            let (mut repository, anchor) = new();
            let bytes = &repository.files[&path];
            let pin = if is_length {
                json!({"version": 1, "length": bytes.len() + 1, "hashes": {"sha256": sha256(bytes)}})
            } else {
                json!({"version": 1, "length": bytes.len(), "hashes": {"sha256": sha256(b"others")}})
            };
            repository.name(name, &pin);
            let (file, defect) = refused(&repository, &anchor);
            assert!(file == path && matches!(defect, Defect::Mismatched(_)), "{file}: {defect:?}");
        }
    }
}

#[test]
fn the_target_has_the_length_and_every_hash_that_are_named() {
    let (right, wrong) = (sha256(FIRST), sha256(b"others"));
    let right_512 = Digest::of(Algorithm::Sha512, FIRST).hex().to_string();
    let wrong_512 = Digest::of(Algorithm::Sha512, b"others").hex().to_string();
    let cases = [
        (FIRST.len() + 1, json!({"sha256": right})),
        (FIRST.len() - 1, json!({"sha256": right})),
        (FIRST.len(), json!({"sha256": wrong})),
        (FIRST.len(), json!({"sha512": wrong_512})),
        (FIRST.len(), json!({"sha256": right, "sha512": wrong_512})),
    ];
    for (length, hashes) in cases {
        let (mut repository, anchor) = new();
        repository.write_targets(&targets(length, &hashes));
        for hash in [&wrong, &right_512, &wrong_512] {
            repository.files.insert(format!("targets/{hash}.trusted_root.json"), FIRST.to_vec());
        }
        let (file, defect) = refused(&repository, &anchor);
        let is_so = file.starts_with("targets/") && matches!(defect, Defect::Mismatched(_));
        assert!(is_so, "{file}: {defect:?} with {hashes}");
    }
    let (mut repository, anchor) = new();
    repository.files.insert(format!("targets/{right_512}.trusted_root.json"), FIRST.to_vec());
    for hashes in [json!({"sha512": right_512}), json!({"sha256": right, "sha512": right_512, "blake3": "00"})] {
        repository.write_targets(&targets(FIRST.len(), &hashes));
        assert_eq!(good(&repository, &anchor).trust_root, FIRST);
    }
}

/// A hash is a part of the path that is asked for.
#[test]
fn a_hash_is_one() {
    for hash in [json!({}), json!({"blake3": "00"}), json!({"sha256": ""}), json!({"sha256": "../../x"})] {
        let (mut repository, anchor) = new();
        repository.write_targets(&targets(FIRST.len(), &hash));
        let (file, defect) = refused(&repository, &anchor);
        assert!(file == "1.targets.json" && matches!(defect, Defect::Mismatched(_)), "{file}: {defect:?}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let target = new().0.target_path(FIRST);
    for path in ["timestamp.json", "1.snapshot.json", "1.targets.json", &target] {
        let (mut repository, anchor) = new();
        repository.files.remove(path);
        let (file, defect) = refused(&repository, &anchor);
        assert!(file == path && matches!(defect, Defect::Missing), "{file}: {defect:?}");
    }
}

#[test]
fn what_is_not_named_is_said() {
    type Case = (fn(&mut TufRepository), &'static str, &'static str);
    let cases: [Case; 3] = [
        (|all| all.write_targets(&json!({})), "1.targets.json", "trusted_root.json"),
        (|all| all.write_snapshot(&json!({})), "1.snapshot.json", "targets.json"),
        (|all| all.write_timestamp(&json!({})), "timestamp.json", "snapshot.json"),
    ];
    for (unname, by, expected) in cases {
        let (mut repository, anchor) = new();
        unname(&mut repository);
        let (file, defect) = refused(&repository, &anchor);
        assert!(file == by && matches!(defect, Defect::Unnamed(name) if name == expected), "{file}: {defect:?}");
    }
}

#[test]
fn files_are_of_bounded_size() {
    let target = new().0.target_path(FIRST);
    let bounds = [
        ("2.root.json", MAX_ROOT),
        ("timestamp.json", MAX_TIMESTAMP),
        ("1.snapshot.json", MAX_SNAPSHOT),
        ("1.targets.json", MAX_TARGETS),
        (&target, MAX_TRUST_ROOT),
    ];
    for (path, max) in bounds {
        let (mut repository, anchor) = new();
        repository.files.insert(path.to_owned(), vec![b' '; max + 1]);
        let (file, defect) = refused(&repository, &anchor);
        assert!(file == path && matches!(defect, Defect::TooLarge(size) if size == max), "{file}: {defect:?}");
    }
}

#[test]
fn what_is_distributed_is_a_trusted_root() {
    let (mut repository, anchor) = new();
    let first = good(&repository, &anchor);
    for other in [b"".as_slice(), b"{}", b"no trusted root", b"\xff"] {
        repository.update(other);
        let (file, defect) = refused(&repository, &first.anchor);
        assert_eq!(file, repository.target_path(other));
        assert!(matches!(defect, Defect::NoTrustRoot(_)), "{defect:?}");
    }
    let nobody = json!({"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}).to_string();
    repository.update(nobody.as_bytes());
    let (_, defect) = refused(&repository, &first.anchor);
    assert!(matches!(defect, Defect::NoTrustRoot(TrustRootError::Nobody)), "{defect:?}");
}
