//! `cancel` and `resume`.

use moorage_client::{ClientError, Method, Request};
use serde_json::json;

use crate::{context::Context, error::CliError, exit::Exit, target::Target};

/// Ends what runs.
pub(super) async fn cancel(target: &Target, context: &Context) -> Result<Exit, CliError> {
    let (client, path) = (context.client()?, format!("{}/sync-cancel", target.mirror()));
    match client.call(&Request::new(Method::Post, path).body(json!({})).repeatable()).await {
        // As in Quay, what is not running does not exist; and neither does what does not exist.
        Err(ClientError::NotFound { .. }) => {
            client.get(&target.mirror()).await?;
            return told(context, target, "not_running", &format!("No sync of {target} runs."));
        }
        answer => answer?,
    };
    told(context, target, "cancelled", &format!("The sync of {target} is cancelled. What it has mirrored stays."))
}

/// Ends a pause.
pub(super) async fn resume(target: &Target, context: &Context) -> Result<Exit, CliError> {
    let (client, path) = (context.client()?, format!("{}/resume", target.mirror()));
    let was_paused = client.get(&target.mirror()).await?["paused"].is_object();
    client.call(&Request::new(Method::Post, path).body(json!({})).repeatable()).await?;
    if !was_paused {
        return told(context, target, "not_paused", &format!("{target} was not paused."));
    }
    told(context, target, "resumed", &format!("{target} is synced again."))
}

fn told(context: &Context, target: &Target, what: &str, text: &str) -> Result<Exit, CliError> {
    if context.screen.is_json() {
        context.screen.json(&json!({"target": target.to_string(), "result": what}))?;
    } else {
        context.screen.line(text)?;
    }
    Ok(Exit::Done)
}
