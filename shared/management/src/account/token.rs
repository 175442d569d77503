//! Tokens of the API.

use moorage_domain::{ExposeSecret as _, Generation, Namespace, Timestamp};
use moorage_state::{ApiToken, MAX_MAKERS, NewApiToken, Role, StateError, TeamRole, now};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    access::{caller::Caller, role::parse_role},
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    organization::find::find_generation,
};

/// Tokens on a page, if the caller does not say.
const DEFAULT_LIMIT: i32 = 50;

/// The most tokens on a page.
const MAX_LIMIT: i32 = 100;

/// The longest description, as a robot's.
const DESCRIPTION_LENGTH: usize = 255;

/// `GET tokens`: those that the caller may revoke.
pub(crate) async fn list(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let limit = usize::try_from(call.limit(DEFAULT_LIMIT, MAX_LIMIT)?).unwrap_or_default();
    let after = call.next_page(|page| page.parse::<Uuid>().is_ok())?;
    require_any(&call.caller)?;
    let page = api.table.api_tokens(|token| may_manage(&call.caller, token), limit, after, now()).await?;
    let mut body = json!({ "tokens": page.tokens.iter().map(view).collect::<Vec<_>>() });
    if let Some(next) = page.next {
        body["next_page"] = next.into();
    }
    Ok(Answer::ok(body))
}

/// `POST tokens`.
pub(crate) async fn create(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    require_any(&call.caller)?;
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["role"])?;
    let role = parse_role(fields)?;
    let description = fields.string("description")?.unwrap_or_default();
    if description.chars().count() > DESCRIPTION_LENGTH {
        return Err(ApiError::InvalidRequest(format!("description is longer than {DESCRIPTION_LENGTH} characters")));
    }
    let namespace = fields.nullable_string("namespace")?.flatten();
    let expires_at = expires(fields.nullable_string("expires")?.flatten())?;
    let (namespace, organization_id) = match namespace {
        // Nobody makes a token that goes further than their own.
        None => {
            call.caller.require_superuser()?;
            (None, Generation::default())
        }
        Some(name) => {
            let name: Namespace = name.parse().map_err(|_| unknown_namespace(name))?;
            call.caller.require(&name, Role::Admin)?;
            match find_generation(api, name.as_str()).await {
                Err(ApiError::NotFound) => return Err(unknown_namespace(name.as_str())),
                Err(error) => return Err(error),
                Ok((name, id)) => (Some(name), id),
            }
        }
    };
    let new = NewApiToken {
        description: description.to_owned(),
        namespace,
        role,
        created_by: call.caller.name(),
        expires_at,
        organization_id,
        maker: call.caller.token().cloned(),
        user: call.caller.person().map(|person| (&person.user).into()),
    };
    let (token, shown) = ApiToken::generate(new, now());
    match api.table.create_api_token(&token).await {
        Err(StateError::Conflict) => {
            return Err(ApiError::InvalidRequest(format!("A token may be made by {MAX_MAKERS} tokens after another")));
        }
        // Who makes it, or what it is for, went at this very moment.
        Err(StateError::NotFound) => return Err(call.caller.refused()),
        result => result?,
    }
    let mut body = view(&token);
    body["token"] = shown.expose_secret().into();
    Ok(Answer::Json(201, body))
}

/// `DELETE tokens/{token_id}`.
pub(crate) async fn delete(api: &Api, id: &str, call: &Call) -> Result<Answer, ApiError> {
    require_any(&call.caller)?;
    let id: Uuid = id.parse().map_err(|_| ApiError::NotFound)?;
    let token = api.table.api_token(id, now()).await?.filter(|token| may_manage(&call.caller, token));
    token.ok_or(ApiError::NotFound)?;
    api.table.delete_api_token(id).await?;
    Ok(Answer::NoContent)
}

/// Fails unless the caller is an admin, of a namespace or of the whole deployment.
fn require_any(caller: &Caller) -> Result<(), ApiError> {
    let is_admin = match caller {
        Caller::Anonymous | Caller::Refused(_) => false,
        Caller::Admin => true,
        Caller::Token(token) => token.role == Role::Admin,
        Caller::Person(person) => person.is_superuser || person.teams.iter().any(|team| team.role == TeamRole::Admin),
    };
    if is_admin { Ok(()) } else { Err(caller.refused()) }
}

fn may_manage(caller: &Caller, token: &ApiToken) -> bool {
    caller.is_superuser() || token.namespace.as_ref().is_some_and(|name| caller.role_in(name) == Some(Role::Admin))
}

fn unknown_namespace(name: &str) -> ApiError {
    ApiError::InvalidRequest(format!("There is no namespace {name:.100}"))
}

fn expires(text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || ApiError::InvalidRequest("expires must be a date that lies ahead, as 2030-01-31T23:59:59Z".into());
    let end = Timestamp::parse_iso(text).filter(|end| *end > now());
    end.map(Some).ok_or_else(wrong)
}

fn view(token: &ApiToken) -> Value {
    json!({
        "id": token.id, "description": token.description, "namespace": token.namespace, "role": token.role.as_str(),
        "created": token.created.iso(), "created_by": token.created_by,
        "expires": token.expires_at.map(Timestamp::iso),
    })
}
