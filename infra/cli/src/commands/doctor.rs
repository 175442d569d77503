//! `doctor`: whether everything works, one question after the other.

mod check;
mod deployment;
mod limits;
mod registry;
mod rights;
mod sign_in;
mod way;

use serde_json::json;

use crate::{
    commands::doctor::check::{Check, Finding},
    context::{Context, client},
    error::CliError,
    exit::Exit,
    target::Target,
};

/// Blanks before what is to be done: as wide as the column of what was found.
const INDENT: usize = 9;

pub(super) async fn run(target: Option<&Target>, context: &Context) -> Result<Exit, CliError> {
    let checks = Box::pin(checks(target, context)).await?;
    let has_failed = checks.iter().any(|check| check.finding == Finding::Failed);
    let screen = context.screen;
    if screen.is_json() {
        screen.json(&json!({"checks": checks.iter().map(Check::json).collect::<Vec<_>>()}))?;
    } else {
        for check in &checks {
            screen.line(&said(check))?;
            if let Some(advice) = &check.advice {
                screen.indented(advice, INDENT)?;
            }
        }
    }
    Ok(if has_failed { Exit::Failed } else { Exit::Done })
}

/// A check as it is shown.
fn said(check: &Check) -> String {
    format!("{:<8} {}: {}", check.finding.as_str(), check.what, check.message)
}

/// As far as each lets the next one be asked.
async fn checks(target: Option<&Target>, context: &Context) -> Result<Vec<Check>, CliError> {
    let address = context.address()?;
    let mut checks = vec![way::name(&address).await];
    if checks.iter().any(Check::is_end) {
        return Ok(checks);
    }
    let anonymous = client(address, None)?;
    checks.extend(way::answer(&anonymous).await);
    if checks.iter().any(Check::is_end) {
        return Ok(checks);
    }
    let caller = context.caller();
    checks.extend(sign_in::of(&anonymous, caller.as_ref().ok()).await);
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => {
            checks.push(Check::failed("token", error.to_string(), error.advice()));
            return Ok(checks);
        }
    };
    let client = context.client_of(&caller)?;
    let (check, user) = deployment::token(&client, &caller).await;
    checks.push(check);
    let Some(user) = user else { return Ok(checks) };
    checks.extend(Box::pin(deployment::health(&client, &user)).await);
    if let Some(target) = target {
        checks.extend(Box::pin(registry::of(&client, target)).await);
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::wrap;

    #[test]
    fn what_is_said_fits_into_eighty_columns() {
        let rights = json!([
            {"function": "api", "right": "read_table", "result": "ok", "message": null},
            {
                "function": "sync", "right": "write_bucket", "result": "denied",
                "message": "S3 denies access to PutObject (AccessDenied)",
            },
        ]);
        let facts = json!({"rate_limits": [], "rights": rights, "alarms_made": false});
        let mut checks = limits::of_deployment(&facts);
        checks.extend(rights::of(&facts));
        checks.extend(rights::alarms(&facts));
        let lines = checks.iter().flat_map(|check| {
            let advice = check.advice.as_deref().map(|advice| wrap(advice, 80, INDENT)).unwrap_or_default();
            wrap(&said(check), 80, 0).into_iter().chain(advice)
        });
        let expected = "\
ok       rate limit: no registry says that there is one at present
failed   functions: the function sync may not write to the bucket: S3 denies
access to PutObject (AccessDenied)
         Look at the function's role, at the policies of the bucket and of the
         key, and at those of the account; infra/README.md says who may do what.
warning  alarms: the stack has none
         Set the stack's parameter AlarmTopicArn to a topic of SNS: nobody is
         told otherwise that something is wrong.";
        assert_eq!(lines.collect::<Vec<_>>().join("\n"), expected);
    }
}
