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
    output::{Table, age, bytes, clock, day_and_time, duration},
    target::mirror_of,
};

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
    let found = client.pages("mirror/overview", "mirrors", most).await?;
    if context.screen.is_json() {
        return context.screen.json(&json!({"mirrors": found.entries, "is_more": found.is_more}));
    }
    let mut table = Table::new(&["REPOSITORY", "STATUS", "SUCCESS", "TAGS", "NOTE"]);
    for mirror in &found.entries {
        let text = |name: &str| mirror[name].as_str().unwrap_or("-").to_owned();
        let warning = &mirror["sync_warning"]["reason"];
        let note = [&mirror["last_failure"], warning].into_iter().find_map(Value::as_str).unwrap_or_default();
        let late = if mirror["is_late"] == true { "late " } else { "" };
        let off = if mirror["is_enabled"] == false { "off " } else { "" };
        table.row([
            format!("{}/{}", text("namespace"), text("repository")),
            text("sync_status"),
            age(mirror["last_success"].as_str()),
            mirror["tags"].as_u64().map_or_else(|| "-".to_owned(), |tags| tags.to_string()),
            format!("{off}{late}{note}"),
        ]);
    }
    if table.is_empty() {
        return context.screen.line("There are no mirrors.");
    }
    context.screen.table(&table)?;
    more(context, found.is_more)
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
        let (started, status) = (clock(run["started_at"].as_str()), text("status"));
        table.row([text("run_id"), started, status, text("trigger"), copied.to_string()]);
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
    screen.line(&format!("{repository}: {} ({})", text("status"), text("trigger")))?;
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
    let mut table = Table::new(&["TAG", "OUTCOME", "WHY"]);
    for tag in run["tags"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let why = [&tag["failure"]["message"], &tag["gate"]["message"], &tag["cause"]];
        let why = why.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned();
        table.row([text(&tag["tag"]), text(&tag["outcome"]), why]);
    }
    if table.is_empty() { Ok(()) } else { screen.table(&table) }
}

/// How long a run took, if it has ended.
fn seconds(run: &Value) -> Option<u64> {
    let moment = |name: &str| moorage_domain::Timestamp::parse_iso(run[name].as_str()?);
    u64::try_from(moment("ended_at")?.unix() - moment("started_at")?.unix()).ok()
}
