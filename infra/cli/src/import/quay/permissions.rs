//! Who has a role on a repository.

use moorage_declaration::{Element, Grantee, Role};
use moorage_domain::{Namespace, RepositoryName, RobotName, UserName};
use serde_json::Value;

use super::read;
use crate::import::{draft::Draft, options::Options, report::Entry};

/// Adds the roles on a repository. The role of the mirror's robot comes with the mirror.
pub(super) fn add(
    at: &str,
    here: &RepositoryName,
    found: &read::Repository,
    robot: Option<&RobotName>,
    all: &[Namespace],
    options: &Options,
    draft: &mut Draft,
) {
    for (name, view) in &found.users {
        let entry = Entry::new(format!("{at}/permissions/user/{name}"), what(name, view));
        let Ok(given) = name.parse::<RobotName>() else {
            match (UserName::of_claim(name), role(view)) {
                (Ok(user), Some(role)) => {
                    draft.element(entry, Element::Permission(here.clone(), Grantee::User(user), role));
                }
                (Err(_), _) => draft.entry(entry.impossible("it is no name that anybody has here")),
                (_, None) => draft.entry(entry.impossible("there is no such role here")),
            }
            continue;
        };
        if !all.contains(&given.namespace()) {
            draft.entry(entry.impossible("its organization is not imported: name it, too, and import both"));
            continue;
        }
        let renamed = options.renames.robot(&given);
        match (role(view), robot == Some(&renamed)) {
            (Some(Role::Write), true) => draft.entry(entry.note("it comes with the mirror")),
            (Some(Role::Read), true) => draft.entry(entry.changed("the mirror's robot can write here")),
            (Some(role), _) => draft.element(entry, Element::Permission(here.clone(), Grantee::Robot(renamed), role)),
            (None, _) => draft.entry(entry.impossible("there is no such role here")),
        }
    }
    for (name, view) in &found.teams {
        let entry = Entry::new(format!("{at}/permissions/team/{name}"), what(name, view));
        match (name.parse(), role(view)) {
            (Ok(team), Some(role)) => {
                draft.element(entry, Element::Permission(here.clone(), Grantee::Team(team), role));
            }
            _ => draft.entry(entry.impossible("there is no such team or role here")),
        }
    }
}

fn what(name: &str, view: &Value) -> String {
    format!("the role {} of {name}", view.get("role").and_then(Value::as_str).unwrap_or_default())
}

fn role(view: &Value) -> Option<Role> {
    match view.get("role").and_then(Value::as_str)? {
        "read" => Some(Role::Read),
        "write" => Some(Role::Write),
        "admin" => Some(Role::Admin),
        _ => None,
    }
}
