//! Where clients get their tokens.

use http::header::CACHE_CONTROL;
use moorage_domain::{ExposeSecret as _, Timestamp};
use serde_json::json;

use super::page::Query;
use crate::{
    access::{Session, scope::Scope, token},
    answer::Answer,
    error::PullError,
    registry::Registry,
};

/// `GET /v2/token?service=&scope=`, with a user name and password or without.
pub(crate) async fn make(
    registry: &Registry,
    session: &Session,
    query: &Query,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let token = registry.access.token(session, Scope::parse_all(query.all("scope")), now).await?;
    let token = token.expose_secret();
    let body = json!({"token": token, "access_token": token, "expires_in": token::LIFETIME, "issued_at": now.iso()});
    Ok(Answer::json(200, &body).with(CACHE_CONTROL, "no-store"))
}
