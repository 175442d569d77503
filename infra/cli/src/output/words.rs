//! The API's words, as people say them. Scripts get the API's own.

/// What a reason, a status, a trigger or an outcome means.
pub(crate) fn words(raw: &str) -> String {
    let known = match raw {
        // Statuses, of mirrors and of runs.
        "NEVER_RUN" => "never run",
        "SYNC_NOW" => "asked for",
        "SYNCING" => "running",
        "SUCCESS" => "succeeded",
        "FAIL" => "failed",
        "CANCEL" => "cancelled",
        // Why something failed.
        "auth_failed" => "the registry refuses the login",
        "network_timeout" => "no answer in time",
        "connection_error" => "no connection",
        "not_found" => "not there",
        "tls_error" => "no trusted certificate",
        "decryption_failed" => "the login cannot be decrypted",
        "preempted" => "ended by somebody",
        "invalid_source_registry" => "the registry's address is not allowed",
        "unknown_error" => "an error of another kind",
        "rate_limited" => "the registry's limit is used up",
        "digest_mismatch" => "content is not what its digest says",
        "content_refused" => "content that cannot be served",
        "registry_error" => "the registry fails",
        "storage_error" => "AWS fails",
        "quota_exceeded" => "the namespace is full",
        "signature_refused" => "not signed as it has to be",
        "content_gone" => "content is gone",
        // What was left undone.
        "deletions_held" => "deletions are held back",
        "list_empty" => "the registry lists no tags",
        "list_incomplete" => "the registry's list lacks tags",
        "attachments_incomplete" => "signatures or others are missing",
        "tags_held" => "tags wait at the gate",
        "credentials_dropped" => "the login was dropped",
        "credentials_withheld" => "the robot's login is not sent",
        "interrupted" => "interrupted, goes on by itself",
        // What became of a tag, and why.
        "pruned" => "deleted",
        "deselected" => "the rule does not select it",
        "vanished" => "the registry has it no more",
        // What is a sentence already has names in it.
        _ if raw.contains(' ') => return raw.to_owned(),
        _ => return raw.replace('_', " "),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use moorage_domain::{FailureReason, Warning};
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_reads_raw_words() {
        // Each reason that there is: a new one without words is read without its lines.
        let mut reason = Some(FailureReason::AuthFailed);
        let mut number = 0;
        while let Some(it) = reason {
            assert_ne!(words(it.as_str()), it.as_str().replace('_', " "), "{it:?} has no words");
            number += 1;
            reason = after(it);
        }
        assert_eq!(number, 17);
        let warning: Warning = serde_json::from_value(json!({"reason": "tags_held", "tags": 2})).unwrap();
        assert_eq!(words(warning.reason()), "tags wait at the gate");
        assert_eq!(words("the tag v1_2 failed"), "the tag v1_2 failed");
        assert_eq!((words("sync_now"), words("copied")), ("sync now".to_owned(), "copied".to_owned()));
    }

    fn after(reason: FailureReason) -> Option<FailureReason> {
        use FailureReason as R;
        Some(match reason {
            R::AuthFailed => R::NetworkTimeout,
            R::NetworkTimeout => R::ConnectionError,
            R::ConnectionError => R::NotFound,
            R::NotFound => R::TlsError,
            R::TlsError => R::DecryptionFailed,
            R::DecryptionFailed => R::Preempted,
            R::Preempted => R::InvalidSourceRegistry,
            R::InvalidSourceRegistry => R::UnknownError,
            R::UnknownError => R::RateLimited,
            R::RateLimited => R::DigestMismatch,
            R::DigestMismatch => R::ContentRefused,
            R::ContentRefused => R::RegistryError,
            R::RegistryError => R::StorageError,
            R::StorageError => R::QuotaExceeded,
            R::QuotaExceeded => R::SignatureRefused,
            R::SignatureRefused => R::ContentGone,
            R::ContentGone => return None,
        })
    }
}
