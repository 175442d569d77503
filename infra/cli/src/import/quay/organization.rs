//! Organizations, their robots and their teams.

use std::collections::BTreeSet;

use moorage_declaration::{Element, ExternalRegistry, Federation, Organization, Robot, Team, TeamRole};
use moorage_domain::{RobotName, SecretString, robot_token};
use serde_json::{Map, Value};

use super::read::{self, text};
use crate::import::{draft::Draft, options::Options, report::Entry};

/// The team that each organization has.
const OWNERS: &str = "owners";

/// Adds an organization with its robots and teams.
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
    let teams = found.view.get("teams").and_then(Value::as_object);
    for (team, view) in teams.into_iter().flatten() {
        add_team(found, team, view, options, draft);
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
    let (host, username) = (text(registry, "host").to_owned(), text(registry, "username").to_owned());
    let password = draft.questions.ask(&format!("password of {username} at {host}"), None);
    let flag = |name: &str| registry.get(name).and_then(Value::as_bool);
    let (allow_insecure, allow_proxy) = (flag("allow_insecure"), flag("allow_proxy"));
    Some(ExternalRegistry { host, username, password, allow_insecure, allow_proxy, tls: None })
}

fn add_team(found: &read::Organization, team: &str, view: &Value, options: &Options, draft: &mut Draft) {
    let mut entry = Entry::new(format!("organization/{}/team/{team}", found.name), format!("the team {team}"));
    let members = found.members.get(team).and_then(Value::as_array);
    let members: Vec<_> = members.into_iter().flatten().filter_map(|member| member.as_object()).collect();
    let (robots, people): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|member| member.get("is_robot") == Some(&true.into()));
    // Here there is one user, whom every organization has.
    let people: Vec<_> = people.into_iter().map(|member| text(member, "name")).collect();
    if !people.is_empty() {
        let why = format!("people are no members here ({}): they get API tokens", people.join(", "));
        entry = if team == OWNERS { entry.note(why) } else { entry.changed(why) };
    }
    if view.get("is_synced") == Some(&true.into()) {
        entry = entry.changed("its members do not come from a directory");
    }
    if team == OWNERS {
        let entry = entry.note("each organization has it");
        let is_more = !robots.is_empty();
        draft.entry(if is_more {
            entry.changed("robots are no owners here: give them a team that is admin")
        } else {
            entry
        });
        return;
    }
    let Ok(name) = team.parse() else {
        return draft.entry(entry.impossible("it has a name that no team can have here"));
    };
    let mut inside = BTreeSet::new();
    for robot in robots {
        match text(robot, "name").parse::<RobotName>() {
            Ok(robot) if robot.namespace() == found.name => {
                inside.insert(options.renames.robot(&robot));
            }
            _ => entry = entry.changed(format!("{} is a robot of another organization", text(robot, "name"))),
        }
    }
    let role = match view.get("role").and_then(Value::as_str).unwrap_or_default() {
        "admin" => TeamRole::Admin,
        "creator" => TeamRole::Creator,
        _ => TeamRole::Member,
    };
    let description = view.get("description").and_then(Value::as_str).filter(|it| !it.is_empty()).map(str::to_owned);
    let team = Team { role: Some(role), description, members: Some(inside) };
    draft.element(entry, Element::Team(options.renames.organization(&found.name), name, team));
}
