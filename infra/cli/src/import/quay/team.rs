//! Teams: their robots and their people, or the group that says who these are.

use std::collections::BTreeSet;

use moorage_declaration::{Element, Member, Team, TeamRole};
use moorage_domain::{GroupName, Namespace, RobotName, TeamName, UserName};
use serde_json::{Map, Value};

use super::read::{self, text};
use crate::import::{draft::Draft, options::Options, report::Entry};

/// The team that each organization has.
const OWNERS: &str = "owners";
/// The service of teams whose people are those of an OpenID provider's group.
const OIDC: &str = "oidc";

/// Adds the teams of an organization.
pub(super) fn add(found: &read::Organization, options: &Options, draft: &mut Draft) {
    let teams = found.view.get("teams").and_then(Value::as_object);
    for (team, view) in teams.into_iter().flatten() {
        one(found, team, view, options, draft);
    }
}

fn one(found: &read::Organization, name: &str, view: &Value, options: &Options, draft: &mut Draft) {
    let at = format!("organization/{}/team/{name}", found.name);
    let mut entry = Entry::new(&at, format!("the team {name}"));
    let Ok(team) = name.parse::<TeamName>() else {
        return draft.entry(entry.impossible("it has a name that no team can have here"));
    };
    let is_owners = name == OWNERS;
    if is_owners {
        entry = entry.note("each organization has it");
    }
    let syncing = syncing(found, name, view);
    let members = found.members.get(name).and_then(Value::as_array);
    let members: Vec<_> = members.into_iter().flatten().filter_map(Value::as_object).collect();
    let (robots, people): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|member| member.get("is_robot") == Some(&true.into()));
    let mut inside = BTreeSet::new();
    if is_owners && !robots.is_empty() {
        entry = entry.changed("robots are no owners here: give them a team that is admin");
    } else {
        entry = add_robots(&robots, &found.name, options, &mut inside, entry);
    }
    // Who is in a directory's group today may have left it tomorrow: nobody would notice here.
    if syncing == Syncing::None {
        entry = add_people(&people, &mut inside, entry);
    } else if matches!(syncing, Syncing::Impossible(_)) {
        entry = entry.changed("its people are no members here, as nobody would take those out who leave the group");
    }
    let group = match &syncing {
        Syncing::Group(group) => Some(Some(group.clone())),
        Syncing::None | Syncing::Impossible(_) => None,
    };
    // Whom somebody has put here in the group's place stays, if there is nothing else to say.
    let is_open = matches!(syncing, Syncing::Impossible(_)) && inside.is_empty();
    tell(&at, syncing, draft);
    if is_owners && group.is_none() && inside.is_empty() {
        return draft.entry(entry);
    }
    let description = view.get("description").and_then(Value::as_str).filter(|it| !it.is_empty()).map(str::to_owned);
    let role = if is_owners { TeamRole::Admin } else { role(view) };
    let declared = Team { role: Some(role), description, group, members: (!is_open).then_some(inside) };
    draft.element(entry, Element::Team(options.renames.organization(&found.name), team, declared));
}

fn add_robots(
    robots: &[&Map<String, Value>],
    of: &Namespace,
    options: &Options,
    inside: &mut BTreeSet<Member>,
    mut entry: Entry,
) -> Entry {
    for robot in robots {
        match text(robot, "name").parse::<RobotName>() {
            Ok(robot) if robot.namespace() == *of => drop(inside.insert(Member::Robot(options.renames.robot(&robot)))),
            _ => entry = entry.changed(format!("{} is a robot of another organization", text(robot, "name"))),
        }
    }
    entry
}

fn add_people(people: &[&Map<String, Value>], inside: &mut BTreeSet<Member>, mut entry: Entry) -> Entry {
    for person in people {
        let name = text(person, "name");
        match UserName::of_claim(name) {
            // Who was asked by mail and has not come is nobody yet.
            _ if person.get("invited") == Some(&true.into()) => {
                entry = entry.changed(format!("{name} was invited, and has not come: nobody is invited here"));
            }
            Ok(user) => drop(inside.insert(Member::User(user))),
            Err(_) => entry = entry.changed(format!("{name} is no name that anybody has here")),
        }
    }
    entry
}

/// From where a team's people come.
#[derive(Debug, PartialEq, Eq)]
enum Syncing {
    /// They are named.
    None,
    /// From a group that there may be here, too.
    Group(GroupName),
    /// From something that there is not here: why.
    Impossible(String),
}

fn syncing(found: &read::Organization, team: &str, view: &Value) -> Syncing {
    let synced = found.synced.get(team).and_then(Value::as_object);
    if synced.is_none() && view.get("is_synced") != Some(&true.into()) {
        return Syncing::None;
    }
    let service = synced.map(|synced| text(synced, "service")).unwrap_or_default();
    let config = synced.and_then(|synced| synced.get("config")).and_then(Value::as_object);
    match (service, config) {
        (OIDC, Some(config)) => text(config, "group_name").parse().map_or_else(
            |_| Syncing::Impossible("its group has a name that none can have here".to_owned()),
            Syncing::Group,
        ),
        (OIDC | "", _) => Syncing::Impossible(
            "only a superuser's token is told which group it is: name it as `group` of the team".to_owned(),
        ),
        (service, _) => Syncing::Impossible(format!(
            "groups here are those of an OpenID provider, and these come from {service}: name one as `group` of the team"
        )),
    }
}

fn tell(at: &str, syncing: Syncing, draft: &mut Draft) {
    let entry = |what: String| Entry::new(format!("{at}/syncing"), what);
    match syncing {
        Syncing::None => {}
        Syncing::Group(group) => {
            let note = "it has to be in the claim that OidcGroupsClaim names, by that name";
            draft.entry(entry(format!("the people of the group {group}")).note(note));
        }
        Syncing::Impossible(why) => draft.entry(entry("the people of a group".to_owned()).impossible(why)),
    }
}

fn role(view: &Value) -> TeamRole {
    match view.get("role").and_then(Value::as_str).unwrap_or_default() {
        "admin" => TeamRole::Admin,
        "creator" => TeamRole::Creator,
        _ => TeamRole::Member,
    }
}
