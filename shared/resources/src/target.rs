//! What a resource is about, and the name that CloudFormation keeps of it.

use std::fmt;

use moorage_domain::{NameError, Namespace, RepositoryName, RobotName, TeamName, UserName};
use moorage_state::StackResource;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{kind::Kind, typed::PropertyError};

/// What all physical ids begin with.
const PREFIX: &str = "moorage/";
/// How many bytes of a hash tell a stack's notifications apart.
const HASH: usize = 8;

/// One thing of the API's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Organization(Namespace),
    Robot(RobotName),
    Repository(RepositoryName),
    Mirror(RepositoryName),
    OrganizationMirror(Namespace),
    Permission(RepositoryName, Grantee),
    /// A notification, by a hash of whose it is and what it says: another one is another thing.
    Notification(Scope, String),
}

/// Who has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grantee {
    Robot(RobotName),
    Team(TeamName),
    User(UserName),
}

impl Grantee {
    /// Whom `username` names: a `+` makes the difference, as no person's name has one.
    fn named(username: &str) -> Result<Self, NameError> {
        if username.contains('+') { username.parse().map(Self::Robot) } else { username.parse().map(Self::User) }
    }
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Repository(RepositoryName),
    Organization(Namespace),
}

impl Target {
    /// The one that properties name.
    pub(crate) fn of(
        kind: Kind,
        properties: &Map<String, Value>,
        settings: &[&Value],
        owner: &StackResource,
    ) -> Result<Self, PropertyError> {
        let repository = || required::<RepositoryName>(properties, "repository");
        let organization = || required::<Namespace>(properties, "organization");
        Ok(match kind {
            Kind::Organization => Self::Organization(required(properties, "name")?),
            Kind::Robot => {
                let short = text(properties, "robot_shortname")?.unwrap_or_default();
                let robot = RobotName::new(&organization()?, short);
                Self::Robot(robot.map_err(|error| PropertyError::new("robot_shortname", format!("is {error}")))?)
            }
            Kind::Repository => Self::Repository(repository()?),
            Kind::Mirror => Self::Mirror(repository()?),
            Kind::OrganizationMirror => Self::OrganizationMirror(organization()?),
            Kind::Permission => {
                let named = text(properties, "username")?.map(Grantee::named).transpose();
                let user = named.map_err(|error| PropertyError::new("username", format!("is {error}")))?;
                let team = optional(properties, "teamname")?.map(Grantee::Team);
                let grantee = one_of((user, "username"), (team, "teamname"))?;
                Self::Permission(repository()?, grantee)
            }
            Kind::Notification => {
                let repository = optional(properties, "repository")?.map(Scope::Repository);
                let organization = optional(properties, "organization")?.map(Scope::Organization);
                let scope = one_of((repository, "repository"), (organization, "organization"))?;
                Self::Notification(scope, hash(settings, owner))
            }
        })
    }

    /// The one of a physical id; nothing if no resource of this kind is called so.
    pub(crate) fn parse(kind: Kind, physical_id: &str) -> Option<Self> {
        let name = physical_id.strip_prefix(PREFIX)?;
        match kind {
            Kind::Organization => Some(Self::Organization(name.strip_suffix("/organization")?.parse().ok()?)),
            Kind::Robot => Some(Self::Robot(name.strip_suffix("/robot")?.parse().ok()?)),
            Kind::Repository => Some(Self::Repository(name.strip_suffix("/repository")?.parse().ok()?)),
            Kind::Mirror => Some(Self::Mirror(name.strip_suffix("/mirror")?.parse().ok()?)),
            Kind::OrganizationMirror => {
                Some(Self::OrganizationMirror(name.strip_suffix("/organization-mirror")?.parse().ok()?))
            }
            Kind::Permission => {
                let (rest, grantee) = name.rsplit_once('/')?;
                let (repository, grantee) = if let Some(repository) = rest.strip_suffix("/permission/user") {
                    (repository, Grantee::named(grantee).ok()?)
                } else {
                    (rest.strip_suffix("/permission/team")?, Grantee::Team(grantee.parse().ok()?))
                };
                Some(Self::Permission(repository.parse().ok()?, grantee))
            }
            Kind::Notification => {
                let (rest, hash) = name.rsplit_once('/')?;
                let scope = rest.strip_suffix("/notification")?;
                let scope = if scope.contains('/') {
                    Scope::Repository(scope.parse().ok()?)
                } else {
                    Scope::Organization(scope.parse().ok()?)
                };
                Some(Self::Notification(scope, hash.to_owned()))
            }
        }
    }
}

/// The physical id.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        match self {
            Self::Organization(organization) => write!(f, "{organization}/organization"),
            Self::Robot(robot) => write!(f, "{robot}/robot"),
            Self::Repository(repository) => write!(f, "{repository}/repository"),
            Self::Mirror(repository) => write!(f, "{repository}/mirror"),
            Self::OrganizationMirror(organization) => write!(f, "{organization}/organization-mirror"),
            Self::Permission(repository, Grantee::Robot(robot)) => write!(f, "{repository}/permission/user/{robot}"),
            Self::Permission(repository, Grantee::User(user)) => write!(f, "{repository}/permission/user/{user}"),
            Self::Permission(repository, Grantee::Team(team)) => write!(f, "{repository}/permission/team/{team}"),
            Self::Notification(Scope::Repository(repository), hash) => write!(f, "{repository}/notification/{hash}"),
            Self::Notification(Scope::Organization(organization), hash) => {
                write!(f, "{organization}/notification/{hash}")
            }
        }
    }
}

/// A hash of a stack's resource and of what it says.
fn hash(settings: &[&Value], owner: &StackResource) -> String {
    let mut hash = Sha256::new();
    for text in [&owner.stack_id, &owner.logical_id] {
        hash.update(text);
        hash.update([0]);
    }
    for value in settings {
        hash.update(canonical(value).to_string());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..HASH])
}

/// The value with its fields as pairs, in the order of their names: how maps are kept must not make another hash.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_by_key(|(name, _)| *name);
            pairs.into_iter().map(|(name, value)| Value::from(vec![name.as_str().into(), canonical(value)])).collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// A property that is a text, if it is there.
fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, PropertyError> {
    match properties.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(PropertyError::new(name, "has to be a text")),
    }
}

fn optional<T: std::str::FromStr<Err = NameError>>(
    properties: &Map<String, Value>,
    name: &str,
) -> Result<Option<T>, PropertyError> {
    let parsed = text(properties, name)?.map(str::parse).transpose();
    parsed.map_err(|error| PropertyError::new(name, format!("is {error}")))
}

fn required<T: std::str::FromStr<Err = NameError>>(
    properties: &Map<String, Value>,
    name: &str,
) -> Result<T, PropertyError> {
    optional(properties, name)?.ok_or_else(|| PropertyError::new(name, "is required"))
}

fn one_of<T>(first: (Option<T>, &str), second: (Option<T>, &str)) -> Result<T, PropertyError> {
    match (first, second) {
        ((Some(it), _), (None, _)) | ((None, _), (Some(it), _)) => Ok(it),
        ((None, first), (None, second)) => Err(PropertyError::new(first, format!("or {second} is required"))),
        ((_, first), (_, second)) => Err(PropertyError::new(first, format!("and {second} exclude each other"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owner(logical_id: &str) -> StackResource {
        StackResource { stack_id: "arn".into(), logical_id: logical_id.into(), uuid: None }
    }

    fn target(kind: Kind, properties: &Value) -> Result<Target, String> {
        let target = Target::of(kind, properties.as_object().unwrap(), &[&json!("event")], &owner("A"));
        target.map_err(|error| error.to_string())
    }

    #[test]
    fn physical_ids_say_what_they_are_and_are_read_back() {
        let hash = hash(&[&json!("event")], &owner("A"));
        for (kind, properties, id) in [
            (Kind::Organization, json!({"name": "acme"}), "moorage/acme/organization".to_owned()),
            (
                Kind::Robot,
                json!({"organization": "acme", "robot_shortname": "mirror"}),
                "moorage/acme+mirror/robot".into(),
            ),
            (Kind::Repository, json!({"repository": "acme/app"}), "moorage/acme/app/repository".into()),
            (Kind::Mirror, json!({"repository": "acme/tools/mirror"}), "moorage/acme/tools/mirror/mirror".into()),
            (Kind::OrganizationMirror, json!({"organization": "acme"}), "moorage/acme/organization-mirror".into()),
            (
                Kind::Permission,
                json!({"repository": "acme/app", "username": "acme+bot"}),
                "moorage/acme/app/permission/user/acme+bot".into(),
            ),
            (
                Kind::Permission,
                json!({"repository": "acme/app", "username": "ann@example.com"}),
                "moorage/acme/app/permission/user/ann@example.com".into(),
            ),
            (
                Kind::Permission,
                json!({"repository": "acme/app", "teamname": "dev"}),
                "moorage/acme/app/permission/team/dev".into(),
            ),
            (Kind::Notification, json!({"repository": "acme/app"}), format!("moorage/acme/app/notification/{hash}")),
            (Kind::Notification, json!({"organization": "acme"}), format!("moorage/acme/notification/{hash}")),
        ] {
            let target = target(kind, &properties).unwrap();
            assert_eq!(target.to_string(), id);
            assert_eq!(Target::parse(kind, &id), Some(target));
        }
    }

    #[test]
    fn what_is_no_name_is_named() {
        for (kind, properties, said) in [
            (Kind::Organization, json!({}), "name is required"),
            (Kind::Organization, json!({"name": "ACME"}), "name is not a valid namespace"),
            (Kind::Organization, json!({"name": ["acme"]}), "name has to be a text"),
            (Kind::Robot, json!({"organization": "acme"}), "robot_shortname is not a valid robot name"),
            (Kind::Repository, json!({"repository": "app"}), "repository is not a valid repository name"),
            (Kind::Permission, json!({"repository": "a/b"}), "username or teamname is required"),
            (Kind::Permission, json!({"repository": "a/b", "username": "Ann"}), "username is not a valid user name"),
            (Kind::Permission, json!({"repository": "a/b", "username": "a+"}), "username is not a valid robot name"),
            (
                Kind::Permission,
                json!({"repository": "a/b", "username": "a+bot", "teamname": "dev"}),
                "username and teamname exclude each other",
            ),
            (Kind::Notification, json!({}), "repository or organization is required"),
        ] {
            assert_eq!(target(kind, &properties), Err(said.to_owned()));
        }
    }

    #[test]
    fn ids_of_others_are_nobodys() {
        for id in ["", "moorage/not-created", "moorage/acme/robot", "acme/organization", "moorage/ACME/organization"] {
            assert_eq!(Target::parse(Kind::Organization, id), None, "{id}");
        }
        assert_eq!(Target::parse(Kind::Mirror, "moorage/acme/app/repository"), None);
    }

    #[test]
    fn another_stack_or_another_text_is_another_notification() {
        let same = hash(&[&json!("event")], &owner("A"));
        assert_eq!(hash(&[&json!("event")], &owner("A")), same);
        assert_ne!(hash(&[&json!("other")], &owner("A")), same);
        assert_ne!(hash(&[&json!("event")], &owner("B")), same);
    }
}
