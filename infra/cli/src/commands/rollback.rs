//! `rollback`: what would come of it first, and then it.

use moorage_client::{Client, Method, Request};
use serde_json::{Value, json};

use crate::{
    arguments::Rollback,
    commands::{
        changes, runs, sync,
        wait::{self, Waited, Which},
    },
    context::Context,
    error::CliError,
    exit::Exit,
    output::{Table, confirm, count, note},
    target::Target,
};

/// The most repositories of an organization of which it is said what would come of it.
const REPOSITORIES: usize = 100_000;

pub(super) async fn run(asked: &Rollback, context: &Context) -> Result<Exit, CliError> {
    let client = context.client()?;
    let body = body(asked, &client).await?;
    let plan = plan(asked, &client, &body).await?;
    if asked.dry_run {
        if context.screen.is_json() {
            context.screen.json(&plan)?;
        } else {
            tell(context, &asked.target, &plan)?;
        }
        return Ok(if is_whole(&plan) { Exit::Done } else { Exit::Failed });
    }
    if !context.screen.is_json() {
        tell(context, &asked.target, &plan)?;
    }
    if matches!(asked.target, Target::Repository(_)) && !is_whole(&plan) {
        let why = "not all of the content is here any more, so that nothing would be turned back".to_owned();
        return Err(CliError::Refused(why));
    }
    let question = format!("Turn {} back?", asked.target);
    confirm(asked.yes, &question, &asked.target.to_string())?;
    if asked.no_pause {
        stays_paused(asked, &client).await?;
    }
    let path = format!("{}/rollback", asked.target.mirror());
    let started = client.call(&Request::new(Method::Post, path).body(body)).await?.body;
    let id = started["run_id"].as_str().ok_or(CliError::Unexpected("run_id"))?.to_owned();
    if !asked.wait {
        return begun(context, &asked.target, &id);
    }
    match &asked.target {
        Target::Repository(repository) => {
            match wait::at_most(None, wait::run(&client, repository, &Which::One(id))).await? {
                Waited::For(run) => wait::tell(context, repository, &run),
                other => Ok(wait::unseen(&other, repository)),
            }
        }
        Target::Organization(_) => {
            let path = asked.target.mirror();
            match wait::at_most(None, wait::round(&client, &path)).await? {
                Waited::For(mirror) => sync::ended(context, &asked.target, &mirror),
                other => Ok(wait::unseen(&other, &asked.target)),
            }
        }
    }
}

/// Says that a mirror stays paused that was so before, whoever wants none now.
async fn stays_paused(asked: &Rollback, client: &Client) -> Result<(), CliError> {
    if client.get(&asked.target.mirror()).await?["paused"].is_object() {
        let target = &asked.target;
        note(&format!(
            "{target} is paused already, and stays so: --no-pause makes no new pause. `moorage resume {target}` ends it."
        ));
    }
    Ok(())
}

async fn body(asked: &Rollback, client: &Client) -> Result<Value, CliError> {
    let mut body = json!({});
    match (&asked.run, &asked.at, &asked.target) {
        (Some(run), _, Target::Repository(repository)) => {
            body["run_id"] = runs::id(client, repository, run).await?.into();
        }
        (Some(_), _, Target::Organization(_)) => {
            let why = "an organization is turned back to a moment (--at), as its rounds are not kept".to_owned();
            return Err(CliError::Usage(why));
        }
        (None, at, _) => body["at"] = at.clone().into(),
    }
    if !asked.tags.is_empty() {
        body["tags"] = asked.tags.clone().into();
    }
    if asked.no_pause {
        body["pause"] = false.into();
    }
    if let Some(until) = &asked.resume_at {
        body["resume_at"] = until.clone().into();
    }
    Ok(body)
}

/// What would come of it; of an organization: from all pages.
async fn plan(asked: &Rollback, client: &Client, body: &Value) -> Result<Value, CliError> {
    let mut body = body.clone();
    body["dry_run"] = true.into();
    let path = format!("{}/rollback", asked.target.mirror());
    let post = |path: String| Request::new(Method::Post, path).body(body.clone()).repeatable();
    let mut plan = client.call(&post(path.clone())).await?.body;
    while let Some(next) = plan["next_page"].as_str().map(str::to_owned) {
        let mut page = client.call(&post(format!("{path}?next_page={}", moorage_client::segment(&next)))).await?.body;
        let more = page["repositories"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let repositories = plan["repositories"].as_array_mut().ok_or(CliError::Unexpected("repositories"))?;
        repositories.extend(more);
        if repositories.len() > REPOSITORIES {
            return Err(CliError::Refused(format!("there are more than {REPOSITORIES} repositories")));
        }
        plan["next_page"] = page["next_page"].take();
    }
    if let Some(plan) = plan.as_object_mut() {
        plan.remove("next_page");
    }
    Ok(plan)
}

/// Whether all of the content is there that tags would be turned to.
fn is_whole(plan: &Value) -> bool {
    let is_none = |value: &Value| value.as_u64().unwrap_or_default() == 0;
    let repositories = plan["repositories"].as_array().into_iter().flatten();
    plan["missing"].as_array().is_none_or(Vec::is_empty)
        && repositories.into_iter().all(|it| is_none(&it["missing"]) && it["refused"].is_null())
}

fn begun(context: &Context, target: &Target, id: &str) -> Result<Exit, CliError> {
    if context.screen.is_json() {
        context.screen.json(&json!({"target": target.to_string(), "result": "started", "run_id": id}))?;
    } else {
        context.screen.line(&format!("{target} is being turned back, by the run"))?;
        context.screen.line(id)?;
    }
    Ok(Exit::Done)
}

fn tell(context: &Context, target: &Target, plan: &Value) -> Result<(), CliError> {
    let screen = context.screen;
    screen.line(&format!("{target} as of {}:", plan["at"].as_str().unwrap_or_default()))?;
    if let Some(repositories) = plan["repositories"].as_array() {
        let mut table = Table::new(&["REPOSITORY", "CREATED", "MOVED", "DELETED", "MISSING", "REFUSED"]);
        for it in repositories {
            let number = |name: &str| it[name].as_u64().unwrap_or_default().to_string();
            let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            let numbers = ["created", "moved", "deleted", "missing"].map(number);
            table.row(std::iter::once(text("name")).chain(numbers).chain([text("refused")]));
        }
        return screen.table(&table);
    }
    let table = changes::table(&plan["changes"]);
    if table.is_empty() {
        screen.line("Nothing would change.")?;
    } else {
        screen.table(&table)?;
    }
    let missing: Vec<_> = plan["missing"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !missing.is_empty() {
        screen.line(&format!("The content is not here any more of: {}", missing.join(", ")))?;
    }
    let unverified = plan["unverified"].as_u64().unwrap_or_default();
    if unverified > 0 {
        screen.line(&format!("There was no time to look for the content of {}.", count(unverified, "image")))?;
    }
    Ok(())
}
