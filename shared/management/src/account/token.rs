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

/// The longest life of a token that a person makes, and its life if they do not say, in seconds: 90 days. Its role stays what it
/// was made as, whatever they may do by then, and nobody asks the provider whether they are there still: so it has an end.
const PERSONS_TOKEN: i64 = 90 * 86_400;

/// What a person is told who asks for a token of the whole deployment.
const NOT_OF_ALL: &str = "namespace: a person's token is for one namespace; for a program that needs all of them there is the \
                          stack's admin token, and what that makes";

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
    let is_persons = call.caller.person().is_some();
    let expires_at = expires(fields.nullable_string("expires")?.flatten(), is_persons, now())?;
    let (namespace, organization_id) = match namespace {
        // Nobody makes a token that goes further than their own.
        None => {
            call.caller.require_superuser()?;
            if is_persons {
                return Err(ApiError::InvalidRequest(NOT_OF_ALL.into()));
            }
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

/// When a token is to end, by what a body says.
fn expires(text: Option<&str>, is_persons: bool, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let latest = is_persons.then(|| Timestamp::from_unix(now.unix().saturating_add(PERSONS_TOKEN)));
    let Some(text) = text else { return Ok(latest) };
    let wrong = || ApiError::InvalidRequest("expires must be a date that lies ahead, as 2030-01-31T23:59:59Z".into());
    let end = Timestamp::parse_iso(text).filter(|end| *end > now).ok_or_else(wrong)?;
    match latest {
        Some(latest) if end > latest => {
            let message = format!("expires: a person's token ends within {} days", PERSONS_TOKEN / 86_400);
            Err(ApiError::InvalidRequest(message))
        }
        _ => Ok(Some(end)),
    }
}

fn view(token: &ApiToken) -> Value {
    json!({
        "id": token.id, "description": token.description, "namespace": token.namespace, "role": token.role.as_str(),
        "created": token.created.iso(), "created_by": token.created_by,
        "expires": token.expires_at.map(Timestamp::iso),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_token_has_an_end() {
        let at = Timestamp::from_unix;
        let end = |text: Option<&str>, is_persons| expires(text, is_persons, at(0)).map_err(|error| error.to_string());
        let days = |count: i64| at(count * 86_400);
        assert_eq!(end(None, true), Ok(Some(days(90))));
        assert_eq!(end(None, false), Ok(None));
        let (last, later) = (days(90).iso(), at(90 * 86_400 + 1).iso());
        assert_eq!(end(Some(&last), true), Ok(Some(days(90))));
        assert_eq!(end(Some(&days(1).iso()), true), Ok(Some(days(1))));
        assert_eq!(end(Some(&later), true), Err("expires: a person's token ends within 90 days".into()));
        assert_eq!(end(Some(&later), false), Ok(Some(at(90 * 86_400 + 1))));
        for wrong in [at(0).iso().as_str(), "tomorrow", ""] {
            for is_persons in [true, false] {
                assert!(end(Some(wrong), is_persons).unwrap_err().contains("lies ahead"), "{wrong}");
            }
        }
    }
}
