//! `import`: from another mirror to a document, and to what it declares.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_client::{Address, Client, Method, Request, SecretString};
use moorage_declaration::{Key, Step};
use serde_json::{Value, json};

use crate::{
    arguments::import::{How, Import, Source},
    clock::now,
    commands::apply,
    context::{self, Context},
    error::CliError,
    exit::Exit,
    import::{
        document,
        draft::{self, Draft},
        harbor, image_syncer,
        options::Options,
        quay, regsync, skopeo,
        there::{self, AdaptError, adapt},
    },
    output::confirm,
    plan::{self, Outcome},
};

/// Robots that are looked at at once, as many as other things are.
const READS: usize = 8;

pub(super) async fn run(asked: &Import, context: &Context) -> Result<Exit, CliError> {
    let how = asked.source.how();
    let import = Box::pin(read(&asked.source, how)).await?;
    if let Some(path) = &how.out {
        document::write(path, &import)?;
    }
    let files = document::write_secrets(&import)?;
    if !context.screen.is_json() {
        for (indent, line) in import.report.lines() {
            context.screen.indented(&line, indent)?;
        }
        if !files.is_empty() {
            context.screen.line(&format!("{} secrets are in files that only you can read.", files.len()))?;
        }
        if let Some(path) = &how.out {
            context.screen.line(&format!("The document is {}.", path.display()))?;
        }
    }
    let applied = if how.apply { Some(Box::pin(apply(&import, how, context)).await?) } else { None };
    if context.screen.is_json() {
        let mut shown = import.report.json();
        shown["document"] = how.out.as_ref().map(|path| path.display().to_string()).into();
        shown["applied"] = applied.as_ref().map_or(Value::Null, Applied::json);
        context.screen.json(&shown)?;
    }
    Ok(match applied {
        Some(applied) if applied.exit() != Exit::Done => applied.exit(),
        _ if import.report.is_exact() => Exit::Done,
        _ => Exit::Notable,
    })
}

/// What the source has, translated.
async fn read(source: &Source, how: &How) -> Result<draft::Import, CliError> {
    let options = Options {
        organization: match source {
            Source::Quay { .. } => None,
            Source::Regsync { organization, .. }
            | Source::Skopeo { organization, .. }
            | Source::ImageSyncer { organization, .. }
            | Source::Harbor { organization, .. } => organization.clone(),
        },
        renames: how.renames.iter().cloned().collect(),
        robot: how.robot.clone(),
        is_enabled: how.enable,
        spread: how.spread,
        now: now(),
    };
    let mut draft = Draft::new(how.secrets.as_deref());
    match source {
        Source::Quay { from, from_token_file, allow_http, organizations, .. } => {
            let address = Address::parse(from, *allow_http)?;
            let token = context::read_token(from_token_file)?;
            let client = context::client(address, Some(&SecretString::from(token.trim())))?;
            Box::pin(quay::import(&client, organizations, &options, &mut draft)).await?;
        }
        Source::Regsync { file, .. } => regsync::import(file, &options, &mut draft)?,
        Source::Skopeo { file, scoped, .. } => skopeo::import(file, *scoped, &options, &mut draft)?,
        Source::ImageSyncer { file, auth, .. } => image_syncer::import(file, auth.as_deref(), &options, &mut draft)?,
        Source::Harbor { file, .. } => harbor::import(file, &options, &mut draft)?,
    }
    Ok(draft.end(source.name())?)
}

/// What was done.
struct Applied {
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
    /// What was left as it is.
    left: Vec<String>,
}

impl Applied {
    fn exit(&self) -> Exit {
        apply::exit_after(&self.steps, &self.outcomes)
    }

    fn json(&self) -> Value {
        let mut shown = plan::json(&self.steps, Some(&self.outcomes));
        shown["left"] = json!(self.left);
        shown
    }
}

/// As `apply` does with the document, but that what is there already keeps what an import must not decide.
async fn apply(import: &draft::Import, how: &How, context: &Context) -> Result<Applied, CliError> {
    let (client, screen) = (context.client()?, context.screen);
    let present = Box::pin(plan::present(&client, &import.declaration, false)).await?;
    let declaration = adapt(&import.declaration, &present, how.enable).map_err(|error| match error {
        AdaptError::Present(error) => CliError::from(error),
        AdaptError::Declaration(error) => CliError::from(error),
    })?;
    let left = if how.rotate_secrets { Vec::new() } else { other_tokens(import, &client).await? };
    let steps = plan::compared(&declaration, &present, how.rotate_secrets)?;
    plan::look_for_secrets(&steps, &import.known)?;
    if !screen.is_json() {
        plan::show(screen, &steps)?;
        for left in &left {
            screen.line(left)?;
        }
    }
    if steps.iter().any(|step| !step.calls.is_empty()) {
        confirm(how.yes, "Is it to be done?", "yes")?;
    }
    let outcomes = Box::pin(plan::apply(&client, &steps, &import.known)).await;
    if !screen.is_json() {
        apply::tell(context, &steps, &outcomes)?;
    }
    Ok(Applied { steps, outcomes, left })
}

/// What is told of robots that are there with other tokens.
async fn other_tokens(import: &draft::Import, client: &Client) -> Result<Vec<String>, CliError> {
    let one = |(key, token): (Key, &SecretString)| {
        let (client, token) = (client.clone(), token.clone());
        async move {
            let answer = client.ask(&Request::new(Method::Get, key.path())).await?;
            Ok::<_, CliError>(if answer.status == 200 { there::left(&key, &token, &answer.body) } else { None })
        }
    };
    let robots = there::robots(&import.declaration, &import.known);
    let told: Vec<_> = stream::iter(robots).map(one).buffered(READS).try_collect().await?;
    Ok(told.into_iter().flatten().collect())
}
