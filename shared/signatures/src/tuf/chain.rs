//! The metadata, one file after the other: each is signed by whom the root names, and names the next one.

use std::collections::BTreeSet;

use moorage_domain::Timestamp;
use sigstore_tuf::{MetaFile, Role, Root, TrustedMetadataSet};

use super::{
    anchor::{Anchor, Seen},
    error::Defect,
    target::Target,
};

pub(super) const TIMESTAMP: &str = "timestamp.json";
pub(super) const SNAPSHOT: &str = "snapshot.json";
pub(super) const TARGETS: &str = "targets.json";

/// What was verified so far.
pub(super) struct Chain {
    trusted: TrustedMetadataSet,
    seen: Seen,
    now: jiff::Timestamp,
    /// When the first of the files expires.
    good_until: jiff::Timestamp,
}

impl Chain {
    pub(super) fn begin(anchor: &Anchor, now: Timestamp) -> Result<Self, Defect> {
        let (trusted, seen) = anchor.trusted()?;
        let latest = jiff::Timestamp::MAX;
        Ok(Self { trusted, seen, now: jiff::Timestamp::from_second(now.unix()).unwrap_or(latest), good_until: latest })
    }

    /// The version of the root that may follow.
    pub(super) fn next_root(&self) -> u64 {
        self.trusted.root().version.saturating_add(1)
    }

    /// The name of a file. With consistent snapshots it has its version before it, so that what belongs together is there
    /// together.
    pub(super) fn file(&self, version: u64, name: &str) -> String {
        if self.is_consistent() { format!("{version}.{name}") } else { name.to_owned() }
    }

    pub(super) fn is_consistent(&self) -> bool {
        self.trusted.root().consistent_snapshot
    }

    /// Follows to the next root, which may have expired if there is another one after it.
    pub(super) fn root(&mut self, bytes: &[u8]) -> Result<(), Defect> {
        let before = self.trusted.root().clone();
        self.trusted.update_root(bytes)?;
        // Whoever had a key that was taken away may have signed the highest versions that there are, so as to stop all that
        // come after.
        if is_taken_away(&before, self.trusted.root()) {
            self.seen = Seen::default();
        }
        Ok(())
    }

    /// The root is the last one.
    pub(super) fn end_roots(&mut self) -> Result<(), Defect> {
        self.trusted.check_root_expired(self.now)?;
        self.good_until = self.trusted.root().expires;
        Ok(())
    }

    /// Takes the timestamp, and says which version of the snapshot it names.
    pub(super) fn timestamp(&mut self, bytes: &[u8]) -> Result<u64, Defect> {
        self.trusted.update_timestamp(bytes, self.now)?;
        let timestamp = self.trusted.timestamp().ok_or(Defect::Missing)?;
        let snapshot = named(timestamp.snapshot_meta(), SNAPSHOT)?;
        Seen::raise(&mut self.seen.timestamp, "timestamp", timestamp.version)?;
        Seen::raise(&mut self.seen.snapshot, "snapshot", snapshot)?;
        self.good_until = self.good_until.min(timestamp.expires());
        Ok(snapshot)
    }

    /// Takes the snapshot, and says which version of the targets it names.
    pub(super) fn snapshot(&mut self, bytes: &[u8]) -> Result<u64, Defect> {
        self.trusted.update_snapshot(bytes, self.now)?;
        let snapshot = self.trusted.snapshot().ok_or(Defect::Missing)?;
        let targets = named(snapshot.meta.get(TARGETS), TARGETS)?;
        Seen::raise(&mut self.seen.targets, "targets", targets)?;
        self.good_until = self.good_until.min(snapshot.expires());
        Ok(targets)
    }

    /// Takes the targets, and says what they say of the one of that name.
    pub(super) fn targets(&mut self, bytes: &[u8], name: &'static str) -> Result<Target, Defect> {
        let targets = self.trusted.update_targets(bytes, self.now)?;
        self.good_until = self.good_until.min(targets.expires());
        Target::read(name, targets.target(name).ok_or(Defect::Unnamed(name))?)
    }

    /// What the next refresh starts from.
    pub(super) fn anchor(&self) -> Anchor {
        Anchor::of(&self.trusted, self.seen)
    }

    pub(super) fn good_until(&self) -> Timestamp {
        Timestamp::from_unix(self.good_until.as_second())
    }
}

fn named(file: Option<&MetaFile>, name: &'static str) -> Result<u64, Defect> {
    file.map(|file| file.version).ok_or(Defect::Unnamed(name))
}

/// Whether a key may no longer sign the versions that were seen.
fn is_taken_away(before: &Root, after: &Root) -> bool {
    ["timestamp", "snapshot"].iter().any(|role| !keys(before, role).is_subset(&keys(after, role)))
}

/// The keys of a role. Their ids are anybody's choice.
fn keys<'a>(root: &'a Root, role: &str) -> BTreeSet<&'a str> {
    let ids = root.role(role).map(|role| role.keyids.as_slice()).unwrap_or_default();
    ids.iter().filter_map(|id| root.keys.get(id)).map(|key| key.keyval.public.as_str()).collect()
}
