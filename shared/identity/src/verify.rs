//! Whether a token is its issuer's, for us, and of now.

use moorage_domain::Timestamp;

use crate::{
    claims::{Claims, audiences, text, time},
    error::TokenError,
    key::Keys,
    token::Token,
};

/// The client that an ID token was given to.
const PARTY: &str = "azp";
/// The client that an access token was given to: RFC 9068, 2.2; and as Entra's older ones say it.
const CLIENTS: [&str; 2] = ["client_id", "appid"];
/// What has happened, such as that somebody has signed out (OpenID Connect Back-Channel Logout 1.0, 2.4; RFC 8417, 2.2): it is
/// told by tokens that are signed as others are, and nobody calls by them.
const EVENTS: &str = "events";

/// What a token has to be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    /// Whose word: letter by letter.
    pub issuer: &'e str,
    /// The client that it is for (OpenID Connect Core 1.0, 3.1.3.7); without one, whoever asks looks at the audiences.
    pub client: Option<&'e str>,
}

/// What a token says, if it is what is expected, and signed by one of these keys.
pub fn verify(token: &Token<'_>, keys: &Keys, expected: Expected<'_>, now: Timestamp) -> Result<Claims, TokenError> {
    if !keys.know(token) {
        return Err(TokenError::UnknownKey);
    }
    let message = token.signed.as_bytes();
    if !keys.of(token).any(|key| token.algorithm.verifies(key, message, &token.signature)) {
        return Err(TokenError::Signature);
    }
    let claims = &token.claims;
    let issuer = text(claims, "iss")?;
    if issuer != expected.issuer {
        return Err(TokenError::Issuer);
    }
    let subject = text(claims, "sub")?;
    let expires = token.check_times(now)?;
    let since = time(claims, "iat")?.map(Timestamp::from_unix).ok_or(TokenError::Claim("iat"))?;
    let audiences = audiences(claims)?;
    if let Some(client) = expected.client {
        if claims.contains_key(EVENTS) {
            return Err(TokenError::Type);
        }
        if !audiences.iter().any(|audience| audience == client) {
            return Err(TokenError::Audience);
        }
        let is_of_another = |name: &&str| claims.get(*name).is_some_and(|party| party != client);
        let is_of_nobody = audiences.len() > 1 && !claims.contains_key(PARTY);
        if is_of_nobody || [PARTY].iter().chain(&CLIENTS).any(is_of_another) {
            return Err(TokenError::Party);
        }
    }
    let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
    Ok(Claims { issuer, subject, audiences, issued: since, expires, all: claims.clone() })
}

#[cfg(test)]
mod tests;
