//! What superusers see of people, and do with them.

use moorage_domain::UserName;
use moorage_state::{StateError, User, now};
use serde_json::{Value, json};

use crate::{
    access::provider::Provider,
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError, field::Fields},
    people::find::find_user,
};

/// Users on a page, if the caller does not say.
const DEFAULT_LIMIT: i32 = 50;
/// The most users on a page.
const MAX_LIMIT: i32 = 100;

/// `GET superuser/users/`.
pub(crate) async fn list(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = call.next_page(|page| page.parse::<UserName>().is_ok())?;
    let page = api.table.users(limit, after).await?;
    let mut body = json!({"users": page.users.iter().map(|user| view(api, user)).collect::<Vec<_>>()});
    if let Some(next) = page.next {
        body["next_page"] = next.into();
    }
    Ok(Answer::ok(body))
}

/// `GET superuser/users/{username}`.
pub(crate) async fn get(api: &Api, name: &str) -> Result<Answer, ApiError> {
    Ok(Answer::ok(view(api, &find_user(api, name).await?)))
}

/// `PUT superuser/users/{username}`: lets somebody in, or no longer.
pub(crate) async fn change(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let enabled = Fields(&body).boolean("enabled")?;
    let mut user = find_user(api, name).await?;
    if let Some(enabled) = enabled.filter(|enabled| *enabled != user.enabled) {
        api.table.set_user_enabled(&(&user).into(), enabled).await?;
        user.enabled = enabled;
        tracing::info!(user = %user.name, enabled, by = call.caller.user(), "a user was enabled or disabled");
    }
    Ok(Answer::ok(view(api, &user)))
}

/// `DELETE superuser/users/{username}`, with all that was theirs. Whoever signs in by the name next is another one.
pub(crate) async fn delete(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let name: UserName = name.parse().map_err(|_| ApiError::NotFound)?;
    match api.table.delete_user(&name, now()).await {
        Err(StateError::NotFound) => return Err(ApiError::NotFound),
        result => result?,
    }
    tracing::info!(user = %name, by = call.caller.user(), "a user was deleted");
    Ok(Answer::NoContent)
}

/// Quay's view of a user.
fn view(api: &Api, user: &User) -> Value {
    let superusers = api.provider.as_ref().and_then(|provider: &Provider| provider.superusers.as_ref());
    json!({
        "kind": "user", "username": user.name, "email": user.email, "verified": true,
        "avatar": avatar(user.name.as_str(), "user"), "enabled": user.enabled,
        "super_user": superusers.is_some_and(|group| user.groups.contains(group)),
    })
}
