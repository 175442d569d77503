//! What is declared against what there is, by the API.

mod done;
mod present;
mod view;

use std::collections::BTreeSet;

use moorage_client::Client;
use moorage_declaration::{Action, Declaration, Key, Options, Present, Step, compare, needed, undeclared};

pub(crate) use done::{Outcome, apply};
pub(crate) use present::read as present;
pub(crate) use view::{json, show};

use crate::{arguments::Declared, documents, error::CliError, secrets::Known};

/// The steps, in the order in which they are done.
pub(crate) async fn steps(declared: &Declared, client: &Client) -> Result<Vec<Step>, CliError> {
    let declaration = documents::declaration(&declared.files)?;
    let present = Box::pin(present(client, &declaration, declared.prune)).await?;
    let mut steps = compared(&declaration, &present, declared.rotate_secrets)?;
    needed::check(&mut steps, &declaration, &present);
    if declared.prune {
        steps.extend(undeclared::removals(&declaration, &present)?);
    }
    steps.sort_by_key(Step::rank);
    is_sound(&declaration, &steps)?;
    Ok(steps)
}

/// The steps of what is declared, in the order in which they are done.
pub(crate) fn compared(
    declaration: &Declaration,
    present: &Present,
    rotate_secrets: bool,
) -> Result<Vec<Step>, CliError> {
    let mut steps = compare(declaration, present, Options { rotate_secrets })?;
    steps.sort_by_key(Step::rank);
    Ok(steps)
}

/// Fails if an element would be made and removed: a fault of ours, before it does any harm.
fn is_sound(declaration: &Declaration, steps: &[Step]) -> Result<(), CliError> {
    let removed: BTreeSet<_> =
        steps.iter().filter(|step| step.action == Action::Remove).map(|step| &step.key).collect();
    match declaration.keys().find(|key| removed.contains(key)) {
        Some(key) => Err(CliError::Refused(format!("{key} is declared and would be removed"))),
        None => Ok(()),
    }
}

/// The secrets that are not where they should be: of which element, and why not.
pub(crate) fn missing_secrets<'a>(steps: &'a [Step], known: &Known) -> Vec<(&'a Key, String)> {
    let mut missing = Vec::new();
    for step in steps {
        for slot in step.calls.iter().flat_map(|call| &call.secrets) {
            if let Err(why) = known.resolve(&slot.source) {
                missing.push((&step.key, why));
            }
        }
    }
    missing
}

/// Fails if a secret is not where it should be, before anything is sent.
pub(crate) fn look_for_secrets(steps: &[Step], known: &Known) -> Result<(), CliError> {
    match missing_secrets(steps, known).into_iter().next() {
        Some((of, why)) => Err(CliError::Secret { of: of.to_string(), why }),
        None => Ok(()),
    }
}
