//! Mirrors of repositories and of organizations.

use moorage_declaration::{Element, Mirror, OrganizationMirror};
use moorage_domain::{Namespace, RepositoryName, RobotName};
use serde_json::{Map, Value};

use super::{
    fields::{config, login, pick, starts, told},
    read::{MIRROR, text},
};
use crate::import::{draft::Draft, options::Options, report::Entry};

/// The fields of a mirror that are taken as they are; the last ones only another Moorage has.
const OF_MIRROR: [&str; 12] = [
    "external_reference",
    "root_rule",
    "skopeo_timeout_interval",
    "architecture_filter",
    "deletion_limit",
    "deletion_grace",
    "rate_limit_floor",
    "digest_listing",
    "selection",
    "min_age",
    "on_move",
    "signature_policy",
];
/// Those of an organization's.
const OF_ORGANIZATION: [&str; 14] = [
    "external_registry_type",
    "external_registry_url",
    "external_namespace",
    "repository_filters",
    "visibility",
    "skopeo_timeout",
    "deletion_limit",
    "deletion_grace",
    "rate_limit_floor",
    "digest_listing",
    "selection",
    "min_age",
    "on_move",
    "signature_policy",
];
/// What is shown of both and is no setting.
const STATE: [&str; 22] = [
    "is_enabled",
    "mirror_type",
    "external_registry_username",
    "external_registry_config",
    "sync_interval",
    "sync_start_date",
    "sync_expiration_date",
    "sync_retries_remaining",
    "sync_status",
    "sync_warning",
    "sync_waiting_until",
    "robot_username",
    "has_external_registry_password",
    "repo_sync_status_counts",
    "creation_date",
    "status_message",
    "status_advice",
    "paused",
    "last_success",
    "late",
    "facts",
    "last_sync_date",
];

/// Adds the mirror of a repository, and tells its robot if it has become one.
pub(super) fn add(
    at: &str,
    here: &RepositoryName,
    view: &Map<String, Value>,
    state: &str,
    options: &Options,
    draft: &mut Draft,
) -> Option<RobotName> {
    let reference = text(view, "external_reference");
    let mut entry = Entry::new(format!("{at}/mirror"), format!("the mirror of {reference}"));
    let is_one = matches!(state, MIRROR | "");
    if !is_one {
        entry = entry.changed(format!("its repository is {state} there, so that it does not run: here it is off"));
    }
    let host = reference.split('/').next().unwrap_or_default();
    let shared = Shared { name: here.as_str(), host, view, known: &OF_MIRROR };
    let (mut fields, entry) = shared.settings(entry, options, draft);
    let is_enabled = is_one && options.is_enabled && view.get("is_enabled") != Some(&false.into());
    fields.insert("is_enabled".to_owned(), is_enabled.into());
    let (robot, entry) = robot(&here.namespace(), view, entry, options, draft);
    fields.insert("robot_username".to_owned(), robot.into());
    match serde_json::from_value::<Mirror>(fields.into()) {
        Ok(mirror) => {
            let robot = mirror.robot_username.clone();
            draft.element(entry, Element::Mirror(here.clone(), Box::new(mirror)));
            Some(robot)
        }
        Err(error) => {
            draft.entry(entry.impossible(error.to_string()));
            None
        }
    }
}

/// Adds the mirror of an organization.
pub(super) fn add_organization(name: &Namespace, view: &Map<String, Value>, options: &Options, draft: &mut Draft) {
    let (url, namespace) = (text(view, "external_registry_url"), text(view, "external_namespace"));
    let entry = Entry::new(format!("organization/{name}/mirror"), format!("the mirror of {url} {namespace}"));
    let here = options.renames.organization(name);
    let shared = Shared { name: here.as_str(), host: url, view, known: &OF_ORGANIZATION };
    let (mut fields, entry) = shared.settings(entry, options, draft);
    let is_enabled = options.is_enabled && view.get("is_enabled") != Some(&false.into());
    fields.insert("is_enabled".to_owned(), is_enabled.into());
    let (robot, entry) = robot(&here, view, entry, options, draft);
    fields.insert("robot_username".to_owned(), robot.into());
    match serde_json::from_value::<OrganizationMirror>(fields.into()) {
        Ok(mirror) => draft.element(entry, Element::OrganizationMirror(here, Box::new(mirror))),
        Err(error) => draft.entry(entry.impossible(error.to_string())),
    }
}

/// What both kinds of mirrors share.
struct Shared<'a> {
    /// What the mirror is of, here.
    name: &'a str,
    /// The registry.
    host: &'a str,
    view: &'a Map<String, Value>,
    /// The fields that are taken as they are.
    known: &'a [&'a str],
}

impl Shared<'_> {
    /// Its settings, and what is to be told of them.
    fn settings(&self, entry: Entry, options: &Options, draft: &mut Draft) -> (Map<String, Value>, Entry) {
        let Self { name, host, view, known } = self;
        let (user, of_user) = login(view, host, draft);
        let (config, of_config) = config(view, draft);
        let (starts, of_starts) = starts(name, view, options);
        let mut fields = pick(view, known);
        fields.extend(user.into_iter().chain(starts));
        fields.extend(config.map(|config| ("external_registry_config".to_owned(), config)));
        let is_known = |name: &String| known.contains(&name.as_str()) || STATE.contains(&name.as_str());
        let unknown = view.iter().filter(|(name, value)| !is_known(name) && !value.is_null());
        let unknown = unknown.map(|(name, _)| Some(format!("it is not known what {name} means")));
        let changes = of_config.into_iter().map(Some).chain([of_user, of_starts]).chain(unknown);
        (fields, told(entry, changes))
    }
}

/// Its robot, by its name here; where it has none of its organization's, one that the document has besides.
fn robot(
    here: &Namespace,
    view: &Map<String, Value>,
    entry: Entry,
    options: &Options,
    draft: &mut Draft,
) -> (String, Entry) {
    let given = text(view, "robot_username").parse::<RobotName>().map(|robot| options.renames.robot(&robot));
    match (given, options.robot(here)) {
        (Ok(robot), _) if robot.namespace() == *here => (robot.to_string(), entry),
        (_, Ok(robot)) => {
            draft.robot(&robot);
            (
                robot.to_string(),
                entry.changed(format!("it has no robot of its organization there: here {robot} writes")),
            )
        }
        (_, Err(why)) => (String::new(), entry.impossible(why)),
    }
}
