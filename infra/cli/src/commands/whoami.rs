//! `whoami`.

use serde_json::Value;

use crate::{
    commands::may::roles,
    context::{Caller, Context},
    error::CliError,
    exit::Exit,
};

/// Says who the API takes the caller for.
pub(super) async fn run(context: &Context) -> Result<Exit, CliError> {
    let caller = context.caller()?;
    let client = context.client_of(&caller)?;
    let user = client.get("user/").await?;
    if context.screen.is_json() {
        context.screen.json(&user)?;
        return Ok(Exit::Done);
    }
    let name = user["username"].as_str().unwrap_or_default();
    let how = match &caller {
        Caller::Token(_) => "by a token".to_owned(),
        Caller::SignIn(stored) => format!("signed in at {}", stored.issuer),
    };
    context.screen.line(&format!("{name} at {}, {how}: {}.", client.address(), may(&user)))?;
    Ok(Exit::Done)
}

fn may(user: &Value) -> String {
    if user["super_user"] == true {
        return "may do everything".to_owned();
    }
    roles(user).unwrap_or_else(|| "has no role in any organization".to_owned())
}
