//! Steps, as they are shown.

use moorage_declaration::{Action, Change, Step, To};
use serde_json::{Map, Value, json};

use crate::{
    error::CliError,
    output::{Screen, cut},
    plan::Outcome,
};

/// The longest value that is shown, in characters: with the name it fits on a line.
const VALUE: usize = 44;
/// The longest of two values on a line.
const EACH: usize = 20;
/// What waits for somebody.
const WAITING: char = '?';
/// How wide the names of fields are, but for some long ones.
const NAME: usize = 28;

/// Shows what is to be done; what is unchanged is only counted.
pub(crate) fn show(screen: Screen, steps: &[Step]) -> Result<(), CliError> {
    for step in steps.iter().filter(|step| !step.is_nothing() || !step.absent.is_empty()) {
        // What is as it is to be is shown for whom it waits.
        let mark = if step.is_nothing() { WAITING } else { mark(&step.action) };
        screen.line(&format!("{mark} {}", step.key))?;
        if let Action::Impossible { why, .. } = &step.action {
            screen.indented(why, 4)?;
        }
        // Of what is new all is new.
        let is_new = matches!(step.action, Action::Create(_));
        for change in step.action.changes() {
            screen.indented(&line(change, is_new), 4)?;
        }
        if !step.absent.is_empty() {
            screen.indented(&absent(step), 4)?;
        }
    }
    screen.line(&format!("{}.", words(steps)))
}

/// Who is named and not there, and what to do about it.
pub(crate) fn absent(step: &Step) -> String {
    let names: Vec<_> = step.absent.iter().map(ToString::to_string).collect();
    let have = if names.len() == 1 { "has" } else { "have" };
    format!(
        "{} {have} not signed in yet: once in the console, or by `moorage login`, and apply it again",
        names.join(", ")
    )
}

fn mark(action: &Action) -> char {
    match action {
        Action::Create(_) => '+',
        Action::Change(_) => '~',
        Action::Remove => '-',
        Action::Unchanged => ' ',
        Action::Wait => WAITING,
        Action::Impossible { .. } => '!',
    }
}

fn line(change: &Change, is_new: bool) -> String {
    let name = &change.field;
    match (&change.from, &change.to) {
        (_, To::Secret(source)) => format!("{name:<NAME$} (secret from {source})"),
        (_, To::Value(to)) if is_new => format!("{name:<NAME$} {}", cut(&to.to_string(), VALUE)),
        (from, To::Value(to)) => {
            let from = from.as_ref().map_or_else(|| "null".to_owned(), Value::to_string);
            format!("{name:<NAME$} {} -> {}", cut(&from, EACH), cut(&to.to_string(), EACH))
        }
    }
}

/// How many of each.
fn counts(steps: &[Step]) -> Vec<(&'static str, usize)> {
    let of = |action: &str| steps.iter().filter(|step| step.action.as_str() == action).count();
    ["create", "change", "remove", "unchanged", "wait", "impossible"]
        .into_iter()
        .map(|action| (action, of(action)))
        .collect()
}

/// The same in words.
fn words(steps: &[Step]) -> String {
    let said = counts(steps).into_iter().filter_map(|(action, number)| match (action, number) {
        ("impossible" | "wait", 0) => None,
        ("wait", number) => Some(format!("{number} waiting for people")),
        ("impossible", number) => Some(format!("{number} that cannot be done")),
        ("unchanged", number) => Some(format!("{number} unchanged")),
        (action, number) => Some(format!("{number} to {action}")),
    });
    said.collect::<Vec<_>>().join(", ")
}

/// Steps for scripts; with what became of them, if they were done.
pub(crate) fn json(steps: &[Step], outcomes: Option<&[Outcome]>) -> Value {
    let mut shown: Vec<_> = steps.iter().map(step).collect();
    for (step, outcome) in shown.iter_mut().zip(outcomes.into_iter().flatten()) {
        step["outcome"] = outcome.as_str().into();
        match outcome {
            Outcome::Failed(why) => step["error"] = why.as_str().into(),
            Outcome::Skipped(need) => step["error"] = format!("{need} failed").into(),
            Outcome::Nothing | Outcome::Done | Outcome::Waiting => {}
        }
    }
    // Who names nobody does not have to know of people.
    let counts = counts(steps).into_iter().filter(|count| *count != ("wait", 0));
    let counts: Map<_, _> = counts.map(|(name, number)| (name.to_owned(), number.into())).collect();
    json!({"steps": shown, "counts": counts})
}

fn step(step: &Step) -> Value {
    let mut shown = json!({
        "kind": step.key.kind().as_str(), "name": step.key.name(), "action": step.action.as_str(),
        "fields": step.action.changes().iter().map(field).collect::<Vec<_>>(),
        "calls": step.calls.iter().map(|call| json!({"method": call.verb.as_str(), "path": call.path})).collect::<Vec<_>>(),
    });
    if let Action::Impossible { why, .. } = &step.action {
        shown["error"] = why.as_str().into();
    }
    if !step.absent.is_empty() {
        shown["absent_users"] = step.absent.iter().map(ToString::to_string).collect();
    }
    shown
}

fn field(change: &Change) -> Value {
    match &change.to {
        To::Value(to) => json!({"field": change.field, "from": change.from, "to": to}),
        To::Secret(source) => json!({"field": change.field, "secret": source}),
    }
}
