//! What a template declares of one resource, checked.

use moorage_state::StackResource;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    kind::Kind,
    target::Target,
    typed::{self, PropertyError},
};

/// Properties that are CloudFormation's own.
const OF_CLOUDFORMATION: [&str; 2] = ["ServiceToken", "ServiceTimeout"];
const ADOPT: &str = "Adopt";
const ON_DELETE: &str = "OnDelete";
const DRIFT: &str = "Drift";
const SECRET_ARN: &str = "CredentialsSecretArn";
const SECRET_VERSION: &str = "CredentialsSecretVersion";
/// Fields that a template never holds, because whoever reads the stack would read them.
const SECRET_FIELDS: [(&str, &str); 4] = [
    ("", "external_registry_password"),
    ("external_registry", "password"),
    ("external_registry", "username"),
    ("config", "secret"),
];

/// What becomes of something when its resource is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDelete {
    /// It stays as it is.
    Keep,
    /// It is removed, with what is in it.
    Remove,
    /// It is removed if nothing is in it, and stays otherwise.
    RemoveIfEmpty,
}

/// A resource as a template has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declared {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    /// The API's own fields, by their types.
    pub(crate) settings: Map<String, Value>,
    /// Whether what exists already is taken over.
    pub(crate) adopt: bool,
    /// Whether an update writes what has not changed in the template, too.
    pub(crate) corrects_drift: bool,
    /// The secret that holds what no template may.
    pub(crate) secret_arn: Option<String>,
}

impl Declared {
    /// Reads a resource's properties.
    pub(crate) fn read(
        kind: Kind,
        properties: &Map<String, Value>,
        owner: &StackResource,
    ) -> Result<Self, PropertyError> {
        let settings = settings(kind, properties)?;
        let option = |name: &str| properties.get(name).filter(|_| kind.is_lasting());
        let adopt = option(ADOPT).map(|it| flag(ADOPT, it)).transpose()?.unwrap_or_default();
        let corrects_drift = option(DRIFT).map(drift).transpose()?.unwrap_or_default();
        on_delete(kind, properties)?;
        let secret_arn = properties.get(SECRET_ARN).filter(|_| kind.has_secret()).map(arn).transpose()?;
        let (version, none) = (properties.get(SECRET_VERSION), Value::Null);
        let secret = [properties.get(SECRET_ARN).unwrap_or(&none), version.unwrap_or(&none)];
        let whole = Value::Object(settings.clone());
        let target = Target::of(kind, properties, &[&whole, secret[0], secret[1]], owner)?;
        check_secrets(kind, &settings, secret_arn.is_some())?;
        Ok(Self { kind, target, settings, adopt, corrects_drift, secret_arn })
    }
}

/// What becomes of a resource that is deleted. What was there before the stack stays, if nothing else is said.
pub(crate) fn on_delete(kind: Kind, properties: &Map<String, Value>) -> Result<OnDelete, PropertyError> {
    let is_adopted = properties.get(ADOPT).and_then(typed::boolean).unwrap_or_default();
    match properties.get(ON_DELETE).map(|it| it.as_str().unwrap_or_default()) {
        Some("keep") => Ok(OnDelete::Keep),
        Some("remove") => Ok(OnDelete::Remove),
        Some("remove_if_empty") if kind.is_container() => Ok(OnDelete::RemoveIfEmpty),
        Some(_) if kind.is_container() => {
            Err(PropertyError::new(ON_DELETE, "has to be keep, remove or remove_if_empty"))
        }
        Some(_) => Err(PropertyError::new(ON_DELETE, "has to be keep or remove")),
        None if is_adopted => Ok(OnDelete::Keep),
        None if kind.is_container() => Ok(OnDelete::RemoveIfEmpty),
        None => Ok(OnDelete::Remove),
    }
}

/// The API's own fields among the properties.
fn settings(kind: Kind, properties: &Map<String, Value>) -> Result<Map<String, Value>, PropertyError> {
    let (body, names) = kind.body();
    let fields = typed::fields(body);
    let mut settings = Map::new();
    for (name, value) in properties {
        let name = name.as_str();
        if kind.identity().contains(&name) || is_option(kind, name) || value.is_null() {
            continue;
        }
        let field = fields.and_then(|fields| fields.get(name));
        let field = field.filter(|_| names.is_empty() || names.contains(&name));
        let Some(field) = field else {
            return Err(PropertyError::new(name, format!("is no property of Custom::Moorage{}", kind.name())));
        };
        settings.insert(name.to_owned(), typed::typed(field, value, name)?);
    }
    match kind.required().iter().find(|name| !settings.contains_key(**name)) {
        Some(missing) => Err(PropertyError::new(*missing, "is required")),
        None => Ok(settings),
    }
}

fn is_option(kind: Kind, name: &str) -> bool {
    match name {
        ON_DELETE => true,
        ADOPT | DRIFT => kind.is_lasting(),
        SECRET_ARN | SECRET_VERSION => kind.has_secret(),
        _ => OF_CLOUDFORMATION.contains(&name),
    }
}

fn flag(name: &str, value: &Value) -> Result<bool, PropertyError> {
    typed::boolean(value).ok_or_else(|| PropertyError::new(name, "has to be true or false"))
}

fn drift(value: &Value) -> Result<bool, PropertyError> {
    match value.as_str() {
        Some("correct") => Ok(true),
        Some("leave") => Ok(false),
        _ => Err(PropertyError::new(DRIFT, "has to be correct or leave")),
    }
}

fn arn(value: &Value) -> Result<String, PropertyError> {
    let arn = value.as_str().filter(|arn| arn.starts_with("arn:") && arn.contains(":secretsmanager:"));
    arn.map(str::to_owned).ok_or_else(|| PropertyError::new(SECRET_ARN, "has to be the ARN of a secret"))
}

/// Refuses what whoever reads the stack would read.
fn check_secrets(kind: Kind, settings: &Map<String, Value>, has_secret: bool) -> Result<(), PropertyError> {
    let in_secret = |name: &str| PropertyError::new(name, format!("comes from the secret that {SECRET_ARN} names"));
    for (outer, field) in SECRET_FIELDS {
        let (found, name) = match outer {
            "" => (settings.get(field), field.to_owned()),
            outer => (settings.get(outer).and_then(|it| it.get(field)), format!("{outer}.{field}")),
        };
        if found.is_some() {
            return Err(in_secret(&name));
        }
    }
    if has_secret && settings.contains_key("external_registry_username") {
        return Err(in_secret("external_registry_username"));
    }
    if kind == Kind::Robot && settings.contains_key("external_registry") != has_secret {
        return Err(PropertyError::new("external_registry", format!("and {SECRET_ARN} need each other")));
    }
    let Some(proxies) = settings.get("external_registry_config").and_then(|config| config["proxy"].as_object()) else {
        return Ok(());
    };
    let with_password = proxies.iter().find(|(_, url)| has_password(url.as_str().unwrap_or_default()));
    let why = "holds a password, which everybody would read who reads the stack; only the API takes it";
    with_password
        .map_or(Ok(()), |(name, _)| Err(PropertyError::new(format!("external_registry_config.proxy.{name}"), why)))
}

fn has_password(proxy: &str) -> bool {
    let url = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    // What is no URL is refused by the API; until then it may hold anything.
    Url::parse(&url).map_or_else(|_| proxy.contains('@'), |url| url.password().is_some())
}

#[cfg(test)]
mod tests;
