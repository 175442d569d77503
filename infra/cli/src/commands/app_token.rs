//! `app-token`.

use moorage_client::{Method, Request, segment};
use serde_json::json;

use crate::{
    arguments::people::AppToken,
    context::Context,
    error::CliError,
    exit::Exit,
    output::{Table, clean, note},
};

/// Where they are.
const PATH: &str = "user/apptoken";

pub(super) async fn run(asked: &AppToken, context: &Context) -> Result<Exit, CliError> {
    let (client, screen) = (context.client()?, context.screen);
    match asked {
        AppToken::Create { title, expires } => {
            let mut body = json!({"title": title});
            if let Some(expires) = expires {
                body["expires"] = expires.as_str().into();
            }
            let made = client.call(&Request::new(Method::Post, PATH).body(body)).await?.body;
            if screen.is_json() {
                screen.json(&made)?;
                return Ok(Exit::Done);
            }
            let code = made["token"]["token_code"].as_str().ok_or(CliError::Unexpected("token_code"))?;
            let user = client.get("user/").await?;
            let name = user["username"].as_str().unwrap_or("$app");
            note(&format!("This is shown once. Log in to the registry with it as {name}, or as $app."));
            // Alone and whole, so that it can go into a pipe.
            screen.raw(format!("{}\n", clean(code)).as_bytes())?;
        }
        AppToken::List => {
            let all = client.get(PATH).await?;
            if screen.is_json() {
                screen.json(&all)?;
                return Ok(Exit::Done);
            }
            let mut table = Table::new(&["ID", "TITLE", "ENDS"]).whole(0);
            for token in all["tokens"].as_array().into_iter().flatten() {
                let text = |name: &str| token[name].as_str().unwrap_or("-").to_owned();
                table.row([text("uuid"), text("title"), text("expiration")]);
            }
            if table.is_empty() {
                screen.line("There are none.")?;
            } else {
                screen.table(&table)?;
            }
        }
        AppToken::Delete { uuid } => {
            client.call(&Request::new(Method::Delete, format!("{PATH}/{}", segment(uuid)))).await?;
            if screen.is_json() {
                screen.json(&json!({"target": uuid, "result": "deleted"}))?;
            } else {
                screen.line("It is deleted.")?;
            }
        }
    }
    Ok(Exit::Done)
}
