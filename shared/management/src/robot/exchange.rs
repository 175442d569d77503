//! Robots without secrets: a workload's token is exchanged for a robot's password of an hour, as in Quay.
//!
//! `GET /oauth2/federation/robot/token` with the robot's name and the token as user name and password. That there is no such
//! robot, that it has other federations, and that the token is not signed as it should be is all the same answer. It is no
//! secret by that: an issuer is asked only for a robot that names it, so that an issuer that fails (503), and the time that an
//! answer takes, tell whoever calls that the robot names the issuer. To hide it we would have to ask whatever issuer somebody
//! makes up.

use ::http::{HeaderMap, Method};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{ExposeSecret as _, RobotLogin, RobotName, SecretString, Timestamp, usage_log::LogKind};
use moorage_identity::{Expected, IdentityError, Token, TokenError};
use moorage_state::{Federation, Robot, now};
use serde_json::json;

use crate::{
    access::identify::authorization,
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, service::ServiceFailure},
};

/// Where Quay has it: beside the API.
pub(crate) const PATH: &str = "/oauth2/federation/robot/token";

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// Quay's words.
    #[error("No auth header")]
    Missing,
    /// Quay's words.
    #[error("Invalid basic auth header")]
    Malformed,
    /// Quay's words.
    #[error("Invalid robot")]
    NoRobot,
    /// Whatever robot it is shown for, the token does not hold.
    #[error("Invalid token: {0}")]
    Token(TokenError),
    /// There is no such robot, or none that takes this token. Quay's words; the reason is for the log.
    #[error("Token does not match robot")]
    Other(&'static str),
    /// The same, by the word of the issuer, or for lack of one.
    #[error("Token does not match robot")]
    Identity(IdentityError),
    /// It is the robot's workload, and its token is for somebody else.
    #[error("Invalid token: {}", TokenError::Audience)]
    Audience,
    /// Nobody can say now.
    #[error("The token's issuer did not answer. Try again in some seconds.")]
    Unreachable(IdentityError),
}

impl Refusal {
    fn answer(&self) -> Answer {
        let body = json!({"error": self.to_string()});
        match self {
            Self::Unreachable(_) => Answer::Later(body),
            _ => Answer::Json(401, body),
        }
    }

    /// What the log says, beside what is answered.
    fn reason(&self) -> String {
        match self {
            Self::Other(reason) => (*reason).to_owned(),
            Self::Identity(error) | Self::Unreachable(error) => error.to_string(),
            refusal => refusal.to_string(),
        }
    }
}

/// Answers a request for a robot's password.
pub(crate) async fn exchange(api: &Api, method: &Method, headers: &HeaderMap, call: &Call) -> Result<Answer, ApiError> {
    if method != Method::GET {
        return Err(ApiError::MethodNotAllowed("GET".into()));
    }
    let now = now();
    let (name, token) = match shown(headers) {
        Ok(shown) => shown,
        Err(refusal) => return Ok(refusal.answer()),
    };
    let (robot, federation) = match judged(api, &name, &token, now).await? {
        Ok(judged) => judged,
        Err(refusal) => {
            tracing::info!(robot = %name, reason = refusal.reason(), "a workload's token was not taken");
            return Ok(refusal.answer());
        }
    };
    let key = api.token_key.get(now).await.map_err(ServiceFailure::from)?;
    let login = RobotLogin::new(robot.name, robot.id, federation.id, now);
    let password = login.sign(&key).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    // The message is ours: what pages say of a kind that they do not know.
    let message = format!("{} as {} of {}", name.short(), federation.subject, federation.issuer);
    let metadata = [
        ("message", message.into()),
        ("robot", name.short().into()),
        ("subject", federation.subject.into()),
        ("issuer", federation.issuer.into()),
    ];
    api.log_robot(call, &name, LogKind::FederatedRobotTokenExchange, metadata).await;
    Ok(Answer::ok(json!({"token": password.expose_secret()})))
}

/// The robot and the token that a request shows.
fn shown(headers: &HeaderMap) -> Result<(RobotName, SecretString), Refusal> {
    let (scheme, value) = authorization(headers).ok_or(Refusal::Missing)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refusal::Malformed);
    }
    let pair = BASE64.decode(value).ok().and_then(|pair| String::from_utf8(pair).ok()).ok_or(Refusal::Malformed)?;
    let (user, token) = pair.split_once(':').ok_or(Refusal::Malformed)?;
    Ok((user.parse().map_err(|_| Refusal::NoRobot)?, token.into()))
}

/// The robot, and its federation by which the token is its workload's.
async fn judged(
    api: &Api,
    name: &RobotName,
    token: &SecretString,
    now: Timestamp,
) -> Result<Result<(Robot, Federation), Refusal>, ApiError> {
    let token = match parsed(token.expose_secret(), now) {
        Ok(token) => token,
        Err(error) => return Ok(Err(Refusal::Token(error))),
    };
    let Some(robot) = api.table.robot(name).await? else { return Ok(Err(Refusal::Other("there is no such robot"))) };
    // Only an issuer that the robot names is ever asked for keys.
    let issuer = token.claimed_issuer().unwrap_or_default();
    if !robot.federation.iter().any(|own| own.issuer == issuer) {
        return Ok(Err(Refusal::Other("the robot has no federation with the token's issuer")));
    }
    let claims = match api.issuers.verify(&token, Expected { issuer, client: None }, now).await {
        Ok(claims) => claims,
        Err(IdentityError::Fetch(error)) if error.is_passing() => return Ok(Err(Refusal::Unreachable(error.into()))),
        Err(error) => return Ok(Err(Refusal::Identity(error))),
    };
    let is_it = |own: &&Federation| own.issuer == claims.issuer && own.subject == claims.subject;
    let Some(federation) = robot.federation.iter().find(is_it).cloned() else {
        return Ok(Err(Refusal::Other("the robot has no federation with the token's subject")));
    };
    if !federation.audiences.is_empty() && !claims.is_for(&federation.audiences) {
        return Ok(Err(Refusal::Audience));
    }
    Ok(Ok((robot, federation)))
}

/// A token's parts, if it is one of now.
fn parsed(text: &str, now: Timestamp) -> Result<Token<'_>, TokenError> {
    let token = Token::parse(text)?;
    token.check_times(now)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use ::http::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn the_robot_and_its_token_are_user_name_and_password() {
        let of = |value: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
            shown(&headers)
                .map(|(robot, token)| (robot.to_string(), token.expose_secret().to_owned()))
                .map_err(|error| error.to_string())
        };
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair));
        assert_eq!(of(&basic("acme+ci:a.b.c")), Ok(("acme+ci".into(), "a.b.c".into())));
        assert_eq!(of(&basic("acme:a.b.c")), Err("Invalid robot".into()));
        for value in ["Bearer a.b.c", "Basic %", "Basic YQ=="] {
            assert_eq!(of(value), Err("Invalid basic auth header".into()), "{value}");
        }
        assert_eq!(shown(&HeaderMap::new()).unwrap_err().to_string(), "No auth header");
    }
}
