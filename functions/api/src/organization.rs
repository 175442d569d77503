//! Organizations, and the user that the admin token stands for.

use moorage_domain::Namespace;
use moorage_state::{Organization, StateError};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    api::{ADMIN, Api, Call, now},
    error::ApiError,
    field::Fields,
};

/// The longest address, as in mail (RFC 5321, 4.5.3.1.3).
const EMAIL_LENGTH: usize = 256;

/// `GET /user/`.
pub(crate) fn user() -> Answer {
    Answer::ok(json!({
        "anonymous": false, "username": ADMIN, "verified": true, "email": null, "organizations": [], "logins": [],
        "can_create_repo": true, "super_user": true, "avatar": avatar(ADMIN, "user"),
    }))
}

/// `POST /organization/`.
pub(crate) async fn create(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["name"])?;
    let name = fields.string("name")?.unwrap_or_default();
    let email = email(fields)?.flatten();
    let name: Namespace =
        name.parse().map_err(|_| ApiError::InvalidRequest(format!("Invalid organization name {name:.100}")))?;
    match api.table.create_organization(&Organization { name, email, created: now() }).await {
        Ok(()) => Ok(Answer::Json(201, "Created".into())),
        Err(StateError::Conflict) => {
            Err(ApiError::InvalidRequest("A user or organization with this name already exists".into()))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /organization/{name}`.
pub(crate) async fn get(api: &Api, name: &str) -> Result<Answer, ApiError> {
    find(api, name).await.map(|organization| Answer::ok(view(&organization)))
}

/// `PUT /organization/{name}`.
pub(crate) async fn change(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let email = email(Fields(&body))?;
    let mut organization = find(api, name).await?;
    if let Some(email) = email {
        organization.email = email;
        api.table.put_organization(&organization).await?;
    }
    Ok(Answer::ok(view(&organization)))
}

/// The organization `name`, or 404.
pub(crate) async fn find(api: &Api, name: &str) -> Result<Organization, ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    api.table.organization(&name).await?.ok_or(ApiError::NotFound)
}

fn email(fields: Fields<'_>) -> Result<Option<Option<String>>, ApiError> {
    let email = fields.nullable_string("email")?;
    if email.flatten().is_some_and(|email| email.len() > EMAIL_LENGTH) {
        return Err(ApiError::InvalidRequest("The email address is too long".into()));
    }
    Ok(email.map(|email| email.map(str::to_owned)))
}

fn view(organization: &Organization) -> Value {
    let name = organization.name.as_str();
    json!({
        "name": name, "email": organization.email.as_deref().unwrap_or_default(), "avatar": avatar(name, "org"),
        "is_admin": true, "is_member": true, "teams": {}, "ordered_teams": [], "invoice_email": false,
        "invoice_email_address": null, "tag_expiration_s": 1_209_600, "is_free_account": false,
    })
}

/// Quay's picture of a user or an organization; ours have none.
pub(crate) fn avatar(name: &str, kind: &str) -> Value {
    json!({"name": name, "hash": "", "color": "#969696", "kind": kind})
}
