//! Repositories, with what belongs to them.

use moorage_declaration::{Element, Repository, Visibility};
use moorage_domain::Namespace;
use serde_json::Value;

use super::{
    mirror, notifications, permissions,
    read::{self, MIRROR, text},
};
use crate::import::{draft::Draft, options::Options, report::Entry};

/// The state of a repository of an organization's mirror.
const ORG_MIRROR: &str = "ORG_MIRROR";

/// Adds a repository with its mirror, its roles and its notifications.
pub(super) fn add(
    organization: &Namespace,
    found: &read::Repository,
    all: &[Namespace],
    options: &Options,
    draft: &mut Draft,
) {
    let name = text(&found.view, "name");
    let at = format!("repository/{organization}/{name}");
    let mut entry = Entry::new(&at, format!("the repository {organization}/{name}"));
    let here = match options.renames.repository(organization, name) {
        Ok(here) => here,
        Err(why) => return draft.entry(entry.impossible(why)),
    };
    if text(&found.view, "kind") == "application" {
        return draft.entry(entry.impossible("it is of applications, not of images"));
    }
    let state = text(&found.view, "state");
    match state {
        ORG_MIRROR => {
            draft.entry(entry.note("the organization's mirror finds it"));
            let cannot = "the repository is not there before the first round of its organization's mirror";
            rest(&at, found, draft, cannot);
            return;
        }
        "MARKED_FOR_DELETION" => return draft.entry(entry.impossible("it is being deleted")),
        MIRROR | "" => {}
        _ => {
            entry = entry.changed(
                "its images do not come along, and nobody can push here: it is empty until something is mirrored into it",
            );
        }
    }
    let description = Some(text(&found.view, "description").to_owned()).filter(|description| !description.is_empty());
    let is_public = found.view.get("is_public").and_then(Value::as_bool).unwrap_or_default();
    let visibility = Some(if is_public { Visibility::Public } else { Visibility::Private });
    draft.element(entry, Element::Repository(here.clone(), Repository { description, visibility }));
    let robot = found.mirror.as_ref().and_then(|view| mirror::add(&at, &here, view, state, options, draft));
    permissions::add(&at, &here, found, robot.as_ref(), all, options, draft);
    notifications::add(&at, &here, &found.notifications, options, draft);
}

/// What of a repository cannot be declared.
fn rest(at: &str, found: &read::Repository, draft: &mut Draft, why: &str) {
    let robot = found.mirror.as_ref().map(|view| text(view, "robot_username").to_owned());
    for (kind, list) in [("user", &found.users), ("team", &found.teams)] {
        for name in list.keys().filter(|name| Some(*name) != robot.as_ref()) {
            let entry = Entry::new(format!("{at}/permissions/{kind}/{name}"), format!("the role of {name}"));
            draft.entry(entry.impossible(why));
        }
    }
    for notification in &found.notifications {
        let entry = Entry::new(format!("{at}/notification/{}", text(notification, "uuid")), "a notification");
        draft.entry(entry.impossible(why));
    }
}
