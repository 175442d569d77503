//! `runs`.

use moorage_client::Client;
use moorage_domain::RepositoryName;
use serde_json::{Value, json};

use crate::{
    arguments::Runs,
    commands::wait,
    context::Context,
    error::CliError,
    exit::Exit,
    output::{Table, age, bytes, clock, day_and_time, duration, words},
    target::mirror_of,
};

/// Mirrors that are looked at for those that fail: a hundred calls.
const MIRRORS: usize = 100_000;
/// What stands for the newest run.
const LAST: &str = "last";

pub(super) async fn run(asked: &Runs, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let most = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    match (&asked.repository, &asked.run) {
        (None, _) => overview(&client, context, most).await?,
        (Some(repository), None) => list(&client, context, repository, most).await?,
        (Some(repository), Some(run)) => one(&client, context, repository, run).await?,
    }
    Ok(Exit::Done)
}

/// The id of a run that is named.
pub(super) async fn id(client: &Client, repository: &RepositoryName, run: &str) -> Result<String, CliError> {
    if run != LAST {
        return Ok(run.to_owned());
    }
    let newest = wait::newest(client, repository).await?;
    let none = || CliError::Refused(format!("{repository} has not been synced yet"));
    newest.as_ref().and_then(|run| run["run_id"].as_str()).map(str::to_owned).ok_or_else(none)
}

async fn overview(client: &Client, context: &Context, most: usize) -> Result<(), CliError> {
    // All of them, as those that fail come first, wherever they are.
    let mut found = client.pages("mirror/overview", "mirrors", MIRRORS.max(most)).await?;
    found.entries.sort_by_key(severity);
    let is_more = found.is_more || found.entries.len() > most;
    found.entries.truncate(most);
    if context.screen.is_json() {
        return context.screen.json(&json!({"mirrors": found.entries, "is_more": is_more}));
    }
    let mut table = Table::new(&["REPOSITORY", "STATUS", "SUCCESS", "TAGS"]);
    for mirror in &found.entries {
        let text = |name: &str| mirror[name].as_str().unwrap_or("-").to_owned();
        table.row([
            format!("{}/{}", text("namespace"), text("repository")),
            words(&text("sync_status")),
            age(mirror["last_success"].as_str()),
            mirror["tags"].as_u64().map_or_else(|| "-".to_owned(), |tags| tags.to_string()),
        ]);
        table.note(&note(mirror));
    }
    if table.is_empty() {
        return context.screen.line("There are no mirrors.");
    }
    context.screen.table(&table)?;
    more(context, is_more)
}

/// How soon somebody has to look at a mirror: what fails, then what is late, then what left something undone.
fn severity(mirror: &Value) -> u8 {
    if mirror["sync_status"] == "FAIL" {
        0
    } else if mirror["is_late"] == true {
        1
    } else {
        2 + u8::from(mirror["sync_warning"].is_null())
    }
}

/// What there is to say of a mirror, in words.
fn note(mirror: &Value) -> String {
    let off = (mirror["is_enabled"] == false).then(|| "off".to_owned());
    let late = (mirror["is_late"] == true).then(|| "late".to_owned());
    // What failed before the last success is over.
    let failure = mirror["last_failure"].as_str().filter(|_| mirror["sync_status"] != "SUCCESS").map(words);
    let warning = ["message", "reason"].into_iter().find_map(|name| mirror["sync_warning"][name].as_str()).map(words);
    [off, late, failure, warning].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

async fn list(client: &Client, context: &Context, repository: &RepositoryName, most: usize) -> Result<(), CliError> {
    let path = format!("{}/runs?limit={}", mirror_of(repository), most.clamp(1, 100));
    let found = client.pages(&path, "runs", most).await?;
    if context.screen.is_json() {
        return context.screen.json(&json!({"runs": found.entries, "is_more": found.is_more}));
    }
    let mut table = Table::new(&["RUN", "STARTED", "STATUS", "TRIGGER", "COPIED"]).whole(0);
    for run in &found.entries {
        let text = |name: &str| run[name].as_str().unwrap_or("-").to_owned();
        let copied = run["tags_copied"].as_u64().unwrap_or_default();
        let (started, status) = (clock(run["started_at"].as_str()), words(&text("status")));
        table.row([text("run_id"), started, status, words(&text("trigger")), copied.to_string()]);
    }
    if table.is_empty() {
        return context.screen.line(&format!("{repository} has not been synced yet."));
    }
    context.screen.table(&table)?;
    more(context, found.is_more)
}

fn more(context: &Context, is_more: bool) -> Result<(), CliError> {
    if is_more { context.screen.line("There are more: --limit says how many are listed.") } else { Ok(()) }
}

async fn one(client: &Client, context: &Context, repository: &RepositoryName, run: &str) -> Result<(), CliError> {
    let id = id(client, repository, run).await?;
    let run = client.get(&format!("{}/runs/{}", mirror_of(repository), moorage_client::segment(&id))).await?;
    let screen = context.screen;
    if screen.is_json() {
        return screen.json(&run);
    }
    let of = |name: &str| run[name].as_u64().unwrap_or_default();
    let text = |name: &str| run[name].as_str().unwrap_or("-").to_owned();
    screen.line(&format!("{repository}: {} ({})", words(&text("status")), words(&text("trigger"))))?;
    let took = seconds(&run).map_or_else(String::new, |seconds| format!(", took {}", duration(seconds)));
    screen.line(&format!("started {}{took}", day_and_time(&text("started_at"))))?;
    let upstream = &run["upstream"];
    screen.line(&format!(
        "{} copied, {} read of the registry by {} requests, {} of them for manifests",
        bytes(of("bytes_copied")),
        bytes(upstream["bytes_read"].as_u64().unwrap_or_default()),
        upstream["requests"].as_u64().unwrap_or_default(),
        upstream["manifest_gets"].as_u64().unwrap_or_default(),
    ))?;
    for said in [&run["failure"]["message"], &run["failure"]["advice"], &run["warning"]["message"]] {
        if let Some(said) = said.as_str() {
            screen.line(said)?;
        }
    }
    let mut tags: Vec<_> = run["tags"].as_array().into_iter().flatten().collect();
    tags.sort_by_key(|tag| urgency(tag));
    let mut table = Table::new(&["TAG", "OUTCOME"]).whole(1);
    for tag in tags {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        table.row([text(&tag["tag"]), words(&text(&tag["outcome"]))]);
        let why = [&tag["failure"]["message"], &tag["gate"]["message"]].into_iter().find_map(Value::as_str);
        table.note(&why.map_or_else(|| words(&text(&tag["cause"])), str::to_owned));
    }
    if table.is_empty() { Ok(()) } else { screen.table(&table) }
}

/// How soon somebody has to look at what became of a tag.
fn urgency(tag: &Value) -> u8 {
    match tag["outcome"].as_str().unwrap_or_default() {
        "failed" | "refused" => 0,
        "held" => 1,
        _ => 2,
    }
}

/// How long a run took, if it has ended.
fn seconds(run: &Value) -> Option<u64> {
    let moment = |name: &str| moorage_domain::Timestamp::parse_iso(run[name].as_str()?);
    u64::try_from(moment("ended_at")?.unix() - moment("started_at")?.unix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_comes_first_and_says_so_in_words() {
        let mut mirrors = [
            json!({"repository": "fine", "sync_status": "SUCCESS", "last_failure": "not_found", "sync_warning": null}),
            json!({"repository": "held", "sync_status": "SUCCESS", "sync_warning": {"reason": "tags_held"}}),
            json!({"repository": "late", "sync_status": "NEVER_RUN", "is_late": true, "is_enabled": false}),
            json!({"repository": "failed", "sync_status": "FAIL", "last_failure": "auth_failed"}),
        ];
        mirrors.sort_by_key(severity);
        let said: Vec<_> = mirrors.iter().map(|it| (it["repository"].as_str().unwrap(), note(it))).collect();
        let expected = [
            ("failed", "the registry refuses the login"),
            ("late", "off; late"),
            ("held", "tags wait at the gate"),
            ("fine", ""),
        ];
        assert_eq!(said, expected.map(|(name, note)| (name, note.to_owned())));
    }

    #[test]
    fn tags_that_failed_come_before_the_others() {
        let urgencies = ["copied", "held", "refused", "failed"].map(|outcome| urgency(&json!({"outcome": outcome})));
        assert_eq!(urgencies, [2, 1, 0, 0]);
    }
}
