//! `plan` and `apply`.

use moorage_declaration::{Action, Key, Step};
use serde_json::json;

use crate::{
    arguments::{Apply, Declared},
    context::Context,
    error::CliError,
    exit::Exit,
    output::confirm,
    plan::{self, Outcome},
    secrets::Known,
};

/// Says what would have to be done.
pub(super) async fn plan(declared: &Declared, context: &Context) -> Result<Exit, CliError> {
    let steps = Box::pin(plan::steps(declared, &context.client()?)).await?;
    let (screen, known) = (context.screen, Known::default());
    // Here they may be elsewhere than where it is applied; whoever applies it there has to have them all the same.
    let missing = plan::missing_secrets(&steps, &known);
    if screen.is_json() {
        let mut shown = plan::json(&steps, None);
        let secret = |(of, why): &(&Key, String)| json!({"kind": of.kind().as_str(), "name": of.name(), "error": why});
        shown["missing_secrets"] = missing.iter().map(secret).collect();
        screen.json(&shown)?;
    } else {
        plan::show(screen, &steps)?;
        for (of, why) in &missing {
            screen.line(&format!("! {of} needs a secret: {why}"))?;
        }
    }
    Ok(if missing.is_empty() { exit_of(&steps) } else { Exit::Failed })
}

fn exit_of(steps: &[Step]) -> Exit {
    if steps.iter().any(|step| matches!(step.action, Action::Impossible { .. })) {
        Exit::Failed
    } else if steps.iter().all(|step| step.is_nothing() && step.absent.is_empty()) {
        Exit::Done
    } else {
        Exit::Notable
    }
}

/// Does it.
pub(super) async fn run(apply: &Apply, context: &Context) -> Result<Exit, CliError> {
    let (client, screen) = (context.client()?, context.screen);
    let steps = Box::pin(plan::steps(&apply.declared, &client)).await?;
    let known = Known::default();
    plan::look_for_secrets(&steps, &known)?;
    let is_anything = steps.iter().any(|step| !step.calls.is_empty());
    if !screen.is_json() {
        plan::show(screen, &steps)?;
    }
    if is_anything {
        confirm(apply.yes, "Is it to be done?", "yes")?;
    }
    let outcomes = Box::pin(plan::apply(&client, &steps, &known)).await;
    if screen.is_json() {
        screen.json(&plan::json(&steps, Some(&outcomes)))?;
    } else {
        tell(context, &steps, &outcomes)?;
    }
    Ok(exit_after(&steps, &outcomes))
}

/// How it ends: whom it names and who is not there is nobody's failure.
pub(super) fn exit_after(steps: &[Step], outcomes: &[Outcome]) -> Exit {
    if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Skipped(_))) {
        Exit::Failed
    } else if steps.iter().any(|step| !step.absent.is_empty()) {
        Exit::Notable
    } else {
        Exit::Done
    }
}

/// What became of it.
pub(super) fn tell(context: &Context, steps: &[Step], outcomes: &[Outcome]) -> Result<(), CliError> {
    for (step, outcome) in steps.iter().zip(outcomes) {
        match outcome {
            Outcome::Failed(why) => context.screen.line(&format!("{} failed: {why}", step.key))?,
            Outcome::Skipped(need) => {
                context.screen.line(&format!("{} was not tried, because {need} failed", step.key))?;
            }
            Outcome::Done | Outcome::Nothing | Outcome::Waiting => {}
        }
    }
    let of = |word: &str| outcomes.iter().filter(|outcome| outcome.as_str() == word).count();
    let (done, failed, skipped) = (of("done"), of("failed"), of("skipped"));
    let waiting = steps.iter().filter(|step| !step.absent.is_empty()).count();
    if waiting > 0 && done + failed + skipped == 0 {
        return context.screen.line(&format!("Nothing is to do until people have signed in: {waiting} wait for them."));
    }
    if done + failed + skipped == 0 {
        return context.screen.line("Everything is as declared.");
    }
    context.screen.line(&format!("{done} done, {failed} failed, {skipped} not tried."))
}
