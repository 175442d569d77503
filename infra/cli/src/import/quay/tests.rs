//! What becomes of what a Quay shows.

use std::fs;

use moorage_domain::Timestamp;
use serde_json::{Map, Value};

use super::{read, translate};
use crate::import::{
    draft::{Draft, Import},
    options::Options,
    tests::{holds, input, options},
};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn objects(value: &Value) -> Vec<Map<String, Value>> {
    value.as_array().into_iter().flatten().map(object).collect()
}

fn repository(given: &Value) -> read::Repository {
    read::Repository {
        view: object(&given["view"]),
        mirror: given["mirror"].as_object().cloned(),
        users: object(&given["users"]),
        teams: object(&given["teams"]),
        notifications: objects(&given["notifications"]),
    }
}

/// An organization as a file has it.
fn organization(name: &str, file: &str) -> read::Organization {
    let given: Value = serde_json::from_str(&fs::read_to_string(input(file)).unwrap()).unwrap();
    let mut found = read::Organization::new(name.parse().unwrap(), object(&given["view"]));
    found.robots = objects(&given["robots"]);
    found.members = object(&given["members"]);
    found.synced = object(&given["synced"]);
    found.mirror = given["mirror"].as_object().cloned();
    let others = given["others"].as_array().into_iter().flatten();
    let number = |other: &Value| other[1].as_u64().map(|number| usize::try_from(number).unwrap());
    found.others = others.map(|other| (other[0].as_str().unwrap().to_owned(), "other things", number(other))).collect();
    found.repositories = given["repositories"].as_array().unwrap().iter().map(repository).collect();
    found
}

fn import(found: &read::Organization, options: &Options) -> Import {
    let mut draft = Draft::new(None);
    translate(found, std::slice::from_ref(&found.name), options, &mut draft);
    let import = draft.end("quay").unwrap();
    let tokens = found.robots.iter().filter_map(|robot| robot["token"].as_str());
    let shown = format!("{}{:?}", import.report.json(), import.report.lines());
    for token in tokens {
        assert!(!shown.contains(token), "a token is shown");
    }
    import
}

#[test]
fn an_organization_with_everything() {
    holds("quay", &import(&organization("acme", "quay.json"), &Options { is_enabled: true, ..options() }));
}

#[test]
fn an_organization_that_is_a_mirror_under_another_name() {
    let renames = ["hub=mirrored".parse().unwrap()].into_iter().collect();
    let found = organization("hub", "quay-organization.json");
    holds("quay-organization", &import(&found, &Options { renames, ..options() }));
}

#[test]
fn an_organization_of_people() {
    holds("quay-people", &import(&organization("acme", "quay-people.json"), &options()));
}

#[test]
fn a_source_that_has_gone_on_is_the_same_document() {
    let mut found = organization("acme", "quay.json");
    let before = import(&found, &options()).declaration;
    let mirror = found.repositories[0].mirror.as_mut().unwrap();
    mirror.insert("sync_start_date".to_owned(), "2026-12-01T03:00:00Z".into());
    mirror.insert("sync_status".to_owned(), "SYNCING".into());
    let now = Timestamp::parse_iso("2026-11-30T12:00:00Z").unwrap();
    let options = Options { now, ..options() };
    assert_eq!(import(&found, &options).declaration, before);
}
