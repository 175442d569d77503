//! What a Quay has, as its API shows it.

use std::pin::pin;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_client::{Client, Method, Request, segment};
use moorage_domain::Namespace;
use serde_json::{Map, Value};

use crate::{error::CliError, output::Progress};

/// Paths that are read at once: a Quay has other things to do.
const READS: usize = 8;
/// The most repositories of an organization.
const REPOSITORIES: usize = 100_000;
/// What an organization may have that nothing here is made of: below its path, what it is, and where its entries are.
const OTHERS: [(&str, &str, Option<&str>); 6] = [
    ("prototypes", "permissions of new repositories", Some("prototypes")),
    ("quota", "quotas", None),
    ("proxycache", "a proxy cache", None),
    ("autoprunepolicy/", "policies of pruning", Some("policies")),
    ("immutabilitypolicy", "policies of immutability", Some("policies")),
    ("notifications", "notifications of the organization", Some("notifications")),
];

/// The state of a repository that is a mirror.
pub(super) const MIRROR: &str = "MIRROR";

/// An organization. It is not printed: it has tokens.
pub(super) struct Organization {
    pub(super) name: Namespace,
    /// Its own fields, its teams among them.
    pub(super) view: Map<String, Value>,
    /// With their tokens.
    pub(super) robots: Vec<Map<String, Value>>,
    /// By the names of teams.
    pub(super) members: Map<String, Value>,
    /// From where the people of teams come, by the names of teams that have them from elsewhere.
    pub(super) synced: Map<String, Value>,
    pub(super) mirror: Option<Map<String, Value>>,
    /// What nothing here is made of: where it is, what it is, and how much there is; nothing, if that is not told.
    pub(super) others: Vec<(String, &'static str, Option<usize>)>,
    pub(super) repositories: Vec<Repository>,
}

/// A repository. It is not printed: proxies and notifications may have secrets.
#[derive(Default)]
pub(super) struct Repository {
    pub(super) view: Map<String, Value>,
    pub(super) mirror: Option<Map<String, Value>>,
    pub(super) users: Map<String, Value>,
    pub(super) teams: Map<String, Value>,
    pub(super) notifications: Vec<Map<String, Value>>,
}

impl Organization {
    pub(super) fn new(name: Namespace, view: Map<String, Value>) -> Self {
        let (robots, members, synced, mirror) = (Vec::new(), Map::new(), Map::new(), None);
        Self { name, view, robots, members, synced, mirror, others: Vec::new(), repositories: Vec::new() }
    }
}

/// Reads an organization with everything that belongs to it.
pub(super) async fn organization(client: &Client, name: &Namespace) -> Result<Organization, CliError> {
    let path = format!("organization/{name}");
    let view = object(client, &path).await?;
    let view = view.ok_or_else(|| CliError::Source(format!("there is no organization {name} in the source")))?;
    let mut found = Organization::new(name.clone(), view);
    found.robots = robots(client, &path).await?;
    for team in names(&found.view, "teams") {
        let members = object(client, &format!("{path}/team/{}/members", segment(&team))).await?.unwrap_or_default();
        found.members.insert(team.clone(), members.get("members").cloned().unwrap_or_default());
        if let Some(synced) = members.get("synced").filter(|synced| synced.is_object()) {
            found.synced.insert(team, synced.clone());
        }
    }
    found.mirror = object(client, &format!("{path}/mirror")).await?;
    for (below, what, list) in OTHERS {
        let path = format!("{path}/{below}");
        match client.ask(&Request::new(Method::Get, &path)).await? {
            answer if answer.status == 200 => match count(&answer.body, list) {
                0 => {}
                number => found.others.push((path, what, Some(number))),
            },
            answer if matches!(answer.status, 401 | 403) => found.others.push((path, what, None)),
            _ => {}
        }
    }
    found.repositories = Box::pin(repositories(client, name)).await?;
    Ok(found)
}

async fn robots(client: &Client, path: &str) -> Result<Vec<Map<String, Value>>, CliError> {
    let list = object(client, &format!("{path}/robots?token=true&permissions=false")).await?.unwrap_or_default();
    let listed = entries(&list, "robots");
    let one = |listed: Map<String, Value>| async move {
        let name = text(&listed, "name").rsplit('+').next().unwrap_or_default().to_owned();
        let path = format!("{path}/robots/{}", segment(&name));
        // What the list does not show.
        let mut robot = object(client, &path).await?.unwrap_or_default();
        robot.extend(listed);
        let federation = client.ask(&Request::new(Method::Get, format!("{path}/federation"))).await?;
        if federation.status == 200 {
            robot.insert("federation".to_owned(), federation.body);
        }
        Ok::<_, CliError>(robot)
    };
    stream::iter(listed).map(one).buffered(READS).try_collect().await
}

async fn repositories(client: &Client, name: &Namespace) -> Result<Vec<Repository>, CliError> {
    let path = format!("repository?namespace={name}");
    let listed = client.pages(&path, "repositories", REPOSITORIES).await?;
    if listed.is_more {
        return Err(CliError::Source(format!("{name} has more than {REPOSITORIES} repositories")));
    }
    let total = u64::try_from(listed.entries.len()).unwrap_or(u64::MAX);
    let views = listed.entries.into_iter().filter_map(|entry| entry.as_object().cloned());
    let views = views.filter(|view| text(view, "namespace") == name.as_str());
    let mut read = pin!(stream::iter(views).map(|view| repository(client, view)).buffered(READS));
    let (mut found, mut progress) = (Vec::new(), Progress::new());
    while let Some(repository) = read.try_next().await? {
        found.push(repository);
        progress.show(u64::try_from(found.len()).unwrap_or(total), total, &format!("repositories of {name}"));
    }
    Ok(found)
}

async fn repository(client: &Client, view: Map<String, Value>) -> Result<Repository, CliError> {
    let name: Vec<_> = text(&view, "name").split('/').map(segment).collect();
    let path = format!("repository/{}/{}", segment(text(&view, "namespace")), name.join("/"));
    let mut found = Repository { view, ..Repository::default() };
    if text(&found.view, "kind") == "application" {
        return Ok(found);
    }
    let list = |answer: Option<Map<String, Value>>| {
        let permissions = answer.and_then(|mut answer| answer.remove("permissions"));
        permissions.and_then(|it| it.as_object().cloned()).unwrap_or_default()
    };
    found.mirror = object(client, &format!("{path}/mirror")).await?;
    found.users = list(object(client, &format!("{path}/permissions/user/")).await?);
    found.teams = list(object(client, &format!("{path}/permissions/team/")).await?);
    let notifications = object(client, &format!("{path}/notification/")).await?.unwrap_or_default();
    found.notifications = entries(&notifications, "notifications");
    Ok(found)
}

/// What a path answers; nothing if there is nothing.
async fn object(client: &Client, path: &str) -> Result<Option<Map<String, Value>>, CliError> {
    let request = Request::new(Method::Get, path);
    let answer = client.ask(&request).await?;
    let answer = match answer.status {
        404 => return Ok(None),
        200 => answer,
        // The client knows what each of the others is.
        _ => client.call(&request).await?,
    };
    match answer.body {
        Value::Object(view) => Ok(Some(view)),
        _ => Err(CliError::Source(format!("{path} does not answer as Quay does"))),
    }
}

/// The keys of an object.
fn names(view: &Map<String, Value>, field: &str) -> Vec<String> {
    view.get(field).and_then(Value::as_object).into_iter().flat_map(|it| it.keys().cloned()).collect()
}

fn entries(view: &Map<String, Value>, field: &str) -> Vec<Map<String, Value>> {
    let list = view.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|entry| entry.as_object().cloned()).collect()
}

/// A text of a view; empty if it has none.
pub(super) fn text<'a>(view: &'a Map<String, Value>, field: &str) -> &'a str {
    view.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn count(body: &Value, list: Option<&str>) -> usize {
    match (list, body) {
        (Some(list), body) => body.get(list).and_then(Value::as_array).map_or(0, Vec::len),
        (None, Value::Array(entries)) => entries.len(),
        (None, Value::Object(fields)) => usize::from(fields.values().any(|it| !it.is_null() && it != false)),
        _ => 0,
    }
}
