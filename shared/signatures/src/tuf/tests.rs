//! Refreshes from a repository that the tests make and sign themselves.

mod any;
mod embedded;
mod fetches;
mod hashes;
#[path = "../../../../tests/src/tuf.rs"]
#[expect(unreachable_pub, reason = "it is a part of the crate of tests, which serves it")]
mod repository;
mod roots;
mod times;
mod versions;

use std::{
    collections::BTreeMap,
    future::ready,
    pin::pin,
    task::{Context, Poll, Waker},
};

use moorage_domain::Timestamp;
use sigstore_verify::trust_root::{SIGSTORE_GITHUB_TRUSTED_ROOT, SIGSTORE_PRODUCTION_TRUSTED_ROOT};

use super::{Anchor, Defect, RefreshError, Refreshed, refresh};
use repository::{LIFETIME, Role, TufRepository};

/// Two trusted roots: what is distributed first, and what later.
const FIRST: &[u8] = SIGSTORE_PRODUCTION_TRUSTED_ROOT.as_bytes();
const SECOND: &[u8] = SIGSTORE_GITHUB_TRUSTED_ROOT.as_bytes();

/// What a repository has, by path.
type Files = BTreeMap<String, Vec<u8>>;

/// One of the roles of a repository.
type OfRole = fn(&mut TufRepository) -> &mut Role;

/// What a fetch says.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the network is down")]
struct Down;

/// When all is signed: 2026-06-01.
fn now() -> Timestamp {
    Timestamp::from_unix(1_780_272_000)
}

/// Runs what never waits; as a function does, which may move it to another thread.
fn run<T>(future: impl Future<Output = T> + Send) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// A repository, and an anchor that is its first root.
fn new() -> (TufRepository, Anchor) {
    let repository = TufRepository::new(FIRST, now());
    let anchor = Anchor::new(repository.root_file()).unwrap();
    (repository, anchor)
}

fn at(files: &Files, anchor: &Anchor, now: Timestamp) -> Result<Refreshed, RefreshError<Down>> {
    run(refresh(anchor, |path, _| ready(Ok(files.get(&path).cloned())), now))
}

fn good(repository: &TufRepository, anchor: &Anchor) -> Refreshed {
    at(&repository.files, anchor, now()).unwrap()
}

/// The file that is refused, and why.
fn refused(repository: &TufRepository, anchor: &Anchor) -> (String, Defect) {
    defect(at(&repository.files, anchor, now()))
}

fn defect(result: Result<Refreshed, RefreshError<Down>>) -> (String, Defect) {
    match result {
        Err(RefreshError::Refused { file, defect }) => (file, defect),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_refresh_finds_what_is_distributed() {
    let (repository, anchor) = new();
    let found = good(&repository, &anchor);
    assert_eq!(found.trust_root, FIRST);
    assert_eq!(found.good_until, now().plus(LIFETIME));
    assert_ne!(found.anchor, anchor);
}

#[test]
fn a_refresh_that_finds_nothing_new_has_the_same_result() {
    let (repository, anchor) = new();
    let first = good(&repository, &anchor);
    assert_eq!(good(&repository, &first.anchor), first);
}

#[test]
fn what_is_new_is_found_from_where_the_last_refresh_ended() {
    let (mut repository, anchor) = new();
    let first = good(&repository, &anchor);
    repository.update(SECOND);
    let second = good(&repository, &first.anchor);
    assert_eq!(second.trust_root, SECOND);
    assert_ne!(second.anchor, first.anchor);
    assert_eq!(good(&repository, &anchor), second);
}

#[test]
fn metadata_may_name_each_other_by_version_only() {
    let mut repository = TufRepository::new(FIRST, now());
    repository.is_pinned = false;
    repository.publish(FIRST);
    assert_eq!(good(&repository, &Anchor::new(repository.root_file()).unwrap()).trust_root, FIRST);
}

#[test]
fn names_need_not_have_versions() {
    let mut repository = TufRepository::new(FIRST, now());
    repository.files.clear();
    repository.is_consistent = false;
    repository.write_root();
    repository.publish(FIRST);
    let paths: Vec<_> = repository.files.keys().map(String::as_str).collect();
    assert_eq!(paths, ["1.root.json", "snapshot.json", "targets.json", "targets/trusted_root.json", "timestamp.json"]);
    assert_eq!(good(&repository, &Anchor::new(repository.root_file()).unwrap()).trust_root, FIRST);
}

#[test]
fn it_is_good_until_the_first_of_the_metadata_expires() {
    let first = now().plus(LIFETIME / 2);
    let expiring: [OfRole; 4] =
        [|all| &mut all.root, |all| &mut all.timestamp, |all| &mut all.snapshot, |all| &mut all.targets];
    for role in expiring {
        let mut repository = TufRepository::new(FIRST, now());
        role(&mut repository).expires = first;
        repository.write_root();
        repository.publish(FIRST);
        assert_eq!(good(&repository, &Anchor::new(repository.root_file()).unwrap()).good_until, first);
    }
}
