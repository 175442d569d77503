//! `doctor`: whether everything works, one question after the other.

mod check;
mod deployment;
mod limits;
mod registry;
mod rights;
mod way;

use serde_json::json;

use crate::{
    commands::doctor::check::{Check, Finding},
    context::{Context, client},
    error::CliError,
    exit::Exit,
    target::Target,
};

pub(super) async fn run(target: Option<&Target>, context: &Context) -> Result<Exit, CliError> {
    let checks = Box::pin(checks(target, context)).await?;
    let has_failed = checks.iter().any(|check| check.finding == Finding::Failed);
    let screen = context.screen;
    if screen.is_json() {
        screen.json(&json!({"checks": checks.iter().map(Check::json).collect::<Vec<_>>()}))?;
    } else {
        for check in &checks {
            screen.line(&format!("{:<8} {}: {}", check.finding.as_str(), check.what, check.message))?;
            if let Some(advice) = &check.advice {
                screen.indented(advice, 9)?;
            }
        }
    }
    Ok(if has_failed { Exit::Failed } else { Exit::Done })
}

/// As far as each lets the next one be asked.
async fn checks(target: Option<&Target>, context: &Context) -> Result<Vec<Check>, CliError> {
    let address = context.address()?;
    let mut checks = vec![way::name(&address).await];
    if checks.iter().any(Check::is_end) {
        return Ok(checks);
    }
    checks.extend(way::answer(&client(address.clone(), None)?).await);
    if checks.iter().any(Check::is_end) {
        return Ok(checks);
    }
    let token = match context.token() {
        Ok(token) => token,
        Err(error) => {
            checks.push(Check::failed("token", error.to_string(), error.advice()));
            return Ok(checks);
        }
    };
    let client = client(address, Some(&token))?;
    let (check, user) = deployment::token(&client).await;
    checks.push(check);
    let Some(user) = user else { return Ok(checks) };
    checks.extend(Box::pin(deployment::health(&client, &user)).await);
    if let Some(target) = target {
        checks.extend(Box::pin(registry::of(&client, target)).await);
    }
    Ok(checks)
}
