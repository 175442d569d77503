//! New organizations, and changes of them.

use moorage_domain::{Generation, Namespace, usage_log::LogKind};
use moorage_state::{ADMIN, Organization, StateError, now};
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    organization::{find::find_organization, view::view},
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
    let organization = Organization {
        name,
        id: Generation::new(Uuid::new_v4()),
        email,
        created: now(),
        is_ending: false,
        is_notified: false,
    };
    match api.table.create_organization(&organization).await {
        Ok(()) => {}
        Err(StateError::Conflict) => return Err(exists()),
        Err(error) => return Err(error.into()),
    }
    let metadata = [("email", organization.email.clone().into())];
    api.log_namespace(call, &organization.name, LogKind::OrgCreate, metadata).await;
    Ok(Answer::Json(201, "Created".into()))
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
    let mut organization = find_organization(api, name).await?;
    if let Some(email) = email.filter(|email| *email != organization.email) {
        let before = std::mem::replace(&mut organization.email, email.clone());
        api.table.set_organization_email(&organization).await?;
        let metadata = [("email", email.into()), ("old_email", before.into())];
        api.log_namespace(call, &organization.name, LogKind::OrgChangeEmail, metadata).await;
    }
    view(api, call, &organization).await
}

fn email(fields: Fields<'_>) -> Result<Option<Option<String>>, ApiError> {
    let email = fields.nullable_string("email")?;
    if email.flatten().is_some_and(|email| email.len() > EMAIL_LENGTH) {
        return Err(ApiError::InvalidRequest("The email address is too long".into()));
    }
    Ok(email.map(|email| email.map(str::to_owned)))
}
