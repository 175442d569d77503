//! The queue of an organization's syncs: at most so many of its repositories are synced at once, and each that ends has the
//! next one started.

use moorage_domain::{
    Namespace,
    run::{SyncRequest, Trigger},
    status::SyncStatus,
};

use crate::{error::OrganizationsError, organizations::Organizations};

impl Organizations {
    /// Starts up to `count` of an organization's queued syncs; none while its mirror is cancelled. What could not be started is
    /// queued again.
    pub async fn start_turns(&self, organization: &Namespace, count: usize) -> Result<(), OrganizationsError> {
        let mirror = self.table.organization_mirror(organization).await?;
        if mirror.is_some_and(|mirror| mirror.state.sync_status == SyncStatus::Cancel) {
            return Ok(());
        }
        let mut taken = self.table.take_queued_syncs(organization, count).await?.into_iter();
        while let Some(turn) = taken.next() {
            let request = SyncRequest { repository: turn.repository.clone(), trigger: Trigger::Organization };
            let Err(error) = self.invoker.start(&request).await else {
                // Whoever is killed before this has it started twice: better than never.
                self.table.end_turn(&turn).await?;
                continue;
            };
            for turn in std::iter::once(turn).chain(taken) {
                self.table.queue_sync(&turn.repository).await?;
            }
            return Err(error.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{OrganizationsError, played::Played};

    fn set(names: &[String]) -> BTreeSet<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[tokio::test]
    async fn as_many_are_started_as_there_are_turns_and_each_once() {
        let played = Played::new(&["acme/a", "acme/b", "acme/c"], 9);
        let (organizations, acme) = (played.organizations(), "acme".parse().unwrap());
        organizations.start_turns(&acme, 0).await.unwrap();
        assert!(played.world().started.is_empty());
        organizations.start_turns(&acme, 2).await.unwrap();
        assert_eq!(played.counts(), (2, 1));
        organizations.start_turns(&acme, 2).await.unwrap();
        let world = played.world();
        assert_eq!((world.started.len(), set(&world.started)), (3, BTreeSet::from(["acme/a", "acme/b", "acme/c"])));
    }

    #[tokio::test]
    async fn who_was_faster_has_the_turn() {
        let played = Played::new(&["acme/a", "acme/c"], 9);
        played.world().taken.insert("acme/b".to_owned());
        played.organizations().start_turns(&"acme".parse().unwrap(), 3).await.unwrap();
        assert_eq!(set(&played.world().started), BTreeSet::from(["acme/a", "acme/c"]));
    }

    #[tokio::test]
    async fn what_could_not_be_started_is_queued_again() {
        let played = Played::new(&["acme/a", "acme/b", "acme/c"], 1);
        let failed = played.organizations().start_turns(&"acme".parse().unwrap(), 3).await;
        let Err(OrganizationsError::Schedule(error)) = failed else { panic!("{failed:?}") };
        assert!(error.is_throttled(), "{error}");
        assert_eq!(played.counts(), (1, 2));
        let world = played.world();
        assert!(!world.queued.contains(&world.started[0]));
    }
}
