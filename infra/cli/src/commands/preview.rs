//! `preview`.

use moorage_client::{ClientError, Method, Request};
use moorage_declaration::{Element, preview};
use serde_json::{Value, json};

use crate::{
    arguments::Preview,
    context::Context,
    documents,
    error::CliError,
    exit::Exit,
    output::{Table, count, short},
    secrets,
    target::mirror_of,
};

pub(super) async fn run(asked: &Preview, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let path = format!("{}/preview", mirror_of(&asked.repository));
    let called = client.call(&Request::new(Method::Post, path).body(body(asked)?).repeatable()).await;
    let mut shown = match called {
        // Who declares a mirror may not have the repository yet, of which it would be.
        Err(ClientError::NotFound { .. }) if !asked.files.is_empty() => {
            let what = "there is no such repository yet: apply the document with is_enabled: false, and look then";
            return Err(CliError::Refused(format!("{}: {what}", asked.repository)));
        }
        answer => answer?.body,
    };
    if !asked.actions.is_empty()
        && let Some(tags) = shown["tags"].as_array_mut()
    {
        tags.retain(|tag| asked.actions.iter().any(|action| tag["action"] == action.as_str()));
    }
    let exit = if shown["failure"].is_null() { Exit::Done } else { Exit::Failed };
    if context.screen.is_json() {
        context.screen.json(&shown)?;
        return Ok(exit);
    }
    tell(context, &shown)?;
    Ok(exit)
}

/// The settings that are declared; none for the mirror's own.
fn body(asked: &Preview) -> Result<Value, CliError> {
    if asked.files.is_empty() {
        return Ok(json!({}));
    }
    let declaration = documents::declaration(&asked.files)?;
    let mirror = declaration.elements().find_map(|element| match element {
        Element::Mirror(repository, mirror) if *repository == asked.repository => Some(mirror),
        _ => None,
    });
    let missing = || CliError::Refused(format!("no document declares a mirror of {}", asked.repository));
    let call = preview(&asked.repository, mirror.ok_or_else(missing)?);
    let wrong = |why| CliError::Secret { of: format!("mirror {}", asked.repository), why };
    Ok(call.filled(secrets::resolve).map_err(wrong)?.unwrap_or_else(|| json!({})))
}

fn tell(context: &Context, shown: &Value) -> Result<(), CliError> {
    let screen = context.screen;
    if let Some(message) = shown["failure"]["message"].as_str() {
        screen.line(message)?;
        return screen.line(shown["failure"]["advice"].as_str().unwrap_or_default());
    }
    let mut table = Table::new(&["TAG", "ACTION", "DIGEST", "REASON"]);
    for tag in shown["tags"].as_array().into_iter().flatten() {
        let text = |name: &str| tag[name].as_str().unwrap_or("-").to_owned();
        table.row([text("name"), text("action"), short(tag.get("digest")), text("reason")]);
    }
    if !table.is_empty() {
        screen.table(&table)?;
    }
    let of = |name: &str| shown["counts"][name].as_u64().unwrap_or_default();
    let counts = ["copy", "keep", "delete", "hold", "gated", "refuse", "fail", "unknown", "ignore"];
    let counts = counts.into_iter().filter(|name| of(name) > 0).map(|name| format!("{} {name}", of(name)));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let counts = if counts.is_empty() { "nothing to do".to_owned() } else { counts };
    let pulls = shown["cost"]["pulls"].as_u64().unwrap_or_default();
    screen.line(&format!("{counts}; of {}, {} selected.", count(of("listed"), "tag"), of("selected")))?;
    if pulls > 0 {
        screen.line(&format!("The sync would fetch {} of images.", count(pulls, "manifest")))?;
    }
    shown["warning"]["message"].as_str().map_or(Ok(()), |said| screen.line(said))
}
