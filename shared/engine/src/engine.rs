//! The clients and the settings that everything here is done with.

use std::time::Duration;

use moorage_clouds::Clouds;
use moorage_domain::{AwsMeter, Fence, Guard, TrustDomain, notification::Notice, share::Quota};
use moorage_schedule::{Invoker, Scheduler};
use moorage_state::{SecretBox, Table};
use moorage_storage::Storage;
use moorage_upstream::Limits;

/// What a sync needs to know of its stack.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a claim lasts unless it is renewed: how soon a killed sync can be taken over.
    pub claim: Duration,
    /// The pause before a failed sync's first retry; it doubles before the second.
    pub retry_backoff: Duration,
    /// How often the registry is asked what refers to images that have not changed.
    pub referrers_refresh: Duration,
    /// How often a sync looks at everything that the tags reference, instead of trusting the table.
    pub verify_interval: Duration,
    /// The fewest bytes that a run moves in an hour of work in which it gets done with no tag; one that moves less is
    /// ended. 0 lets every run go on.
    pub min_bytes_per_hour: u64,
    /// Whether each repository has metrics of its own, or only each namespace: CloudWatch charges for every one.
    pub repository_metrics: bool,
    /// How many intervals after its last success a mirror is late.
    pub late_intervals: u64,
    /// What one namespace may take.
    pub shares: SyncShares,
    /// How much is asked of one registry at once.
    pub limits: Limits,
    /// Which addresses a registry may have.
    pub guard: Guard,
    /// The memory that the function has, in MB: what its time costs depends on it.
    pub memory_mb: u64,
    /// Whose possession of content lets a repository have it without its registry's sending it.
    pub trust: TrustDomain,
}

/// What one namespace may take of the deployment. 0 is any number.
#[derive(Debug, Clone, Copy, Default)]
pub struct SyncShares {
    /// Syncs at once.
    pub syncs: u32,
    /// Tags and bytes in all repositories together.
    pub quota: Quota,
}

/// Runs syncs.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Configuration, claims, and what is reported.
    pub table: Table,
    /// Where images go.
    pub storage: Storage,
    /// For the retry after a failure, and for syncs that wait.
    pub scheduler: Scheduler,
    /// For the next invocation of a sync that needs more time.
    pub invoker: Invoker,
    /// For who is told of what happens.
    pub teller: Invoker,
    /// For the credentials of the registry.
    pub secrets: SecretBox,
    /// For the logins that clouds give instead.
    pub clouds: Clouds,
    /// What the clients of the bucket, the table and the key count of what is used, for the runs.
    pub meter: AwsMeter,
    /// The stack's settings.
    pub settings: Settings,
}

impl Engine {
    /// Has somebody told of what happened. Of what is lost here the end of a run is found again, and told later.
    pub(crate) async fn tell(&self, notice: &Notice) {
        if let Err(error) = self.teller.tell(notice).await {
            tracing::warn!(?notice, %error, "nobody was told at once");
        }
    }

    /// The same, for one who works by a right that ends: then nothing is changed any more in the bucket and in the table,
    /// whatever is still under way.
    pub(crate) fn fenced(&self, fence: &Fence) -> Self {
        Self { table: self.table.fenced(fence), storage: self.storage.fenced(fence), ..self.clone() }
    }
}
