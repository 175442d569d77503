//! Organizations and their teams.

use moorage_domain::{Namespace, UserName};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::{Deed, Wanted, changed};
use crate::{
    call::{Call, Verb},
    diff::Field,
    present::Found,
    step::To,
    team::TeamRole,
};

/// The fields of a team that are changed by calls of their own.
const MEMBERS: &str = "members";
const GROUP: &str = "group";
/// What its members may.
const ROLE: &str = "role";

pub(super) fn create(wanted: &Wanted<'_>, name: &Namespace) -> Vec<Call> {
    let mut body = wanted.whole().0;
    body.insert("name".to_owned(), name.as_str().into());
    vec![Call::new(Verb::Post, "organization/").body(body.into())]
}

pub(super) fn change(wanted: &Wanted<'_>, found: &Found) -> Deed {
    changed(wanted.differences(found), |_| vec![Call::new(Verb::Put, wanted.key.path()).body(wanted.whole().0.into())])
}

pub(super) fn create_team(wanted: &Wanted<'_>) -> Vec<Call> {
    let nothing = Map::new();
    let mut calls = vec![itself(wanted, &nothing)];
    calls.extend(who(wanted, &nothing));
    calls
}

/// Calls are made one after the other, and one that is refused ends them. Whoever is to go is never in a team that may more
/// than before: a role that rises comes when all who go have gone, and one that falls comes first.
pub(super) fn change_team(wanted: &Wanted<'_>, found: &Found) -> Deed {
    changed(wanted.differences(found), |changes| {
        let is_itself = changes.iter().any(|change| ![MEMBERS, GROUP].contains(&change.field.as_str()));
        let mut calls = who(wanted, &found.view);
        if is_itself {
            let rises = role(&wanted.whole().0).is_some_and(|to| Some(to) > role(&found.view));
            calls.insert(if rises { calls.len() } else { 0 }, itself(wanted, &found.view));
        }
        calls
    })
}

/// Whether somebody is in a team, and so is somebody.
pub(super) fn has_member(team: Option<&Found>, name: &UserName) -> bool {
    team.is_some_and(|team| names(team.view.get(MEMBERS)).contains(&name.as_str()))
}

/// The fields without those members who are not there yet.
pub(super) fn without(mut fields: Vec<Field>, absent: &[UserName]) -> Vec<Field> {
    let is_there = |name: &Value| !absent.iter().any(|absent| name.as_str() == Some(absent.as_str()));
    for field in fields.iter_mut().filter(|field| field.path == MEMBERS) {
        if let To::Value(Value::Array(members)) = &mut field.to {
            members.retain(is_there);
        }
    }
    fields
}

/// The call for the team itself.
fn itself(wanted: &Wanted<'_>, view: &Map<String, Value>) -> Call {
    let mut body = wanted.whole().0;
    body.retain(|field, _| ![MEMBERS, GROUP].contains(&field.as_str()));
    // A role has to be sent.
    body.entry(ROLE).or_insert_with(|| view.get(ROLE).cloned().unwrap_or_else(|| json!("member")));
    Call::new(Verb::Put, wanted.key.path()).body(body.into())
}

fn role(team: &Map<String, Value>) -> Option<TeamRole> {
    TeamRole::deserialize(team.get(ROLE)?).ok()
}

/// The calls for a team's members: who is not among them goes, before others come. While a team has a group, nobody can put
/// people into it or take them out: a group that is to go goes before, and one that is to come comes after, and takes the
/// people with it that there are.
fn who(wanted: &Wanted<'_>, view: &Map<String, Value>) -> Vec<Call> {
    let path = wanted.key.path();
    let mut body = wanted.whole().0;
    let (members, group) = (body.remove(MEMBERS), body.remove(GROUP));
    let mut calls = Vec::new();
    let syncing = format!("{path}/syncing");
    let group = group.filter(|group| *group != view.get(GROUP).cloned().unwrap_or_default());
    if group == Some(Value::Null) {
        calls.push(Call::new(Verb::Delete, &syncing));
    }
    let group = group.filter(|group| !group.is_null());
    if let Some(members) = members {
        let (wanted, there) = (names(Some(&members)), names(view.get(MEMBERS)));
        let member = |verb, name: &&str| Call::new(verb, format!("{path}/members/{name}"));
        let is_gone = |name: &&&str| !wanted.contains(name) && (group.is_none() || name.contains('+'));
        calls.extend(there.iter().filter(is_gone).map(|name| member(Verb::Delete, name)));
        calls.extend(wanted.iter().filter(|name| !there.contains(name)).map(|name| member(Verb::Put, name)));
    }
    calls.extend(group.map(|group| Call::new(Verb::Post, syncing).body(json!({"group_name": group})).repeatable()));
    calls
}

fn names(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
