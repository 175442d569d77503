//! Whether a function may do what it has to: what it found when it tried, by calls that change nothing.

use serde::{Deserialize, Serialize};

use crate::{ServiceError, ServiceErrorKind};

/// Something that a function has to be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// To be asked at all.
    Answer,
    /// To read what the bucket has.
    ReadBucket,
    /// To write to the bucket.
    WriteBucket,
    /// To read the table.
    ReadTable,
    /// To write to the table.
    WriteTable,
    /// To encrypt the secrets of registries and proxies.
    EncryptSecrets,
    /// To decrypt those that it has to have: of registries, or of robots.
    DecryptSecrets,
    /// To change and remove schedules.
    ChangeSchedules,
    /// To invoke the sync function.
    InvokeSync,
    /// To invoke the function of notifications.
    InvokeEvents,
}

impl Right {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::ReadBucket => "read_bucket",
            Self::WriteBucket => "write_bucket",
            Self::ReadTable => "read_table",
            Self::WriteTable => "write_table",
            Self::EncryptSecrets => "encrypt_secrets",
            Self::DecryptSecrets => "decrypt_secrets",
            Self::ChangeSchedules => "change_schedules",
            Self::InvokeSync => "invoke_sync",
            Self::InvokeEvents => "invoke_events",
        }
    }
}

/// What came of trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tried {
    /// It may.
    Ok,
    /// It may not: a policy has to be changed.
    Denied,
    /// Nobody knows: what was asked failed, or did not answer in time.
    Failed,
}

/// One right, and what came of trying it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightCheck {
    /// Which one.
    pub right: Right,
    /// What came of it.
    pub result: Tried,
    /// Which service refused or failed at what, and by which code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl RightCheck {
    /// The right is there.
    pub const fn ok(right: Right) -> Self {
        Self { right, result: Tried::Ok, message: None }
    }

    /// A service refused, or failed. What it said stays out: that may have names of the account.
    pub fn refused(right: Right, error: &ServiceError) -> Self {
        let result = if error.kind() == ServiceErrorKind::AccessDenied { Tried::Denied } else { Tried::Failed };
        Self { right, result, message: Some(error.summary()) }
    }

    /// It could not be tried.
    pub fn failed(right: Right, message: impl Into<String>) -> Self {
        Self { right, result: Tried::Failed, message: Some(message.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("arn:aws:iam::123456789012:role/x is not authorized")]
    struct PutObjectError;

    #[test]
    fn only_what_is_denied_is_called_so_and_no_account_is_named() {
        for (code, status, result) in [
            (Some("AccessDenied"), Some(403), Tried::Denied),
            (None, Some(403), Tried::Denied),
            (Some("SlowDown"), Some(503), Tried::Failed),
            (Some("NoSuchBucket"), Some(404), Tried::Failed),
            (None, None, Tried::Failed),
        ] {
            let error = ServiceError::new("S3", code.map(str::to_owned), status, PutObjectError);
            let check = RightCheck::refused(Right::WriteBucket, &error);
            assert_eq!(check.result, result, "{code:?}");
            assert!(!check.message.unwrap().contains("arn:"));
        }
    }
}
