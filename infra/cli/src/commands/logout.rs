//! `logout`.

use serde_json::json;

use crate::{context::Context, error::CliError, exit::Exit, session::Folder};

/// Forgets the sign-in. The provider's own session, in a browser, is the provider's.
pub(super) async fn run(context: &Context) -> Result<Exit, CliError> {
    let (address, folder) = (context.address()?, Folder::of_user()?);
    let lock = folder.lock(&address).await?;
    let was_there = folder.remove(&address, &lock)?;
    if context.screen.is_json() {
        let result = if was_there { "signed_out" } else { "not_signed_in" };
        context.screen.json(&json!({"target": address.root(), "result": result}))?;
    } else if was_there {
        context.screen.line(&format!("You are signed out of {address}."))?;
    } else {
        context.screen.line(&format!("Nobody had signed in to {address}."))?;
    }
    Ok(Exit::Done)
}
