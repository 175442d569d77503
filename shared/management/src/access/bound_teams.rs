//! The teams that are bound to groups, as they are remembered for some seconds.

use std::sync::Arc;

use moorage_domain::Timestamp;
use moorage_state::{BoundTeam, StateError, Table};
use tokio::sync::Mutex;

/// How long they are remembered, in seconds: for so long a person may still have, or not yet have, what a binding gives.
const FRESH: i64 = 30;

/// The teams that are bound to groups, in this environment.
#[derive(Default)]
pub struct BoundTeams(Mutex<Option<(Timestamp, Arc<[BoundTeam]>)>>);

impl BoundTeams {
    /// All of them. Who asks at the same time waits for one reading.
    pub(crate) async fn get(&self, table: &Table, now: Timestamp) -> Result<Arc<[BoundTeam]>, StateError> {
        let mut last = self.0.lock().await;
        if let Some((read, teams)) = last.as_ref()
            && (0..FRESH).contains(&now.unix().saturating_sub(read.unix()))
        {
            return Ok(Arc::clone(teams));
        }
        let teams: Arc<[_]> = table.bound_teams().await?.into();
        *last = Some((now, Arc::clone(&teams)));
        Ok(teams)
    }
}
