//! The roots that are embedded.

use moorage_domain::signature_policy::TrustRootId;
use serde_json::Value;
use sigstore_tuf::{Metadata, Root};

use super::super::Repository;

#[test]
fn the_embedded_roots_are_signed_by_their_own_threshold() {
    for (repository, version) in [(Repository::PUBLIC, 16), (Repository::GITHUB, 9)] {
        let stored = serde_json::to_value(repository.anchor().unwrap()).unwrap();
        let root: Value = serde_json::from_str(stored["root"].as_str().unwrap()).unwrap();
        assert_eq!(root["signed"]["version"], version);
        // It is so by the primitive, too, and not by one of many keys.
        let root = Metadata::<Root>::from_slice(stored["root"].as_str().unwrap().as_bytes()).unwrap();
        let role = root.signed().role("root").unwrap();
        assert_eq!(role.threshold, 3);
        root.verify_threshold(&root.signed().keys, role, "root").unwrap();
        assert!(root.signed().consistent_snapshot);
    }
}

#[test]
fn repositories_have_the_names_of_their_roots() {
    assert_eq!(Repository::of(&TrustRootId::Public), Some(Repository::PUBLIC));
    assert_eq!(Repository::of(&TrustRootId::Github), Some(Repository::GITHUB));
    assert_eq!(Repository::of(&TrustRootId::Other("ours".to_owned())), None);
    for repository in [Repository::PUBLIC, Repository::GITHUB] {
        assert!(repository.url.starts_with("https://") && !repository.url.ends_with('/'));
    }
}
