//! Tags that a registry did not have yet, or could not give: they are asked for again, a few times, and then left to the
//! mirror's schedule.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    gate::Reason,
    plan::Cause,
    run::{Outcome, TagOutcome},
};

/// How long after each try the next one begins. A registry that answers from several places may not show at once what was
/// pushed, which takes seconds; one that restarts is back in a minute; and what takes longer than some minutes is trouble,
/// which no webhook has to solve.
const AFTER: [Duration; 3] = [Duration::from_secs(10), Duration::from_secs(60), LONGEST];
/// The longest of them.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// A tag that is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it was asked for in vain.
    pub tries: u32,
    /// When it is asked for again; nothing while a sync does.
    pub at: Option<Timestamp>,
}

impl Retry {
    /// After one more try, if another one follows.
    pub(super) fn after(before: Option<Self>, now: Timestamp) -> Option<Self> {
        let tries = before.map_or(0, |before| before.tries);
        let delay = AFTER.get(usize::try_from(tries).ok()?)?;
        Some(Self { tries: tries.saturating_add(1), at: Some(now.plus(*delay)) })
    }

    /// Whether it is to be asked for now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// While a sync asks for it.
    pub(super) fn begun(self) -> Self {
        Self { at: None, ..self }
    }
}

/// Whether a tag may fare better before long: the registry lacked it, or could not give it, or it could not be said who has
/// signed it.
pub fn is_passing(outcome: &TagOutcome) -> bool {
    let is_unclear = || outcome.gate.is_some_and(|gate| gate.reason == Reason::EvidenceUnavailable);
    match outcome.outcome {
        Outcome::Failed => outcome.failure.as_ref().is_some_and(|failure| failure.reason.is_passing()),
        Outcome::Skipped => outcome.cause == Some(Cause::Vanished),
        Outcome::Held => is_unclear(),
        Outcome::Copied | Outcome::Unchanged | Outcome::Repaired | Outcome::Refused | Outcome::Pruned => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureReason, failure::Failure};

    #[test]
    fn what_may_pass_is_tried_again() {
        let of = |outcome| TagOutcome::new("v1".parse().unwrap(), outcome);
        let failed = |reason| {
            let failure = Some(Failure::new(reason, "x".to_owned()));
            TagOutcome { failure, ..of(Outcome::Failed) }
        };
        let gone = TagOutcome { cause: Some(Cause::Vanished), ..of(Outcome::Skipped) };
        for (outcome, expected) in [
            (failed(FailureReason::RegistryError), true),
            (failed(FailureReason::NetworkTimeout), true),
            (failed(FailureReason::AuthFailed), false),
            (failed(FailureReason::QuotaExceeded), false),
            (gone, true),
            (of(Outcome::Skipped), false),
            (of(Outcome::Copied), false),
            (of(Outcome::Refused), false),
            (of(Outcome::Held), false),
        ] {
            assert_eq!(is_passing(&outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn tries_are_few_and_farther_and_farther_apart() {
        let at = Timestamp::from_unix(1_790_000_000);
        let (mut retry, mut waits) = (None, Vec::new());
        while let Some(next) = Retry::after(retry, at) {
            waits.push(next.at.unwrap().unix() - at.unix());
            retry = Some(next.begun());
        }
        assert_eq!(waits, [10, 60, 300]);
    }
}
