//! Waiting for a run, or for an organization's round.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use moorage_client::{Client, ClientError};
use moorage_domain::RepositoryName;
use serde_json::{Value, json};

use crate::{
    context::Context,
    error::CliError,
    exit::Exit,
    output::{Progress, bytes, count, note},
    target::mirror_of,
};

/// How often it is looked at first: most syncs take some seconds.
const FIRST: Duration = Duration::from_millis(500);
/// How often at last. Each look is a call that is paid for.
const LAST: Duration = Duration::from_secs(5);
/// Runs that are looked at for the one that was asked for.
const RUNS: usize = 5;
/// Of a run that has ended: what was held back.
const HELD: [&str; 4] = ["deletions_held", "tags_held", "list_empty", "list_incomplete"];

/// What came of waiting.
pub(super) enum Waited<T> {
    /// What was waited for.
    For(T),
    /// The time is over, and it goes on.
    TimedOut,
    /// Whoever waited has pressed Ctrl-C, and it goes on.
    Interrupted,
}

/// Waits for something, at most so long, or until Ctrl-C.
pub(super) async fn at_most<T>(
    timeout: Option<u64>,
    what: impl Future<Output = Result<T, CliError>>,
) -> Result<Waited<T>, CliError> {
    let end = async {
        match timeout {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = what => done.map(Waited::For),
        () = end => Ok(Waited::TimedOut),
        pressed = tokio::signal::ctrl_c() => {
            pressed?;
            Ok(Waited::Interrupted)
        }
    }
}

/// The exit of somebody who did not see the end, and a word to them.
pub(super) fn unseen<T>(waited: &Waited<T>, of: &impl std::fmt::Display) -> Exit {
    let (why, exit) = match waited {
        Waited::Interrupted => ("You have stopped waiting", Exit::Interrupted),
        _ => ("The time to wait is over", Exit::TimedOut),
    };
    note(&format!("{why}; the sync of {of} goes on. `moorage cancel {of}` ends it."));
    exit
}

/// The newest run of a repository, if there is one.
pub(super) async fn newest(client: &Client, repository: &RepositoryName) -> Result<Option<Value>, CliError> {
    Ok(runs(client, repository, 1).await?.into_iter().next())
}

async fn runs(client: &Client, repository: &RepositoryName, most: usize) -> Result<Vec<Value>, CliError> {
    let path = format!("{}/runs?limit={most}", mirror_of(repository));
    match client.pages(&path, "runs", most).await {
        // Before the first run there is none of it.
        Err(ClientError::NotFound { .. }) => Ok(Vec::new()),
        pages => Ok(pages?.entries),
    }
}

/// Waits for the end of a run: of this one, or of the first one after another.
pub(super) async fn run(client: &Client, repository: &RepositoryName, which: &Which) -> Result<Value, CliError> {
    let (mut pause, mut progress) = (FIRST, Progress::new());
    loop {
        let found = runs(client, repository, RUNS).await?;
        let found = found.into_iter().rfind(|run| which.is(run.get("run_id").and_then(Value::as_str)));
        if let Some(run) = found {
            if status(&run) != "SYNCING" {
                return Ok(run);
            }
            draw(&mut progress, &run);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(LAST);
    }
}

/// Which run is waited for.
pub(super) enum Which {
    /// The one of this id.
    One(String),
    /// The first one after this; the first one at all without it. Ids are in the order in which runs begin.
    After(Option<String>),
}

impl Which {
    fn is(&self, id: Option<&str>) -> bool {
        match (self, id) {
            (Self::One(wanted), Some(id)) => wanted == id,
            (Self::After(Some(before)), Some(id)) => id > before.as_str(),
            (Self::After(None), Some(_)) => true,
            (_, None) => false,
        }
    }
}

/// Waits until no round of an organization's mirror runs any more.
pub(super) async fn round(client: &Client, path: &str) -> Result<Value, CliError> {
    let (mut pause, mut progress, begun) = (FIRST, Progress::new(), Instant::now());
    loop {
        let mirror = client.get(path).await?;
        let of = |name: &str| mirror["repo_sync_status_counts"][name].as_u64().unwrap_or_default();
        let running = of("SYNCING") + of("SYNC_NOW");
        let is_over = !matches!(mirror["sync_status"].as_str(), Some("SYNCING" | "SYNC_NOW")) && running == 0;
        // Its repositories are queued a moment after it has found them.
        if is_over && begun.elapsed() > FIRST {
            return Ok(mirror);
        }
        let done = of("SUCCESS") + of("FAIL") + of("CANCEL");
        progress.show(done, done + running + of("NEVER_RUN"), &format!("{done} repositories done"));
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(LAST);
    }
}

fn draw(progress: &mut Progress, run: &Value) {
    let of = |name: &str| run[name].as_u64().unwrap_or_default();
    let waits = run["waiting_until"].as_str().map(|until| format!(", waits for its registry until {until}"));
    let (done, total) = (of("tags_done"), of("tags_total"));
    let moved = format!("{} of {}", bytes(of("bytes_done")), bytes(of("bytes_total").max(of("bytes_done"))));
    progress.show(done, total, &format!("{done} of {}, {moved}{}", count(total, "tag"), waits.unwrap_or_default()));
}

pub(super) fn status(run: &Value) -> &str {
    run["status"].as_str().unwrap_or_default()
}

/// What a run that has ended means to whoever waited.
pub(super) fn exit_of(run: &Value) -> Exit {
    let reason = run["warning"]["reason"].as_str().unwrap_or_default();
    match status(run) {
        "SUCCESS" if run["tags_held"].as_u64().unwrap_or_default() > 0 || HELD.contains(&reason) => Exit::Notable,
        "SUCCESS" => Exit::Done,
        _ => Exit::Failed,
    }
}

/// Shows the end of a run.
pub(super) fn tell(context: &Context, repository: &RepositoryName, run: &Value) -> Result<Exit, CliError> {
    let (screen, exit) = (context.screen, exit_of(run));
    if screen.is_json() {
        screen.json(&json!({"repository": repository, "held": exit == Exit::Notable, "run": run}))?;
        return Ok(exit);
    }
    let of = |name: &str| run[name].as_u64().unwrap_or_default();
    let ended = match status(run) {
        "SUCCESS" => "succeeded",
        "CANCEL" => "was cancelled",
        _ => "failed",
    };
    let counts: Vec<_> = [
        (of("tags_copied"), "copied"),
        (of("tags_repaired"), "repaired"),
        (of("tags_unchanged"), "unchanged"),
        (of("tags_pruned"), "deleted"),
        (of("tags_held"), "held"),
        (of("tags_failed"), "failed"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    let counts = if counts.is_empty() { "no tags".to_owned() } else { counts.join(", ") };
    screen.line(&format!("{repository} {ended}: {counts}; {} moved.", bytes(of("bytes_copied"))))?;
    for said in [&run["failure"]["message"], &run["failure"]["advice"], &run["warning"]["message"]] {
        if let Some(said) = said.as_str() {
            screen.indented(said, 2)?;
        }
    }
    screen.line(&format!("Run {}", run["run_id"].as_str().unwrap_or_default()))?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_told_by_the_exit() {
        for (run, exit) in [
            (json!({"status": "SUCCESS", "tags_held": 0}), Exit::Done),
            (json!({"status": "SUCCESS", "tags_held": 2}), Exit::Notable),
            (json!({"status": "SUCCESS", "tags_held": 0, "warning": {"reason": "deletions_held"}}), Exit::Notable),
            (json!({"status": "SUCCESS", "tags_held": 0, "warning": {"reason": "credentials_dropped"}}), Exit::Done),
            (json!({"status": "FAIL", "tags_held": 2}), Exit::Failed),
            (json!({"status": "CANCEL"}), Exit::Failed),
        ] {
            assert_eq!(exit_of(&run), exit, "{run}");
        }
    }

    #[test]
    fn the_first_run_after_another_is_waited_for() {
        let after = Which::After(Some("019a".into()));
        assert!(!after.is(Some("019a")) && after.is(Some("019b")) && !after.is(None));
        assert!(Which::After(None).is(Some("0")) && Which::One("7".into()).is(Some("7")));
    }
}
