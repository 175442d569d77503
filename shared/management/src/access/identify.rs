//! Who calls: the holder of the stack's admin token, of another token, somebody who has signed in, or anybody.

use ::http::{HeaderMap, header::AUTHORIZATION};
use moorage_domain::Timestamp;
use moorage_identity::{Claims, Expected, IdentityError, Token};
use moorage_state::{ApiToken, NewUser, SignInError, kept_groups, now};
use subtle::ConstantTimeEq as _;

use crate::{
    access::{caller::Caller, person::Person, provider::Provider, refusal::Refusal, told::Told},
    api::Api,
    http::error::ApiError,
};

/// Finds out who calls. A token that is not known makes the caller anybody, as in Quay. The stack's own token comes first,
/// and the provider is asked for nobody's but people's: it may fail, and lock nobody else out.
pub(crate) async fn identify(api: &Api, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let Some(given) = bearer(headers) else { return Ok(Caller::Anonymous) };
    if api.admin_token.is(given).await? {
        return Ok(Caller::Admin);
    }
    if let Some(provider) = api.provider.as_ref().filter(|_| is_like_jwt(given)) {
        return match Box::pin(person(api, provider, given)).await? {
            Ok(person) => Ok(Caller::Person(Box::new(person))),
            Err(refusal) => {
                tracing::info!(reason = %refusal, "a person's token was not taken");
                Ok(Caller::Refused(refusal))
            }
        };
    }
    let Some(id) = ApiToken::id_of(given) else { return Ok(Caller::Anonymous) };
    let Some(token) = api.table.api_token(id, now()).await? else { return Ok(Caller::Anonymous) };
    let is_it = ApiToken::hash_of(given).as_bytes().ct_eq(token.secret_hash().as_bytes());
    Ok(if bool::from(is_it) { Caller::Token(Box::new(token)) } else { Caller::Anonymous })
}

/// What a token says that is to be a person's: verified wholly, and for this deployment's client.
pub(crate) async fn verified(
    provider: &Provider,
    given: &str,
    now: Timestamp,
) -> Result<Result<Claims, Refusal>, ApiError> {
    let token = match Token::parse(given).and_then(|token| token.check_times(now).map(|_| token)) {
        Ok(token) => token,
        Err(error) => return Ok(Err(error.into())),
    };
    let expected = Expected { issuer: provider.issuer.as_str(), client: Some(&provider.client_id) };
    match provider.issuers.verify(&token, expected, now).await {
        Ok(claims) => Ok(Ok(claims)),
        Err(IdentityError::Token(error)) => Ok(Err(error.into())),
        // Whatever keeps us from its keys, nobody can say whether the token is good.
        Err(IdentityError::Fetch(_) | IdentityError::Issuer(_)) => Err(ApiError::NoProvider),
    }
}

/// Somebody who has signed in: by their token, and by what the table has of them.
async fn person(api: &Api, provider: &Provider, given: &str) -> Result<Result<Person, Refusal>, ApiError> {
    let now = now();
    let claims = match verified(provider, given, now).await? {
        Ok(claims) => claims,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let told = match Told::of(&claims, provider) {
        Ok(told) => told,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if told.left_out > 0 {
        tracing::warn!(user = %told.name, left_out = told.left_out, "some of a person's groups are not looked at");
    }
    let bound = api.bound_teams.get(&api.table, now).await?;
    let groups = kept_groups(told.groups, &bound, provider.superusers.as_ref());
    let Claims { issuer, subject, issued, .. } = claims;
    let new = NewUser { name: told.name, issuer, subject, email: told.email, groups, issued };
    let user = match api.table.sign_in(&new, now).await {
        Ok(user) => user,
        Err(SignInError::Taken) => return Ok(Err(Refusal::Taken(new.name))),
        Err(SignInError::Renamed(here)) => return Ok(Err(Refusal::Renamed { told: new.name, here })),
        Err(SignInError::Deleted) => return Ok(Err(Refusal::Deleted)),
        Err(SignInError::Disabled) => return Ok(Err(Refusal::Disabled(new.name))),
        Err(SignInError::State(error)) => return Err(error.into()),
    };
    // What the newest token has said, which may be another one than this.
    let is_superuser = provider.superusers.as_ref().is_some_and(|group| user.groups.contains(group));
    let Some(identity) = user.identity(&bound) else { return Ok(Err(Refusal::Disabled(user.name))) };
    let teams = if is_superuser { Vec::new() } else { api.table.person_teams(&identity, None).await? };
    Ok(Ok(Person { user, identity, is_superuser, teams }))
}

/// Whether a token has the form of a signed one: three parts, of which none is empty.
fn is_like_jwt(given: &str) -> bool {
    let mut parts = given.split('.');
    let all = parts.by_ref().take(3).filter(|part| !part.is_empty()).count() == 3;
    all && parts.next().is_none()
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

    #[test]
    fn what_is_tried_as_a_persons_token() {
        assert!(is_like_jwt("a.b.c"));
        for other in ["", "abc", "a.b", "a..c", "a.b.", ".b.c", "a.b.c.d", "a.b.c."] {
            assert!(!is_like_jwt(other), "{other}");
        }
    }
}
