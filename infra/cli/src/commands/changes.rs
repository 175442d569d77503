//! `changes`.

use serde_json::Value;

use crate::{
    arguments::Changes,
    commands::runs,
    context::Context,
    error::CliError,
    exit::Exit,
    output::{Table, count, short},
    target::mirror_of,
};

pub(super) async fn run(asked: &Changes, context: &Context) -> Result<Exit, CliError> {
    let (client, repository) = (context.client()?, &asked.repository);
    let id = runs::id(&client, repository, asked.run.as_deref().unwrap_or("last")).await?;
    let mut path = format!("{}/runs/{}/changes", mirror_of(repository), moorage_client::segment(&id));
    if let Some(since) = &asked.since {
        let since = runs::id(&client, repository, since).await?;
        path.push_str("?since=");
        path.push_str(&moorage_client::segment(&since));
    }
    let found = client.get(&path).await?;
    let screen = context.screen;
    if screen.is_json() {
        screen.json(&found)?;
        return Ok(Exit::Done);
    }
    let table = table(&found["changes"]);
    if table.is_empty() {
        screen.line("Nothing has changed.")?;
    } else {
        screen.table(&table)?;
    }
    screen.line(&format!("By {}.", count(found["runs"].as_u64().unwrap_or_default(), "run")))?;
    if found["truncated"] == true {
        screen.line("These are the first of them; --output json has no more either.")?;
    }
    Ok(Exit::Done)
}

/// A table of changes, as runs and rollbacks have them.
pub(super) fn table(changes: &Value) -> Table {
    let mut table = Table::new(&["TAG", "CHANGE", "FROM", "TO"]);
    for change in changes.as_array().into_iter().flatten() {
        let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
        let to = change.get("to").or_else(|| change.get("held"));
        table.row([text("tag"), text("change"), short(change.get("from")), short(to)]);
    }
    table
}
