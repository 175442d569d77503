//! Organizations and their teams.

use moorage_domain::Namespace;
use serde_json::{Map, Value, json};

use super::{Deed, Wanted, changed};
use crate::{
    call::{Call, Verb},
    present::Found,
};

pub(super) fn create(wanted: &Wanted<'_>, name: &Namespace) -> Vec<Call> {
    let mut body = wanted.whole().0;
    body.insert("name".to_owned(), name.as_str().into());
    vec![Call::new(Verb::Post, "organization/").body(body.into())]
}

pub(super) fn change(wanted: &Wanted<'_>, found: &Found) -> Deed {
    changed(wanted.differences(found), |_| vec![Call::new(Verb::Put, wanted.key.path()).body(wanted.whole().0.into())])
}

pub(super) fn create_team(wanted: &Wanted<'_>) -> Vec<Call> {
    team_calls(wanted, &Map::new(), true)
}

pub(super) fn change_team(wanted: &Wanted<'_>, found: &Found) -> Deed {
    changed(wanted.differences(found), |changes| {
        let is_itself = changes.iter().any(|change| change.field != "members");
        team_calls(wanted, &found.view, is_itself)
    })
}

/// The team itself, if it has to be, and then its members: who is not among them goes.
fn team_calls(wanted: &Wanted<'_>, view: &Map<String, Value>, is_itself: bool) -> Vec<Call> {
    let path = wanted.key.path();
    let mut body = wanted.whole().0;
    let members = body.remove("members");
    let mut calls = Vec::new();
    if is_itself {
        // A role has to be sent.
        body.entry("role").or_insert_with(|| view.get("role").cloned().unwrap_or_else(|| json!("member")));
        calls.push(Call::new(Verb::Put, &path).body(body.into()));
    }
    let Some(members) = members else { return calls };
    let (wanted, there) = (names(Some(&members)), names(view.get("members")));
    let member = |verb, name: &&str| Call::new(verb, format!("{path}/members/{name}"));
    calls.extend(wanted.iter().filter(|name| !there.contains(name)).map(|name| member(Verb::Put, name)));
    calls.extend(there.iter().filter(|name| !wanted.contains(name)).map(|name| member(Verb::Delete, name)));
    calls
}

fn names(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
