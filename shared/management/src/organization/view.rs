//! What is shown of an organization.

use futures_util::future::try_join;
use moorage_domain::Namespace;
use moorage_state::{ADMIN, Organization, Role, TeamRole};
use serde_json::{Value, json};

use crate::{
    access::caller::Caller,
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError},
    organization::{find::find_organization, team},
};

/// `GET organization/{orgname}`. Whoever has a token may, as in Quay; of people those who have something in it; and
/// everybody may see one that has public repositories: registries that mirror these ask for it. To everybody else it is the
/// same whether there is one.
pub(crate) async fn get(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let namespace: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    if namespace.as_str() == ADMIN || is_known_to(api, call, &namespace).await? {
        return view(api, call, &find_organization(api, name).await?).await;
    }
    // The same reads whatever there is, so that time tells nothing.
    let looks = try_join(api.table.organization(&namespace), api.table.has_public_repositories(&namespace));
    let (found, is_public) = Box::pin(looks).await?;
    match found {
        Some(organization) if is_public => view(api, call, &organization).await,
        _ => Err(call.caller.refused()),
    }
}

/// Whether whoever calls may know of an organization.
async fn is_known_to(api: &Api, call: &Call, namespace: &Namespace) -> Result<bool, ApiError> {
    Ok(match &call.caller {
        Caller::Person(_) => call.caller.sight(&api.table, Some(namespace)).await?.has_some_of(namespace),
        caller => caller.is_known(),
    })
}

/// Quay's view. Members see more of it, and admins all; whoever has a role on some repository is no member by that.
pub(crate) async fn view(api: &Api, call: &Call, organization: &Organization) -> Result<Answer, ApiError> {
    let name = organization.name.as_str();
    let role = call.caller.role_in(&organization.name);
    let is_member = call.caller.has_place_in(&organization.name, TeamRole::Member);
    let is_admin = role == Some(Role::Admin);
    let email = organization.email.as_deref().filter(|_| is_admin).unwrap_or_default();
    let mut view = json!({
        "name": name, "email": email, "avatar": avatar(name, "org"), "is_admin": is_admin, "is_member": is_member,
    });
    if is_member {
        let (names, teams) = team::all(api, &organization.name, &call.caller).await?;
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
