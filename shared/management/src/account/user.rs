//! The user: the one that all tokens stand for, or the person who calls.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::Namespace;
use moorage_state::{ADMIN, Role};
use serde_json::{Value, json};

use crate::{
    access::caller::Caller,
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError, field::Fields},
};

/// `GET user/`.
pub(crate) async fn get(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let names = match &call.caller {
        Caller::Anonymous | Caller::Refused(_) => Vec::new(),
        Caller::Person(person) if !person.is_superuser => person.organizations(),
        Caller::Token(token) if token.namespace.is_some() => {
            let own = token.namespace.as_ref();
            let own = stream::iter(own).then(|own| api.table.organization(own)).try_collect::<Vec<_>>().await?;
            own.into_iter().flatten().map(|organization| organization.name).collect()
        }
        Caller::Admin | Caller::Token(_) | Caller::Person(_) => api.table.organizations("", None).await?,
    };
    let organization = |name: &Namespace| {
        let role = call.caller.role_in(name);
        json!({
            "name": name, "avatar": avatar(name.as_str(), "org"), "can_create_repo": call.caller.may_create_in(name),
            "is_org_admin": role == Some(Role::Admin), "public": false, "preferred_namespace": false, "role": role,
        })
    };
    let is_superuser = call.caller.is_superuser();
    let person = call.caller.person().map(|person| &person.user);
    let name = person.map_or(ADMIN, |user| user.name.as_str());
    // Where the provider knows them: nobody else is shown that.
    let logins = person.map(|user| json!({"service": "oidc", "service_identifier": user.subject, "metadata": {}}));
    Ok(Answer::ok(json!({
        "anonymous": false, "username": name, "verified": true, "email": person.and_then(|user| user.email.as_deref()),
        "logins": logins.into_iter().collect::<Vec<_>>(),
        "avatar": avatar(name, "user"), "can_create_repo": is_superuser, "is_me": true, "super_user": is_superuser,
        // People have no namespace of their own.
        "preferred_namespace": person.is_none(), "tag_expiration_s": api.tag_retention.as_secs(), "prompts": [],
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
