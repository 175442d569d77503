//! Organizations and their robots.

use moorage_declaration::{Element, ExternalRegistry, Federation, Organization, Robot};
use moorage_domain::{CloudLogin, RobotName, SecretString, robot_token};
use serde_json::{Map, Value};

use super::read::{self, text};
use crate::import::{draft::Draft, options::Options, report::Entry};

/// Adds an organization with its robots.
pub(super) fn add(found: &read::Organization, options: &Options, draft: &mut Draft) {
    let (name, here) = (&found.name, options.renames.organization(&found.name));
    let mut entry = Entry::new(format!("organization/{name}"), format!("the organization {name}"));
    if here != *name {
        entry = entry.note(format!("its name is {here} here"));
    }
    let email = Some(text(&found.view, "email").to_owned()).filter(|email| !email.is_empty());
    draft.element(entry, Element::Organization(here, Organization { email }));
    for (path, what, number) in &found.others {
        let entry = Entry::new(path, *what);
        draft.entry(match number {
            Some(number) => entry.impossible(format!("these are not imported; there are {number}")),
            None => entry.impossible("the token may not read whether there are any"),
        });
    }
    for robot in &found.robots {
        add_robot(found, robot, options, draft);
    }
}

fn add_robot(found: &read::Organization, view: &Map<String, Value>, options: &Options, draft: &mut Draft) {
    let name = text(view, "name");
    let short = name.rsplit('+').next().unwrap_or_default();
    let mut entry = Entry::new(format!("organization/{}/robots/{short}", found.name), format!("the robot {name}"));
    let Ok(name) = RobotName::new(&found.name, short) else {
        return draft.entry(entry.impossible("it has a name that no robot can have here"));
    };
    let here = options.renames.robot(&name);
    if here != name {
        entry = entry.changed(format!("its name is {here} here: whoever pulls as {name} needs the other name"));
    }
    let description = Some(text(view, "description").to_owned()).filter(|description| !description.is_empty());
    let metadata = view.get("unstructured_metadata").and_then(Value::as_object);
    let unstructured_metadata = metadata.filter(|metadata| !metadata.is_empty()).cloned();
    let mut token = None;
    match text(view, "token") {
        "" => entry = entry.changed("its token is not shown: it gets another one, and pull secrets have to change"),
        given => match robot_token::check(given) {
            Ok(()) => {
                let given = Some(SecretString::from(given));
                token = Some(draft.questions.ask(&format!("robot token of {here}"), given));
            }
            Err(error) => {
                entry = entry.changed(format!("{error}: it gets another one, and pull secrets have to change"));
            }
        },
    }
    let (federation, plain) = federation(view);
    if plain {
        entry = entry.changed(
            "an issuer of its federation is asked by plain http: only a host that `SsrfAllowedHosts` names is taken",
        );
    }
    let external_registry = registry(view, draft).map(Some);
    let robot = Robot { description, unstructured_metadata, token, external_registry, federation };
    draft.element(entry, Element::Robot(here, robot));
}

/// Which workloads may log in as a robot, if any, and whether one of their issuers is asked by plain http.
fn federation(view: &Map<String, Value>) -> (Option<Vec<Federation>>, bool) {
    let entries = view.get("federation").and_then(Value::as_array);
    let read = |entry: &Value| {
        let entry = entry.as_object()?;
        let audiences = entry.get("audiences").and_then(Value::as_array).into_iter().flatten();
        let audiences = audiences.filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Federation {
            issuer: text(entry, "issuer").to_owned(),
            subject: text(entry, "subject").to_owned(),
            audiences,
        })
    };
    let all: Vec<_> = entries.into_iter().flatten().filter_map(read).collect();
    let plain = all.iter().any(|one| one.issuer.starts_with("http://"));
    ((!all.is_empty()).then_some(all), plain)
}

/// What only another Moorage shows.
fn registry(view: &Map<String, Value>, draft: &mut Draft) -> Option<ExternalRegistry> {
    let registry = view.get("external_registry")?.as_object()?;
    let host = text(registry, "host").to_owned();
    let username = Some(text(registry, "username").to_owned()).filter(|username| !username.is_empty());
    let password = username.as_ref().map(|name| draft.questions.ask(&format!("password of {name} at {host}"), None));
    let login = registry.get("credentials").filter(|login| !login.is_null());
    let credentials = login.and_then(|login| serde_json::from_value::<CloudLogin>(login.clone()).ok());
    let flag = |name: &str| registry.get(name).and_then(Value::as_bool);
    let (allow_insecure, allow_proxy) = (flag("allow_insecure"), flag("allow_proxy"));
    let is_known = username.is_some() || credentials.is_some();
    is_known.then_some(ExternalRegistry {
        host,
        username,
        password,
        credentials,
        allow_insecure,
        allow_proxy,
        tls: None,
    })
}
