//! `logs`: the usage log, and what comes to it.

use std::{collections::VecDeque, time::Duration};

use moorage_client::{Client, segment};
use serde_json::Value;

use crate::{arguments::Logs, context::Context, error::CliError, exit::Exit, output::Screen, target::Target};

/// How often it is looked whether something has come.
const PAUSE: Duration = Duration::from_secs(2);
/// How many of the last entries are known again: more than can come in one pause.
const KNOWN: usize = 2_000;
/// Of the fields of an entry's metadata, those that nobody reads the log for.
const IMPLIED: [&str; 3] = ["namespace", "repo", "user-agent"];

pub(super) async fn run(asked: &Logs, context: &Context) -> Result<Exit, CliError> {
    let (client, screen) = (context.client()?, context.screen);
    let path = path(asked)?;
    let most = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let mut known = VecDeque::new();
    let mut entries = client.pages(&path, "logs", most).await?.entries;
    entries.reverse();
    for entry in entries {
        show(screen, &entry)?;
        known.push_back(entry);
    }
    if !asked.follow {
        return Ok(Exit::Done);
    }
    tokio::select! {
        ended = follow(&client, screen, &path, known) => ended.map(|()| Exit::Done),
        pressed = tokio::signal::ctrl_c() => {
            pressed?;
            Ok(Exit::Done)
        }
    }
}

/// Shows what comes, for ever. Entries have no ids, so that they are known by all that they say.
async fn follow(client: &Client, screen: Screen, path: &str, mut known: VecDeque<Value>) -> Result<(), CliError> {
    loop {
        tokio::time::sleep(PAUSE).await;
        for entry in new(client, path, &known).await?.into_iter().rev() {
            show(screen, &entry)?;
            known.push_back(entry);
        }
        while known.len() > KNOWN {
            known.pop_front();
        }
    }
}

/// What is not known, the newest first: of the first page, and of the next ones as long as nothing of a page is known.
async fn new(client: &Client, path: &str, known: &VecDeque<Value>) -> Result<Vec<Value>, CliError> {
    let (mut new, mut next) = (Vec::new(), path.to_owned());
    loop {
        let mut page = client.get(&next).await?;
        let entries = page["logs"].as_array_mut().map(std::mem::take).ok_or(CliError::Unexpected("logs"))?;
        let is_known_by_now = entries.iter().any(|entry| known.contains(entry));
        new.extend(entries.into_iter().filter(|entry| !known.contains(entry)));
        let next_page = page["next_page"].as_str();
        let Some(token) = next_page.filter(|_| !is_known_by_now && new.len() < KNOWN) else { return Ok(new) };
        let separator = if path.contains('?') { '&' } else { '?' };
        next = format!("{path}{separator}next_page={}", segment(token));
    }
}

fn path(asked: &Logs) -> Result<String, CliError> {
    let logs = match &asked.target {
        Target::Repository(name) => format!("repository/{name}/logs"),
        Target::Organization(name) => format!("organization/{name}/logs"),
    };
    let Some(since) = &asked.since else { return Ok(logs) };
    let wrong = || CliError::Usage(format!("{since:.20} is no day: write it as 2026-01-31"));
    let parts: Vec<_> = since.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return Err(wrong()) };
    let is_number = |text: &&str, length: usize| text.len() == length && text.bytes().all(|it| it.is_ascii_digit());
    if !(is_number(year, 4) && is_number(month, 2) && is_number(day, 2)) {
        return Err(wrong());
    }
    // As Quay has days.
    Ok(format!("{logs}?starttime={}", segment(&format!("{month}/{day}/{year}"))))
}

fn show(screen: Screen, entry: &Value) -> Result<(), CliError> {
    if screen.is_json() {
        return screen.json_line(entry);
    }
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let performer = entry["performer"]["name"].as_str().map(|name| format!(" by {name}")).unwrap_or_default();
    screen.line(&format!("{} {}{performer}", text("datetime"), text("kind")))?;
    let metadata = entry["metadata"].as_object().into_iter().flatten();
    for (name, value) in metadata.filter(|(name, value)| !IMPLIED.contains(&name.as_str()) && !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        screen.indented(&format!("{name}: {value}"), 2)?;
    }
    Ok(())
}
