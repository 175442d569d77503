//! The user that all tokens stand for.

use moorage_domain::Namespace;
use moorage_state::{ADMIN, Role};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError, field::Fields},
};

/// `GET user/`.
pub(crate) async fn get(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let names = match call.caller.namespace() {
        Some(own) => api.table.organization(own).await?.map(|organization| organization.name).into_iter().collect(),
        None => api.table.organizations("", None).await?,
    };
    let is_admin = |name: &Namespace| call.caller.role_in(name) == Some(Role::Admin);
    let organization = |name: &Namespace| {
        json!({
            "name": name, "avatar": avatar(name.as_str(), "org"), "can_create_repo": is_admin(name),
            "is_org_admin": is_admin(name), "public": false, "preferred_namespace": false,
            "role": call.caller.role_in(name),
        })
    };
    let is_superuser = call.caller.is_superuser();
    Ok(Answer::ok(json!({
        "anonymous": false, "username": ADMIN, "verified": true, "email": null, "logins": [],
        "avatar": avatar(ADMIN, "user"), "can_create_repo": is_superuser, "is_me": true, "super_user": is_superuser,
        "preferred_namespace": true, "tag_expiration_s": api.tag_retention.as_secs(), "prompts": [],
        "organizations": names.iter().map(organization).collect::<Vec<_>>(),
    })))
}

/// `POST user/initialize`: the token for whoever shows it as the password. Quay makes its first user so, once, for
/// whoever comes first; here only the deployment's owner knows the secret, and may call as often as they like.
pub(crate) async fn initialize(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["username", "password"])?;
    fields.string("username")?;
    let email = fields.nullable_string("email")?.flatten();
    let wants_token = fields.boolean("access_token")?.unwrap_or_default();
    let password = fields.string("password")?.unwrap_or_default();
    if !api.admin_token.is(password).await? {
        return Err(ApiError::BrokenRule("Cannot initialize user in a non-empty database".into()));
    }
    let token = if wants_token { Value::from(password) } else { Value::Null };
    Ok(Answer::ok(json!({"username": ADMIN, "email": email, "encrypted_password": "", "access_token": token})))
}
