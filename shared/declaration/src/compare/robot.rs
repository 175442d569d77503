//! Robots.

use serde_json::Value;

use super::{Deed, Wanted, changed};
use crate::{
    body,
    call::{Call, Verb},
    diff::{self, Field},
    present::Found,
    step::{Action, Change, To},
};

/// The fields that can be changed, each by calls of its own.
const REGISTRY: &str = "external_registry";
const FEDERATION: &str = "federation";
/// The field that is said when the robot is created, and sent again only if that is asked for: whoever pulls has it.
const TOKEN: &str = "token";

pub(super) fn create(wanted: &Wanted<'_>) -> Vec<Call> {
    let (body, secrets) = wanted.whole();
    // Created twice, it would be refused the second time: the first answer may have been lost, and the robot is there.
    let mut call = Call::new(Verb::Put, wanted.key.path()).body(body.into()).secrets(secrets);
    call.is_repeatable = false;
    vec![call]
}

pub(super) fn change(wanted: &Wanted<'_>, found: &Found) -> Deed {
    let (of_federation, changes): (Vec<_>, Vec<_>) =
        wanted.differences(found).into_iter().partition(|change| change.field == FEDERATION);
    let (mut of_registry, others): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| change.field.starts_with(REGISTRY));
    if !others.is_empty() {
        let why =
            "what a robot is for is said when it is created: leave it as it is, or delete the robot, which gives it \
                   another token"
                .to_owned();
        return (Action::Impossible { changes: others, why }, Vec::new());
    }
    let has_none = diff::shown(&found.view, REGISTRY).is_none();
    let is_token = |field: &&Field| field.path == TOKEN;
    let secrets = || wanted.fields.iter().filter(|field| matches!(field.to, To::Secret(_)));
    // Of what TLS goes by it is told whether it is there.
    let is_missing = secrets().any(|field| diff::is_told_of(&found.view, &field.path) == Some(false));
    let is_left =
        |field: &&Field| field.to == To::Value(Value::Null) && diff::is_told_of(&found.view, &field.path) == Some(true);
    of_registry.extend(wanted.fields.iter().filter(is_left).map(secret));
    if !of_registry.is_empty() || has_none || is_missing || wanted.options.rotate_secrets {
        of_registry.extend(secrets().filter(|field| !is_token(field)).map(secret));
    }
    let token = secrets().find(|field| wanted.options.rotate_secrets && is_token(field));
    let has_registry = !of_registry.is_empty();
    of_registry.extend(token.map(secret));
    let federation = of_federation.first().map(|change| federation(wanted, &change.to));
    of_registry.extend(of_federation);
    changed(of_registry, |_| {
        let registry = has_registry.then(|| registry(wanted));
        let regenerate = token.map(|field| {
            let (body, secrets) = body::of([(TOKEN, &field.to)]);
            let call = Call::new(Verb::Post, format!("{}/regenerate", wanted.key.path()));
            call.body(body.into()).secrets(secrets).repeatable()
        });
        registry.into_iter().chain(federation).chain(regenerate).collect()
    })
}

fn secret(field: &Field) -> Change {
    Change { field: field.path.clone(), from: None, to: field.to.clone() }
}

/// The call that makes its credentials at an external registry what is declared.
fn registry(wanted: &Wanted<'_>) -> Call {
    let path = format!("{}/external-registry", wanted.key.path());
    let of_registry = wanted
        .fields
        .iter()
        .filter_map(|field| Some((field.path.strip_prefix(REGISTRY)?.strip_prefix('.')?, &field.to)));
    let (body, secrets) = body::of(of_registry);
    if body.is_empty() {
        // It is declared as null.
        return Call::new(Verb::Delete, path);
    }
    Call::new(Verb::Put, path).body(body.into()).secrets(secrets)
}

/// The call that makes the workloads which may log in as it those that are declared.
fn federation(wanted: &Wanted<'_>, to: &To) -> Call {
    let path = format!("{}/{FEDERATION}", wanted.key.path());
    match to {
        To::Value(Value::Array(all)) if !all.is_empty() => {
            Call::new(Verb::Post, path).body(Value::Array(all.clone())).repeatable()
        }
        _ => Call::new(Verb::Delete, path),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Action, Answer, Declaration, Document, Options, Present, Reading, Step, compare};

    fn step(answer: &Answer, rotate_secrets: bool) -> Step {
        let robots = json!({"pull": {"token": {"env": "TOKEN"}}});
        let document: Document =
            serde_json::from_value(json!({"organizations": {"acme": {"robots": robots}}})).unwrap();
        let declaration = document.declaration().unwrap();
        let readings = crate::reading::of_declared(&declaration).into_iter().map(|reading: Reading| {
            let is_robot = reading.path.contains("/robots/");
            (reading, if is_robot { answer.clone() } else { Answer { status: 404, ..Answer::default() } })
        });
        let present: Present = readings.collect();
        let of = |declaration: &Declaration| compare(declaration, &present, Options { rotate_secrets }).unwrap();
        of(&declaration).into_iter().find(|step| step.key.to_string().starts_with("robot")).unwrap()
    }

    #[test]
    fn a_token_comes_with_a_new_robot_and_otherwise_only_if_it_is_asked_for() {
        let there = || Answer { status: 200, body: json!({"name": "acme+pull", "token": "another"}), etag: None };
        let new = step(&Answer { status: 404, ..Answer::default() }, false);
        assert_eq!((new.calls[0].path.as_str(), new.calls[0].secrets.len()), ("organization/acme/robots/pull", 1));
        assert_eq!(new.calls[0].body.as_ref().unwrap()["token"], Value::Null, "no secret is in a call");
        assert_eq!(step(&there(), false).action, Action::Unchanged);
        let [call] = step(&there(), true).calls.try_into().unwrap();
        assert_eq!(call.path, "organization/acme/robots/pull/regenerate");
        assert_eq!(call.secrets[0].pointer, "/token");
        assert!(call.is_repeatable);
    }
}
