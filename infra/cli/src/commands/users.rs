//! `users`.

use moorage_client::{Client, Method, Request, segment};
use moorage_domain::UserName;
use serde_json::{Value, json};

use crate::{
    arguments::people::Users,
    context::Context,
    error::CliError,
    exit::Exit,
    output::{Table, confirm},
};

/// Where they are.
const PATH: &str = "superuser/users/";

pub(super) async fn run(asked: &Users, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    match asked {
        Users::List { limit } => list(&client, context, usize::try_from(*limit).unwrap_or(usize::MAX)).await?,
        Users::Disable { user } => {
            switch(&client, user, false).await?;
            told(context, user, "disabled", &format!("{user} is let in no more, within half a minute."))?;
        }
        Users::Enable { user } => {
            switch(&client, user, true).await?;
            told(context, user, "enabled", &format!("{user} is let in again."))?;
        }
        Users::Delete { user, yes } => {
            let question = format!("All that {user} may ends, and so do the tokens that {user} has made.");
            confirm(*yes, &question, user.as_str())?;
            client.call(&Request::new(Method::Delete, path(user))).await.map_err(|error| of(user, error))?;
            told(context, user, "deleted", &format!("{user} is deleted."))?;
        }
    }
    Ok(Exit::Done)
}

fn path(user: &UserName) -> String {
    format!("{PATH}{}", segment(user.as_str()))
}

async fn switch(client: &Client, user: &UserName, is_enabled: bool) -> Result<(), CliError> {
    let request = Request::new(Method::Put, path(user)).body(json!({"enabled": is_enabled}));
    client.call(&request).await.map_err(|error| of(user, error))?;
    Ok(())
}

/// Why a user is not changed.
fn of(user: &UserName, error: moorage_client::ClientError) -> CliError {
    match error {
        moorage_client::ClientError::NotFound { .. } => CliError::Refused(format!("{user} has never signed in")),
        error => error.into(),
    }
}

async fn list(client: &Client, context: &Context, most: usize) -> Result<(), CliError> {
    let found = client.pages(&format!("{PATH}?limit=100"), "users", most).await?;
    if context.screen.is_json() {
        return context.screen.json(&json!({"users": found.entries, "is_more": found.is_more}));
    }
    let mut table = Table::new(&["USER", "EMAIL", "MAY"]).whole(0);
    for user in &found.entries {
        let text = |name: &str| user[name].as_str().unwrap_or("-").to_owned();
        table.row([text("username"), text("email"), may(user).to_owned()]);
    }
    if table.is_empty() {
        return context.screen.line("Nobody has signed in yet.");
    }
    context.screen.table(&table)?;
    if found.is_more { context.screen.line("There are more: --limit says how many are listed.") } else { Ok(()) }
}

fn may(user: &Value) -> &'static str {
    match (user["enabled"] == false, user["super_user"] == true) {
        (true, _) => "disabled",
        (false, true) => "everything",
        (false, false) => "as teams and roles say",
    }
}

fn told(context: &Context, user: &UserName, what: &str, text: &str) -> Result<(), CliError> {
    if context.screen.is_json() {
        return context.screen.json(&json!({"target": user.as_str(), "result": what}));
    }
    context.screen.line(text)
}
