//! `pin` and `unpin`.

use moorage_client::{Client, Method, Request, segment};
use moorage_domain::RepositoryName;
use serde_json::json;

use crate::{
    arguments::{Pin, Unpin},
    commands::runs,
    context::Context,
    error::CliError,
    exit::Exit,
    output::{age, confirm, count},
    target::mirror_of,
};

/// Keeps what a run has left.
pub(super) async fn pin(asked: &Pin, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let path = path(&client, &asked.repository, &asked.run).await?;
    let body = asked.reason.as_ref().map_or_else(|| json!({}), |reason| json!({"reason": reason}));
    let pin = client.call(&Request::new(Method::Put, path).body(body).repeatable()).await?.body;
    let (tags, unverified) = (pin["tags"].as_u64().unwrap_or_default(), pin["unverified"].as_u64().unwrap_or_default());
    let exit = if unverified > 0 { Exit::Notable } else { Exit::Done };
    if context.screen.is_json() {
        context.screen.json(&pin)?;
        return Ok(exit);
    }
    let since = age(pin["since"].as_str());
    context.screen.line(&format!("Pinned {since}, with {}, until it is unpinned.", count(tags, "tag")))?;
    if unverified > 0 {
        let images = count(unverified, "image");
        context.screen.line(&format!("Of {images} nobody has looked yet whether they are whole: pin it once more."))?;
    }
    Ok(exit)
}

/// Ends that.
pub(super) async fn unpin(asked: &Unpin, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let path = path(&client, &asked.repository, &asked.run).await?;
    let question = "What only this pin keeps goes with the next collections, and nobody brings it back.";
    confirm(asked.yes, question, "yes")?;
    client.call(&Request::new(Method::Delete, path).repeatable()).await?;
    if context.screen.is_json() {
        context.screen.json(&json!({"target": asked.repository.to_string(), "result": "unpinned"}))?;
    } else {
        context.screen.line("It is not pinned any more.")?;
    }
    Ok(Exit::Done)
}

async fn path(client: &Client, repository: &RepositoryName, run: &str) -> Result<String, CliError> {
    let id = runs::id(client, repository, run).await?;
    Ok(format!("{}/runs/{}/pin", mirror_of(repository), segment(&id)))
}
