//! Who calls: the holder of the stack's admin token, of another token, or anybody.

use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use lambda_http::http::{HeaderMap, header::AUTHORIZATION};
use moorage_domain::cause::chain;
use moorage_state::{ApiToken, Table};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use crate::{access::caller::Caller, api::now, http::error::ApiError};

/// How long the token is kept before it is read again: how long a replaced one still works.
const CACHE: Duration = Duration::from_secs(300);

/// The admin token, read from Secrets Manager when it is first needed; only its hash is kept.
pub struct AdminToken {
    client: Client,
    secret: String,
    hash: Mutex<Option<([u8; 32], Instant)>>,
}

impl AdminToken {
    /// The secret of this name or ARN. Nothing is read yet.
    pub fn new(client: Client, secret: String) -> Self {
        Self { client, secret, hash: Mutex::new(None) }
    }

    /// Whether `given` is the token.
    pub(crate) async fn is(&self, given: &str) -> Result<bool, ApiError> {
        // Hashes have one length, so that comparing takes the same time whatever was given.
        let given: [u8; 32] = Sha256::digest(given).into();
        Ok(bool::from(given.ct_eq(&self.hash().await?)))
    }

    async fn hash(&self) -> Result<[u8; 32], ApiError> {
        let mut cached = self.hash.lock().await;
        if let Some((hash, since)) = *cached
            && since.elapsed() < CACHE
        {
            return Ok(hash);
        }
        let failed = |message: String| ApiError::Unavailable(format!("the admin token cannot be read: {message}"));
        let secret = self.client.get_secret_value().secret_id(&self.secret).send().await;
        let secret = secret.map_err(|error| failed(chain(&error)))?;
        let token =
            secret.secret_string.filter(|token| !token.is_empty()).ok_or_else(|| failed("it is empty".into()))?;
        let hash = Sha256::digest(token).into();
        *cached = Some((hash, Instant::now()));
        Ok(hash)
    }
}

/// Finds out who calls. A token that is not known makes the caller anybody, as in Quay.
pub(crate) async fn identify(admin: &AdminToken, table: &Table, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let Some(given) = bearer(headers) else { return Ok(Caller::Anonymous) };
    if admin.is(given).await? {
        return Ok(Caller::Admin);
    }
    let Some(id) = ApiToken::id_of(given) else { return Ok(Caller::Anonymous) };
    let Some(token) = table.api_token(id, now()).await? else { return Ok(Caller::Anonymous) };
    let is_it = ApiToken::hash_of(given).as_bytes().ct_eq(token.secret_hash().as_bytes());
    Ok(if bool::from(is_it) { Caller::Token(Box::new(token)) } else { Caller::Anonymous })
}

/// The token of `Authorization: Bearer <token>`; nothing if there are several headers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens() {
        let token = |value: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token("Bearer abc"), Some("abc".into()));
        assert_eq!(token("bearer  abc "), Some("abc".into()));
        for value in ["Basic abc", "Bearer", "Bearer ", "abc", ""] {
            assert_eq!(token(value), None, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, "Bearer a".parse().unwrap());
        twice.append(AUTHORIZATION, "Bearer b".parse().unwrap());
        assert_eq!(bearer(&twice), None);
    }
}
