//! Failures, and the one table that turns them into Quay's answers.
//!
//! Quay's errors come in four shapes, and its clients read all of them: `detail` with `error_type` and more (A),
//! `detail` alone (B), `message` of a broken rule of the data (C), and `message` of the framework (D).

use moorage_domain::{FailureReason, RepositoryName, failure::Failure, status::NotEligible};
use moorage_identity::TokenError;
use moorage_schedule::ScheduleError;
use moorage_state::{GrantUserError, SecretError, StateError, TransitionError};
use serde_json::{Value, json};

use crate::{
    access::refusal::Refusal,
    http::{
        answer::Answer,
        service::{self, ServiceFailure},
    },
};

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No token, or one that is not known. 401, A.
    #[error("Requires authentication")]
    Unauthorized,
    /// A person's token that is not taken. 401, A with the `message` of D.
    #[error("{0}")]
    NotTaken(Refusal),
    /// A sign-in that comes to nothing. 401, D.
    #[error("{0}")]
    NotSignedIn(String),
    /// Nobody can say now whether a person's token is good, or exchange what the provider gave. 503 with `Retry-After`, D.
    #[error("The identity provider did not answer as it should. Try again in some seconds.")]
    NoProvider,
    /// So many sign in that somebody has to wait. 503 with `Retry-After`, D.
    #[error("Too many sign in at this moment. Try again in a minute.")]
    TooManySignIns,
    /// The token does not go that far. 403, A.
    #[error("Unauthorized")]
    Forbidden,
    /// The caller does not go that far, which needs a word. 403, A.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// It does not exist. 404, A.
    #[error("Not Found")]
    NotFound,
    /// It does not exist, which needs a word. 404, A.
    #[error("{0}")]
    Missing(&'static str),
    /// The path exists, but not with this method; with these. 405, D.
    #[error("The method is not allowed for the requested URL.")]
    MethodNotAllowed(String),
    /// The body breaks the schema, or a rule that Quay reports like it. 400, A.
    #[error("{0}")]
    InvalidRequest(String),
    /// The body is too large. 413, A.
    #[error("The body is larger than {0} bytes")]
    TooLarge(usize),
    /// A check of the endpoint's own. 400, B.
    #[error("{0}")]
    Refused(String),
    /// It exists already. 409, B.
    #[error("{0}")]
    Exists(String),
    /// The state of what the call is about does not allow it. 409, B.
    #[error("{0}")]
    NotNow(&'static str),
    /// What was to be changed is not what the caller has seen. 412, B.
    #[error("It was changed meanwhile: read it again, and change what is there now")]
    Changed,
    /// A rule of the data. 400, C.
    #[error("{0}")]
    BrokenRule(String),
    /// Tags of a repository that is not an ordinary one. 503, D.
    #[error("Repository is in read only or mirror mode: {0}")]
    NotNormal(RepositoryName),
    /// Somebody has the repository to themselves, and had it for as long as a call may wait. 503 with `Retry-After`, D.
    #[error("The repository is in use. Try again in some seconds.")]
    Busy,
    /// Others changed the same all the time that a call may take. 503 with `Retry-After`, D.
    #[error("Others change the same at this moment. Try again in some seconds.")]
    Contended,
    /// Not everything could be done in time; the same call goes on. 503 with `Retry-After`, D.
    #[error("{0}")]
    Unfinished(String),
    /// As many of these calls run as the namespace may have; the same call works when one of them has ended. 429, D,
    /// with the seconds to wait.
    #[error("{0}")]
    TooMany(String, u64),
    /// The namespace has all that it may have. 403, A.
    #[error("{0}")]
    QuotaExceeded(String),
    /// A delivery of a webhook is not signed as it has to be. 403, A.
    #[error("The delivery is not signed with the webhook's secret")]
    Unsigned,
    /// A fault of ours, which the log tells. 500, D.
    #[error("The call failed because of a fault of this service, whose log says more")]
    Panicked,
    /// What we need was not to be had, or not as it should be. 503, D; the reason is for the log only.
    #[error("{0}")]
    Unavailable(String),
    /// A secret that is stored is damaged, or of somebody else. 500, D: the same call fails again.
    #[error("The token that is stored cannot be decrypted. Regenerate it.")]
    Undecryptable,
    /// A service of AWS failed. 503 or 500, D.
    #[error(transparent)]
    Service(#[from] ServiceFailure),
}

impl ApiError {
    /// The answer's status and body. `host` is the URL of the API, for the links of shape A.
    pub(crate) fn answer(&self, host: &str) -> Answer {
        let detail = self.to_string();
        let problem = |status: u16, kind: &str| {
            let url = format!("{host}/api/v1/error/{kind}");
            let body = json!({
                "detail": detail, "error_message": detail, "error_type": kind,
                "title": kind, "type": url, "status": status,
            });
            Answer::Json(status, body)
        };
        match self {
            Self::Unauthorized => problem(401, "invalid_token"),
            Self::NotTaken(refusal) => {
                let kind = match refusal {
                    Refusal::Token(TokenError::Expired) => "expired_token",
                    _ => "invalid_token",
                };
                let mut answer = problem(401, kind);
                if let Answer::Json(_, body) = &mut answer {
                    body["message"] = detail.clone().into();
                }
                answer
            }
            Self::NotSignedIn(_) => Answer::Json(401, json!({ "message": detail })),
            Self::Forbidden | Self::NotAllowed(_) | Self::Unsigned => problem(403, "insufficient_scope"),
            Self::NotFound | Self::Missing(_) => problem(404, "not_found"),
            Self::InvalidRequest(_) => problem(400, "invalid_request"),
            Self::TooLarge(_) => problem(413, "invalid_request"),
            Self::QuotaExceeded(_) => problem(403, "exceeds_license"),
            Self::TooMany(_, seconds) => Answer::TooMany(*seconds, json!({ "message": detail })),
            Self::Panicked | Self::Undecryptable => Answer::Json(500, json!({ "message": detail })),
            Self::Refused(_) => Answer::Json(400, json!({ "detail": detail })),
            Self::Exists(_) | Self::NotNow(_) => Answer::Json(409, json!({ "detail": detail })),
            Self::Changed => Answer::Json(412, json!({ "detail": detail })),
            Self::BrokenRule(_) => Answer::Json(400, json!({ "message": detail })),
            Self::MethodNotAllowed(methods) => Answer::NotAllowed(methods.clone(), json!({ "message": detail })),
            Self::Busy | Self::Contended | Self::Unfinished(_) | Self::NoProvider | Self::TooManySignIns => {
                Answer::Later(json!({ "message": detail }))
            }
            Self::NotNormal(_) => Answer::Json(503, json!({ "message": detail })),
            Self::Unavailable(_) => service::unavailable(),
            Self::Service(failure) => failure.answer(),
        }
    }
}

/// The kinds of shape A, as `error/<kind>` describes them: all of Quay's, so that a link from its documentation leads
/// somewhere.
const KINDS: [(&str, &str); 12] = [
    ("invalid_request", "The request was invalid: its body, a parameter, or their combination."),
    ("invalid_response", "The answer could not be made from what is stored."),
    ("invalid_token", "The access token is missing or not known."),
    ("expired_token", "The access token has ended."),
    ("fresh_login_required", "This needs a login that is not old."),
    ("exceeds_license", "The namespace has all that this deployment lets it have."),
    ("insufficient_scope", "The access token does not allow this."),
    ("not_found", "The resource was not found."),
    ("tag_immutable", "The tag cannot be changed or deleted."),
    ("token_rotation_failed", "The token could not be replaced."),
    ("external_service_timeout", "Another service did not answer in time."),
    ("downstream_issue", "Another service failed."),
];

/// What a kind of error means.
pub(crate) fn describe(kind: &str) -> Option<Value> {
    let (_, description) = KINDS.iter().find(|(known, _)| *known == kind)?;
    Some(json!({"type": kind, "title": kind, "description": description}))
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::NotFound => Self::NotFound,
            StateError::Locked => Self::Busy,
            StateError::Conflict => Self::Contended,
            StateError::Service(error) => Self::Service(error.into()),
            StateError::Corrupt(_) | StateError::Unavailable(_) | StateError::Closed => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

/// What is answered to who has a mirror synced whose tags were turned back.
const PAUSED: &str = "The mirror is paused, because its tags were turned back. Resume it first.";

impl From<TransitionError> for ApiError {
    fn from(error: TransitionError) -> Self {
        match error {
            // Quay answers so to Sync Now of a running sync, and to a cancel of none.
            TransitionError::NotEligible(NotEligible::Paused) => Self::NotNow(PAUSED),
            TransitionError::NotFound | TransitionError::NotEligible(_) => Self::NotFound,
            TransitionError::ClaimLost => Self::Unavailable(error.to_string()),
            TransitionError::State(error) => error.into(),
        }
    }
}

/// Seconds after which a call should be repeated that found the sync function at its limit.
const THROTTLED: u64 = 10;

impl From<ScheduleError> for ApiError {
    fn from(error: ScheduleError) -> Self {
        if error.is_throttled() {
            let message = "As many syncs run as the deployment may run at once. Try again.".to_owned();
            return Self::TooMany(message, THROTTLED);
        }
        match error {
            ScheduleError::Service(error) => Self::Service(error.into()),
            ScheduleError::Function { ref error_type, .. } => {
                Self::Service(ServiceFailure::handed_on(Some(error_type.clone()), error.to_string()))
            }
            ScheduleError::Failed { .. } => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<GrantUserError> for ApiError {
    fn from(error: GrantUserError) -> Self {
        match error {
            GrantUserError::TooMany => Self::InvalidRequest(error.to_string()),
            GrantUserError::State(error) => error.into(),
        }
    }
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Service(error) => Self::Service(error.into()),
            SecretError::Undecryptable => Self::Undecryptable,
            SecretError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<Failure> for ApiError {
    /// What the sync function answers that it failed at.
    fn from(failure: Failure) -> Self {
        match (failure.reason, failure.code) {
            (FailureReason::QuotaExceeded, _) => Self::QuotaExceeded(failure.message),
            (_, Some(code)) => Self::Service(ServiceFailure::handed_on(Some(code), failure.message)),
            (_, None) => Self::Unavailable(failure.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quays_shapes() {
        let host = "https://h";
        let not_found = json!({
            "detail": "Not Found", "error_message": "Not Found", "error_type": "not_found", "title": "not_found",
            "type": "https://h/api/v1/error/not_found", "status": 404,
        });
        assert_eq!(ApiError::NotFound.answer(host), Answer::Json(404, not_found));
        for (error, status, kind) in [
            (ApiError::Unauthorized, 401, "invalid_token"),
            (ApiError::NotTaken(Refusal::NoName), 401, "invalid_token"),
            (ApiError::NotTaken(Refusal::Token(TokenError::Expired)), 401, "expired_token"),
            (ApiError::Forbidden, 403, "insufficient_scope"),
            (ApiError::NotAllowed("x"), 403, "insufficient_scope"),
            (ApiError::InvalidRequest("x".into()), 400, "invalid_request"),
            (ApiError::TooLarge(7), 413, "invalid_request"),
            (ApiError::QuotaExceeded("x".into()), 403, "exceeds_license"),
        ] {
            let Answer::Json(answered, body) = error.answer(host) else { panic!("{error}") };
            let detail = error.to_string();
            assert_eq!((answered, &body["status"], &body["title"]), (status, &json!(status), &json!(kind)));
            assert_eq!((&body["detail"], &body["error_message"]), (&json!(detail), &json!(detail)));
            assert!(describe(kind).is_some(), "the link of {kind} leads somewhere");
        }
        for (error, status, body) in [
            (ApiError::Refused("x".into()), 400, json!({"detail": "x"})),
            (ApiError::Exists("x".into()), 409, json!({"detail": "x"})),
            (ApiError::NotNow("x"), 409, json!({"detail": "x"})),
            (ApiError::BrokenRule("x".into()), 400, json!({"message": "x"})),
            (
                ApiError::NotNormal("a/b".parse().unwrap()),
                503,
                json!({"message": "Repository is in read only or mirror mode: a/b"}),
            ),
        ] {
            assert_eq!(error.answer(host), Answer::Json(status, body));
        }
        let body = json!({"message": "The method is not allowed for the requested URL."});
        let passing = [ApiError::Busy, ApiError::Contended, ApiError::NoProvider, ApiError::TooManySignIns];
        for error in passing.into_iter().chain([ApiError::Unfinished("x".into())]) {
            let body = json!({"message": error.to_string()});
            assert_eq!(error.answer(host), Answer::Later(body), "whoever calls is told when to call again");
        }
        assert_eq!(ApiError::MethodNotAllowed("GET".into()).answer(host), Answer::NotAllowed("GET".into(), body));
        let Answer::Json(503, body) = ApiError::Unavailable("secret".into()).answer(host) else { panic!() };
        assert!(!body.to_string().contains("secret"), "reasons of failing services stay in the log");
    }

    #[test]
    fn what_the_sync_function_may_not_do_is_no_outage() {
        let said = || "arn of the bucket".to_owned();
        for (code, status, told) in [
            ("AccessDenied", 500, true),
            ("NoSuchBucket", 500, true),
            ("SlowDown", 503, true),
            ("InternalError", 503, false),
            ("Sandbox.Timedout", 503, false),
            ("TaskError", 503, false),
        ] {
            let mut failure = Failure::new(FailureReason::StorageError, said());
            failure.code = Some(code.to_owned());
            let function = ScheduleError::Function { error_type: code.to_owned(), message: said() };
            for error in [ApiError::from(failure), ApiError::from(function)] {
                assert!(error.to_string().contains("arn"), "the log has it");
                let answer = error.answer("https://h");
                let (Answer::Json(_, body) | Answer::Later(body)) = &answer else { panic!("{answer:?}") };
                let body = body.to_string();
                assert_eq!((answer.status(), body.contains(code)), (status, told), "{body}");
                assert!(!body.contains("arn"), "reasons stay in the log");
            }
        }
        let quota = ApiError::from(Failure::new(FailureReason::QuotaExceeded, "all of it".to_owned()));
        assert_eq!(quota.answer("https://h").status(), 403);
        let Answer::Json(500, body) = ApiError::from(SecretError::Undecryptable).answer("https://h") else { panic!() };
        assert!(!body.to_string().contains("Try again"), "{body}");
    }
}
