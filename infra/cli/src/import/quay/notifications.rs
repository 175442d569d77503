//! Who is told of what happens.

use std::collections::BTreeSet;

use moorage_declaration::{Element, Notification, Owner};
use moorage_domain::{
    RepositoryName,
    notification::{Event, Method},
};
use serde_json::{Map, Value, json};

use super::{fields::secret, read::text};
use crate::import::{draft::Draft, options::Options, report::Entry};

/// The fields of a notification's configuration that are known.
const CONFIG: [&str; 5] = ["url", "template", "target", "topic_arn", "bus"];

/// Adds the notifications of a repository.
pub(super) fn add(
    at: &str,
    here: &RepositoryName,
    notifications: &[Map<String, Value>],
    options: &Options,
    draft: &mut Draft,
) {
    let mut titles = BTreeSet::new();
    for view in notifications {
        let (event, method) = (text(view, "event"), text(view, "method"));
        let entry =
            Entry::new(format!("{at}/notification/{}", text(view, "uuid")), format!("tells of {event} by {method}"));
        if event.parse::<Event>().is_err() {
            draft.entry(entry.impossible(format!("{event} does not happen here")));
            continue;
        }
        if let Err(error) = method.parse::<Method>() {
            draft.entry(entry.impossible(error.to_string()));
            continue;
        }
        let (title, entry) = title(view, &mut titles, entry);
        let (config, entry) = config(here, &title, view, entry, options, draft);
        let mut fields = json!({"title": title, "event": event, "method": method, "config": config});
        if let Some(event_config) =
            view.get("event_config").filter(|it| it.as_object().is_some_and(|it| !it.is_empty()))
        {
            fields["eventConfig"] = event_config.clone();
        }
        match serde_json::from_value::<Notification>(fields) {
            Ok(notification) => {
                draft.element(entry, Element::Notification(Owner::Repository(here.clone()), notification));
            }
            // It may repeat what is in it.
            Err(_) => draft.entry(entry.impossible("its configuration cannot be read")),
        }
    }
}

/// What it is called, which nothing else of the repository is.
fn title(view: &Map<String, Value>, titles: &mut BTreeSet<String>, mut entry: Entry) -> (String, Entry) {
    let given = text(view, "title");
    let base =
        if given.is_empty() { format!("{} {}", text(view, "event"), text(view, "method")) } else { given.to_owned() };
    let (mut title, mut number) = (base.clone(), 1);
    while !titles.insert(title.clone()) {
        number += 1;
        title = format!("{base} {number}");
    }
    if title != given {
        entry = entry.note(format!("it is called {title:?} here, as each has a title of its own"));
    }
    (title, entry)
}

/// Where it is told. Whoever knows a channel's URL may write there, so that it is named.
fn config(
    here: &RepositoryName,
    title: &str,
    view: &Map<String, Value>,
    mut entry: Entry,
    options: &Options,
    draft: &mut Draft,
) -> (Map<String, Value>, Entry) {
    let empty = Map::new();
    let given = view.get("config").and_then(Value::as_object).unwrap_or(&empty);
    let mut config = Map::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null() && *value != "") {
        if !CONFIG.contains(&name.as_str()) {
            entry = entry.changed(format!("it is not known what {name} means"));
            continue;
        }
        config.insert(name.clone(), value.clone());
    }
    if let Some(url) = given.get("url").and_then(Value::as_str).filter(|url| !url.is_empty()) {
        let is_secret = text(view, "method") == "slack" || url.contains(['?', '@']);
        if is_secret {
            let source = secret(&format!("URL of the notification {title} of {here}"), url, draft);
            config.insert("url".to_owned(), json!(source));
        }
    }
    // Only another Moorage says so.
    if view.get("signed") == Some(&true.into()) {
        let source = draft.questions.ask(&format!("secret of the notification {title} of {here}"), None);
        config.insert("secret".to_owned(), json!(source));
    }
    if let Some(target) = config.get_mut("target") {
        let kind = target.get("kind").and_then(Value::as_str).unwrap_or_default();
        let organization = target.get("name").and_then(Value::as_str).and_then(|name| name.parse().ok());
        if let ("org", Some(organization)) = (kind, organization) {
            target["name"] = options.renames.organization(&organization).as_str().into();
        } else if kind == "user" {
            entry = entry.changed("people are no users here: nobody reads it but in the organization's notes");
        }
    }
    (config, entry)
}
