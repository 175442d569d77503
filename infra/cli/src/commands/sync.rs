//! `sync`.

use moorage_client::{Client, ClientError, Method, Request};
use moorage_domain::RepositoryName;
use serde_json::{Value, json};

use crate::{
    arguments::Sync,
    commands::wait::{self, Waited, Which},
    context::Context,
    error::CliError,
    exit::Exit,
    target::Target,
};

pub(super) async fn run(sync: &Sync, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    match &sync.target {
        Target::Repository(repository) => Box::pin(repository_sync(sync, repository, &client, context)).await,
        Target::Organization(_) => Box::pin(organization_sync(sync, &client, context)).await,
    }
}

async fn repository_sync(
    sync: &Sync,
    repository: &RepositoryName,
    client: &Client,
    context: &Context,
) -> Result<Exit, CliError> {
    let before = wait::newest(client, repository).await?;
    let id = |run: &Value| run["run_id"].as_str().map(str::to_owned);
    // A sync that runs already goes on, and is the one that is waited for.
    let running = before.as_ref().filter(|run| wait::status(run) == "SYNCING").and_then(id);
    let which = match running {
        Some(run) if sync.wait => Which::One(run),
        _ => {
            start(client, &sync.target).await?;
            Which::After(before.as_ref().and_then(id))
        }
    };
    if !sync.wait {
        return started(context, &sync.target);
    }
    match wait::at_most(sync.timeout, wait::run(client, repository, &which)).await? {
        Waited::For(run) => wait::tell(context, repository, &run),
        other => Ok(wait::unseen(&other, repository)),
    }
}

async fn organization_sync(sync: &Sync, client: &Client, context: &Context) -> Result<Exit, CliError> {
    start(client, &sync.target).await?;
    if !sync.wait {
        return started(context, &sync.target);
    }
    let path = sync.target.mirror();
    match wait::at_most(sync.timeout, wait::round(client, &path)).await? {
        Waited::For(mirror) => ended(context, &sync.target, &mirror),
        other => Ok(wait::unseen(&other, &sync.target)),
    }
}

/// Asked for twice it is one sync; one that runs goes on.
async fn start(client: &Client, target: &Target) -> Result<(), CliError> {
    let path = format!("{}/sync-now", target.mirror());
    match client.call(&Request::new(Method::Post, path).body(json!({})).repeatable()).await {
        // As in Quay, a mirror that is being synced cannot be found by who wants to sync it.
        Err(ClientError::NotFound { .. }) => {
            client.get(&target.mirror()).await?;
            Ok(())
        }
        answer => answer.map(drop).map_err(CliError::from),
    }
}

fn started(context: &Context, target: &Target) -> Result<Exit, CliError> {
    if context.screen.is_json() {
        context.screen.json(&json!({"target": target.to_string(), "result": "started"}))?;
    } else {
        context.screen.line(&format!("{target} is being synced."))?;
    }
    Ok(Exit::Done)
}

/// What an organization's round has come to. What its repositories have held back is told by each of them.
pub(super) fn ended(context: &Context, target: &Target, mirror: &Value) -> Result<Exit, CliError> {
    let counts = &mirror["repo_sync_status_counts"];
    let of = |name: &str| counts[name].as_u64().unwrap_or_default();
    let has_failed = mirror["sync_status"] == "FAIL" || of("FAIL") > 0 || of("CANCEL") > 0;
    let exit = if has_failed { Exit::Failed } else { Exit::Done };
    if context.screen.is_json() {
        context.screen.json(&json!({"organization": target.to_string(), "mirror": mirror}))?;
        return Ok(exit);
    }
    let (succeeded, failed, skipped) = (of("SUCCESS"), of("FAIL"), of("SKIP"));
    context.screen.line(&format!(
        "{target}: {succeeded} repositories succeeded, {failed} failed, {} were cancelled, {skipped} are not mirrored any \
         more.",
        of("CANCEL")
    ))?;
    for said in [&mirror["status_message"], &mirror["status_advice"]] {
        if let Some(said) = said.as_str() {
            context.screen.indented(said, 2)?;
        }
    }
    Ok(exit)
}
