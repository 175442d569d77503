//! `holds`.

use moorage_client::{Method, Request};
use serde_json::json;

use crate::{arguments::Holds, context::Context, error::CliError, exit::Exit, output::age, target::mirror_of};

pub(super) async fn run(asked: &Holds, context: &Context) -> Result<Exit, CliError> {
    let (client, screen) = (context.client()?, context.screen);
    match asked {
        Holds::List { repository, limit } => {
            let most = usize::try_from(*limit).unwrap_or(usize::MAX);
            let found = client.pages(&format!("{}/holds?limit=1000", mirror_of(repository)), "holds", most).await?;
            if screen.is_json() {
                screen.json(&json!({"holds": found.entries, "is_more": found.is_more}))?;
                return Ok(Exit::Done);
            }
            for hold in &found.entries {
                let text = |name: &str| hold[name].as_str().unwrap_or("-").to_owned();
                screen.line(&format!("{}: {}", text("tag"), text("message")))?;
                screen.indented(&text("digest"), 2)?;
                let mut facts =
                    vec![text("question"), text("reason"), format!("since {}", age(hold["since"].as_str()))];
                facts.extend(hold["until"].as_str().map(|until| format!("until {until}")));
                facts.extend((hold["can_be_released"] == true).then(|| "can be released".to_owned()));
                screen.indented(&facts.join(", "), 2)?;
            }
            if found.entries.is_empty() {
                screen.line("Nothing waits.")?;
            }
        }
        Holds::Release { repository, digest, reason } => {
            let path = format!("{}/holds/{digest}/release", mirror_of(repository));
            client.call(&Request::new(Method::Post, path).body(json!({"reason": reason}))).await?;
            if screen.is_json() {
                screen.json(&json!({"repository": repository, "digest": digest, "result": "released"}))?;
            } else {
                screen.line(&format!("{digest} is let in. A sync of {repository} begins."))?;
            }
        }
    }
    Ok(Exit::Done)
}
