//! What a workload gets for a token of its own identity provider: a password of a robot, for an hour.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Generation, RobotName, Timestamp,
    signed_token::{self, Invalid, Signed},
};

/// How long one works, in seconds, as in Quay.
pub const LIFETIME: i64 = 3_600;

/// Which of a robot's federations somebody has logged in by. A federation that is made anew is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FederationId(Uuid);

impl FederationId {
    /// An id that nobody has had before, if `id` is random.
    pub fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl std::fmt::Display for FederationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// What such a password says. It is good as long as the robot has the federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotLogin {
    /// Whose password it is.
    #[serde(rename = "sub")]
    pub robot: RobotName,
    /// Which of those that bore the name.
    #[serde(rename = "robot")]
    pub id: Generation,
    /// By what it was given.
    pub federation: FederationId,
    /// When it was made.
    #[serde(rename = "iat")]
    pub issued: Timestamp,
    /// When it ends.
    #[serde(rename = "exp")]
    pub expires: Timestamp,
}

impl Signed for RobotLogin {
    const HEADER: &'static str = r#"{"alg":"HS256","typ":"robot+jwt"}"#;

    fn times(&self) -> (Timestamp, Timestamp) {
        (self.issued, self.expires)
    }
}

impl RobotLogin {
    /// A login from now on.
    pub fn new(robot: RobotName, id: Generation, federation: FederationId, now: Timestamp) -> Self {
        let expires = Timestamp::from_unix(now.unix().saturating_add(LIFETIME));
        Self { robot, id, federation, issued: now, expires }
    }

    /// Whether a password has the form of one of these: a robot's own has no point in it.
    pub fn is_one(password: &SecretString) -> bool {
        password.expose_secret().contains('.')
    }

    /// Signs it.
    pub fn sign(&self, key: &SecretString) -> Result<SecretString, Invalid> {
        signed_token::sign(key, self)
    }

    /// What a password says, if it is one of ours that still works.
    pub fn verify(key: &SecretString, password: &SecretString, now: Timestamp) -> Result<Self, Invalid> {
        signed_token::verify(key, password, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> RobotLogin {
        let id = Uuid::from_u128;
        RobotLogin::new(
            "acme+ci".parse().unwrap(),
            Generation::new(id(6)),
            FederationId::new(id(7)),
            Timestamp::from_unix(1_000),
        )
    }

    #[test]
    fn a_login_works_for_an_hour() {
        let key = SecretString::from("key");
        let password = login().sign(&key).unwrap();
        let at = |key: &SecretString, seconds| RobotLogin::verify(key, &password, Timestamp::from_unix(seconds));
        for now in [940, 1_000, 4_599] {
            assert_eq!(at(&key, now), Ok(login()), "{now}");
        }
        for now in [939, 4_600] {
            assert_eq!(at(&key, now), Err(Invalid), "{now}");
        }
        assert_eq!(at(&"other".into(), 1_000), Err(Invalid));
        assert!(RobotLogin::is_one(&password) && !RobotLogin::is_one(&"A7".repeat(32).into()));
    }

    #[test]
    fn logins_of_earlier_builds_are_read() {
        // As they are in tokens that were given out before a deployment; this line is never changed.
        let golden = r#"{"sub":"acme+ci","robot":"00000000-0000-0000-0000-000000000006","federation":"00000000-0000-0000-0000-000000000007","iat":1000,"exp":4600}"#;
        assert_eq!(serde_json::from_str::<RobotLogin>(golden).unwrap(), login());
        assert_eq!(serde_json::to_string(&login()).unwrap(), golden);
    }
}
