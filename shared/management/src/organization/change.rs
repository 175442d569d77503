//! Organizations.

use futures_util::future::try_join;
use moorage_domain::{Generation, Namespace, usage_log::LogKind};
use moorage_state::{ADMIN, Organization, Role, StateError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::{Api, Call, now},
    http::{answer::Answer, error::ApiError, field::Fields},
    organization::team,
};

/// The longest address, as in mail (RFC 5321, 4.5.3.1.3).
const EMAIL_LENGTH: usize = 256;

/// `POST organization/`.
pub(crate) async fn create(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["name"])?;
    let name = fields.string("name")?.unwrap_or_default();
    let email = email(fields)?.flatten();
    let name: Namespace =
        name.parse().map_err(|_| ApiError::InvalidRequest(format!("Invalid organization name {name:.100}")))?;
    let exists = || ApiError::InvalidRequest("A user or organization with this name already exists".into());
    if name.as_str() == ADMIN {
        return Err(exists());
    }
    let organization =
        Organization { name, id: Generation::new(Uuid::new_v4()), email, created: now(), is_ending: false };
    match api.table.create_organization(&organization).await {
        Ok(()) => {}
        Err(StateError::Conflict) => return Err(exists()),
        Err(error) => return Err(error.into()),
    }
    let metadata = [("email", organization.email.clone().into())];
    api.log_namespace(call, &organization.name, LogKind::OrgCreate, metadata).await;
    Ok(Answer::Json(201, "Created".into()))
}

/// `GET organization/{orgname}`. Whoever has a token may, as in Quay, and everybody may see one that has public
/// repositories: registries that mirror these ask for it. To everybody else it is the same whether there is one.
pub(crate) async fn get(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let namespace: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    if namespace.as_str() == ADMIN || call.caller.is_known() {
        return view(api, call, &find(api, name).await?).await;
    }
    // The same reads whatever there is, so that time tells nothing.
    let looks = try_join(api.table.organization(&namespace), api.table.has_public_repositories(&namespace));
    let (found, is_public) = Box::pin(looks).await?;
    match found {
        Some(organization) if is_public => view(api, call, &organization).await,
        _ => Err(call.caller.refused()),
    }
}

/// `PUT organization/{orgname}`.
pub(crate) async fn change(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    let email = email(fields)?;
    fields.boolean("invoice_email")?;
    fields.nullable_string("invoice_email_address")?;
    // One retention time holds for the whole bucket.
    let retention = fields.integer("tag_expiration_s", 0)?;
    if retention.is_some_and(|seconds| seconds != api.tag_retention.as_secs()) {
        let detail = format!("tag_expiration_s is {} for the whole deployment", api.tag_retention.as_secs());
        return Err(ApiError::InvalidRequest(detail));
    }
    let mut organization = find(api, name).await?;
    if let Some(email) = email.filter(|email| *email != organization.email) {
        let before = std::mem::replace(&mut organization.email, email.clone());
        api.table.set_organization_email(&organization).await?;
        let metadata = [("email", email.into()), ("old_email", before.into())];
        api.log_namespace(call, &organization.name, LogKind::OrgChangeEmail, metadata).await;
    }
    view(api, call, &organization).await
}

/// The organization `name`, or 404.
pub(crate) async fn find(api: &Api, name: &str) -> Result<Organization, ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    api.table.organization(&name).await?.ok_or(ApiError::NotFound)
}

/// The namespace `name`, an organization's or the admin's own, or 404.
pub(crate) async fn find_namespace(api: &Api, name: &str) -> Result<Namespace, ApiError> {
    Ok(find_place(api, name).await?.0)
}

/// As [`find_namespace`], with which of those that bore the name it is: for what is made in it.
pub(crate) async fn find_place(api: &Api, name: &str) -> Result<(Namespace, Generation), ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    if name.as_str() == ADMIN {
        return Ok((name, Generation::default()));
    }
    let found = api.table.organization(&name).await?.ok_or(ApiError::NotFound)?;
    Ok((found.name, found.id))
}

fn email(fields: Fields<'_>) -> Result<Option<Option<String>>, ApiError> {
    let email = fields.nullable_string("email")?;
    if email.flatten().is_some_and(|email| email.len() > EMAIL_LENGTH) {
        return Err(ApiError::InvalidRequest("The email address is too long".into()));
    }
    Ok(email.map(|email| email.map(str::to_owned)))
}

/// Quay's view: the less, the less the caller may do.
async fn view(api: &Api, call: &Call, organization: &Organization) -> Result<Answer, ApiError> {
    let name = organization.name.as_str();
    let role = call.caller.role_in(&organization.name);
    let (is_member, is_admin) = (role.is_some(), role == Some(Role::Admin));
    let email = organization.email.as_deref().filter(|_| is_admin).unwrap_or_default();
    let mut view = json!({
        "name": name, "email": email, "avatar": avatar(name, "org"), "is_admin": is_admin, "is_member": is_member,
    });
    if is_member {
        let (names, teams) = team::all(api, &organization.name).await?;
        view["ordered_teams"] = json!(names);
        view["teams"] = Value::Object(teams);
    }
    if is_admin {
        view["invoice_email"] = false.into();
        view["invoice_email_address"] = Value::Null;
        view["tag_expiration_s"] = api.tag_retention.as_secs().into();
        view["is_free_account"] = false.into();
    }
    Ok(Answer::ok(view))
}

/// Quay's picture of a user or an organization; ours have none.
pub(crate) fn avatar(name: &str, kind: &str) -> Value {
    json!({"name": name, "hash": "", "color": "#969696", "kind": kind})
}
