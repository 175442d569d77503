//! The API's calls that make, change and remove a thing. Pure: whoever sends them is elsewhere.

use moorage_client::{Method, Request, segment};
use moorage_domain::{RepositoryName, RobotName, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    registry::Registry,
    target::{Grantee, Scope, Target},
    typed::PropertyError,
};

/// How often a mirror starts if its template does not say, in seconds: daily, as the console suggests it.
const INTERVAL: u64 = 86_400;
/// How long an answer of a registry may take, in seconds, if its template does not say: the least that the API takes.
const REGISTRY_TIMEOUT: u64 = 300;

/// Whether what was answered says that there is nothing.
pub(crate) type IsEmpty = fn(&Value) -> bool;

/// A call to be sent.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Call {
    method: &'static str,
    path: String,
    body: Option<Value>,
}

impl Call {
    fn new(method: &'static str, path: impl Into<String>, body: impl Into<Option<Value>>) -> Self {
        Self { method, path: path.into(), body: body.into() }
    }

    /// As it is sent.
    pub(crate) fn request(self) -> Request {
        let request = Request::new(Method::named(self.method).unwrap_or(Method::Get), self.path);
        match self.body {
            Some(body) => request.body(body),
            None => request,
        }
    }
}

impl Target {
    /// The path of the thing itself, by which it is shown and removed; nothing of a notification that is not there.
    pub(crate) fn path(&self, uuid: Option<Uuid>) -> Option<String> {
        Some(match self {
            Self::Organization(organization) => format!("organization/{organization}"),
            Self::Robot(robot) => robot_path(robot),
            Self::Repository(repository) => repository_path(repository),
            Self::Mirror(repository) => format!("{}/mirror", repository_path(repository)),
            Self::OrganizationMirror(organization) => format!("organization/{organization}/mirror"),
            Self::Permission(repository, Grantee::Robot(robot)) => {
                format!("{}/permissions/user/{}", repository_path(repository), segment(robot.as_str()))
            }
            Self::Permission(repository, Grantee::User(user)) => {
                format!("{}/permissions/user/{}", repository_path(repository), segment(user.as_str()))
            }
            Self::Permission(repository, Grantee::Team(team)) => {
                format!("{}/permissions/team/{team}", repository_path(repository))
            }
            Self::Notification(scope, _) => format!("{}/{}", scope.path().trim_end_matches('/'), uuid?),
        })
    }

    /// Whether a status says that it is not there: robots, roles and notifications that are not have 400, as in Quay.
    pub(crate) fn is_absent(&self, status: u16) -> bool {
        let is_quays = matches!(self, Self::Robot(_) | Self::Permission(..) | Self::Notification(..));
        status == 404 || is_quays && status == 400
    }

    /// Makes it.
    pub(crate) fn create(&self, mut settings: Map<String, Value>, now: Timestamp) -> Call {
        let path = self.path(None).unwrap_or_default();
        let mut or = |name: &str, value: Value| {
            settings.entry(name).or_insert(value);
        };
        let method = match self {
            Self::Organization(organization) => {
                or("name", organization.as_str().into());
                return Call::new("POST", "organization/", Value::Object(settings));
            }
            Self::Repository(repository) => {
                or("namespace", repository.namespace().as_str().into());
                or("repository", repository.name().into());
                or("visibility", "private".into());
                or("description", "".into());
                return Call::new("POST", "repository", Value::Object(settings));
            }
            Self::Notification(scope, _) => {
                or("config", json!({}));
                or("eventConfig", json!({}));
                return Call::new("POST", scope.path(), Value::Object(settings));
            }
            Self::Robot(_) | Self::Permission(..) => "PUT",
            Self::Mirror(_) => {
                or("sync_interval", INTERVAL.into());
                or("sync_start_date", now.iso().into());
                or("skopeo_timeout_interval", REGISTRY_TIMEOUT.into());
                "POST"
            }
            Self::OrganizationMirror(_) => {
                or("sync_interval", INTERVAL.into());
                or("sync_start_date", now.iso().into());
                or("visibility", "private".into());
                "POST"
            }
        };
        Call::new(method, path, Value::Object(settings))
    }

    /// Makes it have these settings, null for those that it is no longer to have. What cannot be changed has to be what
    /// `present`, the API's view of it, has.
    pub(crate) fn change(
        &self,
        fixed: &[&str],
        mut settings: Map<String, Value>,
        present: &Value,
    ) -> Result<Vec<Call>, PropertyError> {
        settings.retain(|name, value| !fixed.contains(&name.as_str()) || present.get(name) != Some(value));
        if let Some(name) = settings.keys().find(|name| fixed.contains(&name.as_str())) {
            let why = "cannot be changed by the API: take the resource out of the template, and put it in again";
            return Err(PropertyError::new(name, why));
        }
        if settings.is_empty() {
            return Ok(Vec::new());
        }
        let path = self.path(None).unwrap_or_default();
        Ok(match self {
            Self::Repository(_) => {
                let description = settings.remove("description");
                let description = description.map(|it| Call::new("PUT", &path, json!({"description": it})));
                let visibility = settings.remove("visibility");
                let visibility = visibility
                    .map(|it| Call::new("POST", format!("{path}/changevisibility"), json!({"visibility": it})));
                description.into_iter().chain(visibility).collect()
            }
            Self::Robot(_) => {
                let mut part = |name: &str, below: &str, method: &'static str| {
                    let path = format!("{path}/{below}");
                    let is_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                    settings.remove(name).map(|value| {
                        if is_nothing(&value) {
                            Call::new("DELETE", path, None)
                        } else {
                            Call::new(method, path, value)
                        }
                    })
                };
                let registry = part("external_registry", "external-registry", "PUT");
                registry.into_iter().chain(part("federation", "federation", "POST")).collect()
            }
            // It is another one if anything of it changes.
            Self::Notification(..) => Vec::new(),
            Self::Organization(_) | Self::Mirror(_) | Self::OrganizationMirror(_) | Self::Permission(..) => {
                vec![Call::new("PUT", path, Value::Object(settings))]
            }
        })
    }

    /// What has to be asked to know that nothing is in it, with how that is said. None that is not there counts as empty.
    pub(crate) fn contents(&self) -> Vec<(String, IsEmpty)> {
        match self {
            Self::Organization(organization) => vec![
                (format!("repository?namespace={organization}"), |it| is_empty(&it["repositories"])),
                (format!("organization/{organization}/robots?limit=1"), |it| is_empty(&it["robots"])),
                (format!("organization/{organization}/mirror"), |_| false),
            ],
            Self::Repository(repository) => {
                vec![(repository_path(repository), |it| it["state"] == "NORMAL" && is_empty(&it["tags"]))]
            }
            _ => Vec::new(),
        }
    }

    /// What `Fn::GetAtt` gives. No secret is among it: whoever reads the stack reads this.
    pub(crate) fn data(&self, registry: &Registry, uuid: Option<Uuid>) -> Map<String, Value> {
        let pulled = |repository: &RepositoryName| {
            vec![
                ("repository", repository.as_str().to_owned()),
                ("pull_reference", registry.reference(repository.as_str())),
                ("registry_host", registry.host().to_owned()),
            ]
        };
        let data = match self {
            Self::Organization(organization) => vec![("name", organization.as_str().to_owned())],
            Self::OrganizationMirror(organization) => {
                vec![("organization", organization.as_str().to_owned()), ("registry_host", registry.host().to_owned())]
            }
            Self::Robot(robot) => vec![
                ("name", robot.as_str().to_owned()),
                ("organization", robot.namespace().as_str().to_owned()),
                ("registry_host", registry.host().to_owned()),
            ],
            Self::Repository(repository) | Self::Mirror(repository) => pulled(repository),
            Self::Permission(repository, _) => vec![("repository", repository.as_str().to_owned())],
            Self::Notification(..) => uuid.map(|uuid| ("uuid", uuid.to_string())).into_iter().collect(),
        };
        data.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}

impl Scope {
    /// The path of its notifications.
    fn path(&self) -> String {
        match self {
            Self::Repository(repository) => format!("{}/notification/", repository_path(repository)),
            Self::Organization(organization) => format!("organization/{organization}/notifications"),
        }
    }
}

fn repository_path(repository: &RepositoryName) -> String {
    format!("repository/{repository}")
}

fn robot_path(robot: &RobotName) -> String {
    format!("organization/{}/robots/{}", robot.namespace(), robot.short())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
