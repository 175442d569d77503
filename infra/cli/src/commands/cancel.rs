//! `cancel` and `resume`.

use moorage_client::{Method, Request};
use serde_json::json;

use crate::{context::Context, error::CliError, exit::Exit, target::Target};

/// Ends what runs. Done twice, it is refused the second time, which says the same.
pub(super) async fn cancel(target: &Target, context: &Context) -> Result<Exit, CliError> {
    let path = format!("{}/sync-cancel", target.mirror());
    context.client()?.call(&Request::new(Method::Post, path).body(json!({}))).await?;
    told(context, target, "cancelled", &format!("The sync of {target} is cancelled. What it has mirrored stays."))
}

/// Ends a pause.
pub(super) async fn resume(target: &Target, context: &Context) -> Result<Exit, CliError> {
    let path = format!("{}/resume", target.mirror());
    context.client()?.call(&Request::new(Method::Post, path).body(json!({})).repeatable()).await?;
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
