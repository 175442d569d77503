//! Who calls: the holder of the stack's admin token, of another token, or anybody.

use ::http::{HeaderMap, header::AUTHORIZATION};
use moorage_state::{ApiToken, Table, now};
use subtle::ConstantTimeEq as _;

use crate::{
    access::{admin_token::AdminToken, caller::Caller},
    http::error::ApiError,
};

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

/// The token of `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = authorization(headers)?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The scheme of `Authorization`, and what comes with it; nothing if there are several headers.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, value) = value.to_str().ok()?.split_once(' ')?;
    Some((scheme, value.trim()))
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
