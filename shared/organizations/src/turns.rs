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
        while let Some(repository) = taken.next() {
            let request = SyncRequest { repository: repository.clone(), trigger: Trigger::Organization };
            let Err(error) = self.invoker.start(&request).await else { continue };
            for repository in std::iter::once(repository).chain(taken) {
                self.table.queue_sync(&repository).await?;
            }
            return Err(error.into());
        }
        Ok(())
    }
}
