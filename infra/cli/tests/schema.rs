//! The schema of documents is what the API's description says of the same fields, and what the types read. Set
//! `MOORAGE_WRITE_SCHEMA=1` to have it written anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::needless_pass_by_value, reason = "schemas are written where they are used")]

use std::{collections::BTreeSet, fs, path::Path};

use moorage_declaration::{
    Document, Mirror, Notification, NotificationConfig, OrganizationDocument, OrganizationMirror, PermissionsDocument,
    ProxySettings, RegistryConfig, RepositoryDocument, Robot, Team, TlsSettings,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The API's schemas.
const API: &str = include_str!("../../../shared/management/src/http/schemas.json");

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mirrors.schema.json")
}

/// A schema of the API's, with our way to refer to others.
fn of_api(name: &str) -> Value {
    let all: Value = serde_json::from_str(API).unwrap();
    let text = all[name].to_string().replace("#/components/schemas/", "#/$defs/");
    assert_ne!(text, "null", "the API describes {name}");
    serde_json::from_str(&text).unwrap()
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn or_null(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn object(description: &str, required: &[&str], properties: Value) -> Value {
    let mut schema = json!({"type": "object", "description": description, "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["additionalProperties"] = false.into();
    schema
}

fn named(description: &str, pattern: &str, entry: Value) -> Value {
    let patterns = Map::from_iter([(pattern.to_owned(), entry)]);
    json!({"type": "object", "description": description, "patternProperties": patterns, "additionalProperties": false})
}

/// The settings of a mirror, as the API has them, but for secrets.
fn mirror(name: &str, description: &str, required: &[&str]) -> Value {
    let mut properties = of_api(name)["properties"].clone();
    properties["external_registry_password"] = or_null(&reference("Secret"));
    object(description, required, properties)
}

/// Files, which are named as secrets are; none of what is shown of them.
fn tls() -> Value {
    let of_api = of_api("Tls");
    let mut properties = Map::new();
    for name in ["ca_bundle", "client_certificate", "client_key"] {
        let mut property = or_null(&reference("Secret"));
        property["description"] = of_api["properties"][name]["description"].clone();
        properties.insert(name.to_owned(), property);
    }
    object("What TLS goes by. Null takes one away.", &[], properties.into())
}

fn registry_config() -> Value {
    let mut properties = of_api("RegistryConfig")["properties"].clone();
    let proxy = json!({"anyOf": [{"type": "string"}, reference("Secret"), {"type": "null"}],
                       "description": "With a password in it, it is named as a secret."});
    properties["proxy"] = object(
        "By what the registry is reached.",
        &[],
        json!({"http_proxy": proxy, "https_proxy": proxy, "no_proxy": {"type": ["string", "null"]}}),
    );
    properties["tls"] = or_null(&reference("Tls"));
    properties["credentials"] = or_null(&reference("CloudLogin"));
    object("How the registry is reached.", &[], properties)
}

fn notification() -> Value {
    let mut properties = of_api("NewNotification")["properties"].clone();
    properties["title"] = json!({"type": "string", "minLength": 1, "maxLength": 256,
                                 "description": "What it is known by: no other of the same repository has it."});
    properties["config"] = reference("NotificationConfig");
    object("Who is told of an event, and how.", &["title", "event", "method", "config"], properties)
}

fn notification_config() -> Value {
    let url = json!({"anyOf": [{"type": "string"}, reference("Secret")], "description": "Of webhook and slack."});
    object(
        "Where it is told.",
        &[],
        json!({
            "url": url, "template": {"description": "Of webhook: the body."}, "secret": reference("Secret"),
            "target": {"type": "object", "description": "Of quay_notification: kind and name."},
            "topic_arn": {"type": "string", "description": "Of sns."},
            "bus": {"type": "string", "description": "Of eventbridge."},
        }),
    )
}

fn robot() -> Value {
    let mut properties = of_api("NewRobot")["properties"].clone();
    let mut registry = of_api("RobotRegistry");
    registry["properties"]["password"] = reference("Secret");
    registry["properties"]["tls"] = or_null(&reference("Tls"));
    registry["properties"]["credentials"] = reference("CloudLogin");
    registry["additionalProperties"] = false.into();
    properties["description"] = json!({"type": "string", "description": "Said when it is created, and not changed."});
    properties["external_registry"] = or_null(&registry);
    properties["token"] = reference("Secret");
    object("A robot.", &[], properties)
}

fn organization() -> Value {
    let notifications = json!({"type": "array", "items": reference("Notification")});
    object(
        "An organization, with what belongs to it.",
        &[],
        json!({
            "email": {"type": "string"},
            "robots": named("Robots, by their names without the organization's.", "^[a-z0-9]+([._-][a-z0-9]+)*$", or_null(&reference("Robot"))),
            "teams": named("Teams, by their names.", "^[a-z0-9]+([._-][a-z0-9]+)*$", or_null(&reference("Team"))),
            "mirror": reference("OrganizationMirror"), "notifications": notifications,
        }),
    )
}

fn repository() -> Value {
    let (role, notifications) = (reference("Role"), json!({"type": "array", "items": reference("Notification")}));
    let permissions = object(
        "Who has a role on it.",
        &[],
        json!({
            "robots": named("Robots, by their full names.", "^[a-z0-9][a-z0-9._-]*\\+[a-z0-9._-]+$", role.clone()),
            "teams": named("Teams of its organization.", "^[a-z0-9]+([._-][a-z0-9]+)*$", role.clone()),
            "users": named("People, by the names that the provider gives; they have to have signed in once.", "^[a-z0-9][a-z0-9._@-]{0,254}$", role),
        }),
    );
    object(
        "A repository, with what belongs to it.",
        &[],
        json!({
            "description": {"type": "string"}, "visibility": {"enum": ["public", "private"]},
            "mirror": reference("Mirror"), "permissions": permissions, "notifications": notifications,
        }),
    )
}

fn schema() -> Value {
    let team = object(
        "A team.",
        &[],
        json!({
            "role": {"enum": ["member", "creator", "admin"]}, "description": {"type": "string"},
            "group": {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "description": "The provider's group whose people are its members; null for none."},
            "members": {"type": "array", "items": {"type": "string"}, "description": "All of its members: robots by their full names, and, if there is no group, people by the names that the provider gives."},
        }),
    );
    let secret = json!({
        "description": "Where a secret is: a variable of the environment, or a file.",
        "oneOf": [
            object("A variable.", &["env"], json!({"env": {"type": "string", "minLength": 1}})),
            object("A file, whose last line break does not count.", &["file"], json!({"file": {"type": "string", "minLength": 1}})),
        ],
    });
    let mirror_needs = ["external_reference", "robot_username"];
    let organization_needs =
        ["external_registry_type", "external_registry_url", "external_namespace", "robot_username"];
    let mut of_organization =
        mirror("OrganizationMirrorChange", "The mirror of a whole namespace of a registry.", &organization_needs);
    of_organization["properties"]["external_registry_type"] =
        of_api("NewOrganizationMirror")["properties"]["external_registry_type"].clone();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Moorage's mirrors",
        "description": "What there is to be in a deployment. What is not said is left as it is.",
        "type": "object",
        "properties": {
            "organizations": named("Organizations, by their names.", "^[a-z0-9][a-z0-9._-]{0,254}$", or_null(&reference("Organization"))),
            "repositories": named("Repositories, by their full names.", "^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)+$", or_null(&reference("Repository"))),
        },
        "additionalProperties": false,
        "$defs": {
            "Organization": organization(), "Robot": robot(), "Federation": of_api("Federation"), "Team": team, "Repository": repository(),
            "Mirror": mirror("MirrorChange", "What a repository follows.", &mirror_needs),
            "OrganizationMirror": of_organization,
            "RegistryConfig": registry_config(), "Tls": tls(), "CloudLogin": of_api("CloudLogin"), "RootRule": of_api("RootRule"), "Selection": of_api("Selection"),
            "MinAge": of_api("MinAge"), "OnMove": of_api("OnMove"), "SignaturePolicy": of_api("SignaturePolicy"),
            "Notification": notification(), "NotificationConfig": notification_config(),
            "Role": {"enum": ["read", "write", "admin"]}, "Secret": secret,
        },
    })
}

/// The fields of a type that takes no others: what it says of one that it does not have.
fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!({"no such field": 1})).err().unwrap().to_string();
    assert!(error.starts_with("unknown field"), "{error}");
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_is_that_of_the_api_and_the_types() {
    let schema = schema();
    let written = format!("{schema:#}\n");
    if std::env::var_os("MOORAGE_WRITE_SCHEMA").is_some() {
        fs::write(file(), &written).unwrap();
    }
    let there: Value = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    assert_eq!(there, schema, "write it anew: MOORAGE_WRITE_SCHEMA=1 cargo test --workspace --test schema");

    let of = |name: &str| schema["$defs"][name].clone();
    assert_eq!(properties(&schema), fields::<Document>());
    assert_eq!(properties(&of("Organization")), fields::<OrganizationDocument>());
    assert_eq!(properties(&of("Repository")), fields::<RepositoryDocument>());
    assert_eq!(properties(&of("Repository")["properties"]["permissions"]), fields::<PermissionsDocument>());
    assert_eq!(properties(&of("Mirror")), fields::<Mirror>());
    assert_eq!(properties(&of("OrganizationMirror")), fields::<OrganizationMirror>());
    assert_eq!(properties(&of("RegistryConfig")), fields::<RegistryConfig>());
    assert_eq!(properties(&of("RegistryConfig")["properties"]["proxy"]), fields::<ProxySettings>());
    assert_eq!(properties(&of("Tls")), fields::<TlsSettings>());
    assert_eq!(properties(&of("Notification")), fields::<Notification>());
    assert_eq!(properties(&of("NotificationConfig")), fields::<NotificationConfig>());
    assert_eq!(properties(&of("Robot")), fields::<Robot>());
    assert_eq!(properties(&of("Team")), fields::<Team>());
}

#[test]
fn all_that_is_referred_to_is_there_and_used() {
    let schema = schema();
    let text = schema.to_string();
    let used: BTreeSet<_> = text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let known: BTreeSet<_> = schema["$defs"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(used, known);
}
