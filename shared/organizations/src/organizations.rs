//! The clients and the settings that everything here is done with.

use std::time::Duration;

use moorage_clouds::Clouds;
use moorage_domain::Guard;
use moorage_schedule::{Invoker, Scheduler};
use moorage_state::{SecretBox, Table};
use moorage_upstream::Limits;

/// Repositories that are changed at once, each in a transaction or two: enough to hide their latency.
pub(crate) const CHANGES_IN_FLIGHT: usize = 16;

/// What mirrors of organizations need to know of their stack.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long the claim of a discovery lasts unless it is renewed: how soon one that was killed can be taken over.
    pub claim: Duration,
    /// The pause before a failed discovery's first retry; it doubles before the second.
    pub retry_backoff: Duration,
    /// How many of an organization's repositories are synced at once.
    pub syncs: usize,
    /// The most repositories that an organization may have; 0 for any number.
    pub repositories: u64,
    /// How much is asked of one registry at once.
    pub limits: Limits,
    /// Which addresses a registry may have.
    pub guard: Guard,
}

/// Mirrors of whole organizations.
#[derive(Debug, Clone)]
pub struct Organizations {
    /// Configuration, claims, queues, and what is reported.
    pub table: Table,
    /// For the retry after a failure, and for the schedules of the mirrors.
    pub scheduler: Scheduler,
    /// For the syncs of the repositories, and for the next invocation of a discovery that needs more time.
    pub invoker: Invoker,
    /// For the credentials of the registries.
    pub secrets: SecretBox,
    /// For the logins that clouds give instead.
    pub clouds: Clouds,
    /// The stack's settings.
    pub settings: Settings,
}
