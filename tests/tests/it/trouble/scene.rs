//! A stack of one case's own, with one namespace in it that matters.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::task::Task;
use moorage_tests::{bucket, eventually, lab::Lab, stack::Stack, table, world::World};

/// Settings by which garbage goes at once; claims last until the test lets time pass, however slow the machine is.
pub(super) const PATIENT: &[(&str, &str)] =
    &[("RETENTION_SECONDS", "1"), ("GC_GRACE_SECONDS", "1"), ("CLAIM_SECONDS", "120")];
/// Longer than any claim and any lock, and shorter than an invocation may last: whoever is frozen for so long goes on.
pub(super) const MINUTES: Duration = Duration::from_secs(10 * 60);

/// How long it may take until a sync comes to its end whose claim may have to end first.
const SETTLED: Duration = Duration::from_secs(60);

/// A world in a stack of its own.
pub(super) struct Scene {
    pub(super) lab: Lab,
    pub(super) world: World,
}

/// What there is of a repository: whatever is written to it changes this.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    table: BTreeMap<String, BTreeMap<String, AttributeValue>>,
    bucket: BTreeSet<String>,
}

impl Scene {
    /// A copy of the world as it is now.
    pub(super) async fn of(world: &World, settings: &[(&str, &str)]) -> Self {
        let lab = Lab::new(&world.stack, settings).await;
        lab.only(&world.namespace);
        let world = World { stack: lab.stack.clone(), ..world.clone() };
        Self { lab, world }
    }

    pub(super) fn stack(&self) -> &Stack {
        &self.lab.stack
    }

    /// Minutes pass, as far as the table has moments.
    pub(super) async fn minutes_pass(&self) {
        table::let_pass(self.stack(), MINUTES).await;
    }

    /// What happens every five minutes, and all that it leads to. Returns how many invocations that was.
    pub(super) async fn watch(&self) -> usize {
        self.lab.task(&Task::Watch {}).await;
        self.lab.settle().await
    }

    /// Expects that whatever was begun has come to its end, where a slow machine may need another look.
    pub(super) async fn settled(&self) {
        eventually("the sync comes to its end", SETTLED, async || {
            let status = self.world.mirror().await["sync_status"].as_str().unwrap().to_owned();
            if matches!(status.as_str(), "SYNCING" | "SYNC_NOW") {
                self.watch().await;
                return None;
            }
            Some(())
        })
        .await;
    }

    /// Syncs, and expects that to succeed.
    pub(super) async fn sync(&self) {
        self.world.sync_now().await;
        self.lab.settle().await;
        self.settled().await;
        let mirror = self.world.mirror().await;
        assert_eq!(mirror["sync_status"], "SUCCESS", "{mirror}");
    }

    pub(super) async fn picture(&self) -> Picture {
        let (stack, repository) = (self.stack(), &self.world.repository);
        Picture { table: table::all_of(stack, repository).await, bucket: bucket::versions(stack, repository).await }
    }
}

impl Picture {
    /// What is not the same in another one.
    pub(super) fn difference(&self, other: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = self.table.keys().chain(other.table.keys()).collect();
        let changed = keys.into_iter().filter(|key| self.table.get(*key) != other.table.get(*key));
        let changed = changed.map(|key| format!("{:?} -> {:?}", self.table.get(key), other.table.get(key)));
        changed.chain(self.bucket.symmetric_difference(&other.bucket).cloned()).collect()
    }
}
