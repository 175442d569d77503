//! What every call has at hand: clients and settings.

use std::time::Duration;

use moorage_domain::{CloudRules, Guard};
use moorage_identity::Issuers;
use moorage_runtime::StackSecret;
use moorage_schedule::{Invoker, Scheduler};
use moorage_state::{SecretBox, Table};

use crate::access::{admin_token::AdminToken, bound_teams::BoundTeams, provider::Provider};

/// Clients and settings.
pub struct Api {
    /// The DynamoDB table.
    pub table: Table,
    /// Encryption of the secrets that the table has.
    pub secrets: SecretBox,
    /// The schedules of mirrors.
    pub scheduler: Scheduler,
    /// The sync function.
    pub invoker: Invoker,
    /// The function that tells what happens.
    pub teller: Invoker,
    /// The stack's first token.
    pub admin_token: AdminToken,
    /// What signs the registry's tokens, and robots' passwords of an hour.
    pub token_key: StackSecret,
    /// The identity providers of workloads.
    pub issuers: Issuers,
    /// The one that people sign in with; none if nobody can.
    pub provider: Option<Provider>,
    /// The teams that are bound to its groups.
    pub bound_teams: BoundTeams,
    /// The API's URL, for links; empty if it is the one that is called.
    pub public_url: String,
    /// The external hosts that mirrors may name.
    pub guard: Guard,
    /// Who mirrors may be at clouds.
    pub clouds: CloudRules,
    /// What one namespace may take.
    pub shares: ApiShares,
    /// How many intervals after its last success a mirror is late.
    pub late_intervals: u64,
    /// Whether the stack has alarms; nothing where it does not say.
    pub has_alarms: Option<bool>,
    /// How long deleted tags can be brought back.
    pub tag_retention: Duration,
}

/// What one namespace may take of the deployment. 0 is any number.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApiShares {
    /// Previews at once, and whatever else asks a registry while somebody waits.
    pub previews: u32,
    /// Repositories.
    pub repositories: u64,
}
