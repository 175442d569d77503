//! Tokens of a person for clients that pull: `docker login` has no browser.

use moorage_domain::{ExposeSecret as _, Timestamp};
use moorage_state::{AppToken, CreateAppTokenError, MAX_APP_TOKENS, StateError, User, now};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
};

/// The longest title, as in Quay.
const TITLE_LENGTH: usize = 255;
/// Tokens that end within so many seconds are told of as expiring: 30 days.
const EXPIRING: i64 = 30 * 86_400;

/// `GET user/apptoken`.
pub(crate) async fn list(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let (user, now) = (person(call)?, now());
    let expiring = call.flag("expiring", false);
    let soon = |token: &&AppToken| token.expires_at.is_some_and(|end| end.unix() - now.unix() <= EXPIRING);
    let tokens = api.table.app_tokens(user, now).await?;
    let views: Vec<_> = tokens.iter().filter(|token| !expiring || soon(token)).map(view).collect();
    let only = call.query("expiring").map(|_| expiring);
    Ok(Answer::ok(json!({"tokens": views, "only_expiring": only})))
}

/// `POST user/apptoken`.
pub(crate) async fn create(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let (user, now) = (person(call)?, now());
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["title"])?;
    let title = fields.string("title")?.unwrap_or_default();
    if title.is_empty() || title.chars().count() > TITLE_LENGTH {
        return Err(ApiError::InvalidRequest(format!("title must have 1 to {TITLE_LENGTH} characters")));
    }
    let expires_at = expires(fields.nullable_string("expires")?.flatten(), now)?;
    let (token, shown) = AppToken::generate(title.to_owned(), user, expires_at, now);
    match api.table.create_app_token(&token, now).await {
        Ok(()) => {}
        Err(CreateAppTokenError::NoUser) => return Err(call.caller.refused()),
        Err(CreateAppTokenError::TooMany) => {
            return Err(ApiError::InvalidRequest(format!("There are {MAX_APP_TOKENS} tokens already")));
        }
        Err(CreateAppTokenError::State(error)) => return Err(error.into()),
    }
    let mut view = view(&token);
    view["token_code"] = shown.expose_secret().into();
    Ok(Answer::ok(json!({ "token": view })))
}

/// `GET user/apptoken/{token_uuid}`.
pub(crate) async fn get(api: &Api, id: &str, call: &Call) -> Result<Answer, ApiError> {
    let (user, id) = (person(call)?, parse(id)?);
    let tokens = api.table.app_tokens(user, now()).await?;
    let token = tokens.iter().find(|token| token.id == id).ok_or(ApiError::NotFound)?;
    Ok(Answer::ok(json!({"token": view(token)})))
}

/// `DELETE user/apptoken/{token_uuid}`.
pub(crate) async fn delete(api: &Api, id: &str, call: &Call) -> Result<Answer, ApiError> {
    let (user, id) = (person(call)?, parse(id)?);
    match api.table.delete_app_token(user, id).await {
        Err(StateError::NotFound) => return Err(ApiError::NotFound),
        result => result?,
    }
    Ok(Answer::NoContent)
}

/// Whose tokens they are: a person's. A token of the API has none, whoever made it.
fn person(call: &Call) -> Result<&User, ApiError> {
    call.caller.person().map(|person| &person.user).ok_or_else(|| call.caller.refused())
}

fn parse(id: &str) -> Result<Uuid, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}

fn expires(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || ApiError::InvalidRequest("expires must be a date that lies ahead, as 2030-01-31T23:59:59Z".into());
    Timestamp::parse_iso(text).filter(|end| *end > now).map(Some).ok_or_else(wrong)
}

fn view(token: &AppToken) -> Value {
    json!({
        "uuid": token.id, "title": token.title, "last_accessed": null, "created": token.created.rfc2822(),
        "expiration": token.expires_at.map(Timestamp::rfc2822),
    })
}
