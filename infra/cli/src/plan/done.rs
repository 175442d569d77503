//! Doing what has to be done.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use moorage_client::{Client, ClientError, Method, Request};
use moorage_declaration::{Action, Call, Key, Step, Verb};

use crate::{output::Progress, secrets::Known};

/// Steps that are done at once, of those that need none of each other.
const STEPS: usize = 8;

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// It is done.
    Done,
    /// It is for somebody who has not signed in yet.
    Waiting,
    /// It failed, for this reason.
    Failed(String),
    /// It was not tried, because this failed, which it needs.
    Skipped(Key),
}

impl Outcome {
    /// A word for it.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Nothing => "unchanged",
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }
}

/// Does all steps, rank by rank, and goes on after those that fail. What became of each, in their order.
pub(crate) async fn apply(client: &Client, steps: &[Step], known: &Known) -> Vec<Outcome> {
    let (mut outcomes, mut failed) = (Vec::with_capacity(steps.len()), BTreeSet::new());
    let mut progress = Progress::new();
    for rank in steps.chunk_by(|one, other| one.rank() == other.rank()) {
        let done: Vec<_> = {
            let failed = &failed;
            stream::iter(rank).map(|step| one(client, step, failed, known)).buffered(STEPS).collect().await
        };
        for (step, outcome) in rank.iter().zip(&done) {
            if matches!(outcome, Outcome::Failed(_) | Outcome::Skipped(_)) {
                failed.insert(step.key.clone());
            }
        }
        outcomes.extend(done);
        let total = u64::try_from(steps.len()).unwrap_or(u64::MAX);
        progress.show(u64::try_from(outcomes.len()).unwrap_or(total), total, "applied");
    }
    outcomes
}

async fn one(client: &Client, step: &Step, failed: &BTreeSet<Key>, known: &Known) -> Outcome {
    if let Action::Impossible { why, .. } = &step.action {
        return Outcome::Failed(why.clone());
    }
    if step.is_nothing() {
        return Outcome::Nothing;
    }
    if step.action == Action::Wait {
        return Outcome::Waiting;
    }
    if let Some(need) = step.needs.iter().find(|need| failed.contains(need)) {
        return Outcome::Skipped(need.clone());
    }
    for call in &step.calls {
        if let Err(why) = send(client, call, known).await {
            return Outcome::Failed(why);
        }
    }
    Outcome::Done
}

async fn send(client: &Client, call: &Call, known: &Known) -> Result<(), String> {
    let method = match call.verb {
        Verb::Post => Method::Post,
        Verb::Put => Method::Put,
        Verb::Delete => Method::Delete,
    };
    let mut request = Request::new(method, &call.path).if_match(call.if_match.clone());
    if let Some(body) = call.filled(|source| known.resolve(source))? {
        request = request.body(body);
    }
    if call.is_repeatable {
        request = request.repeatable();
    }
    match client.call(&request).await {
        Ok(_) => Ok(()),
        // What is to go is gone.
        Err(ClientError::NotFound { .. }) if call.verb == Verb::Delete => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
