//! How current the trusted roots are.

use moorage_domain::{Timestamp, signature_policy::TrustRootId};
use moorage_state::StoredTrustRoot;
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, error::ApiError},
};

/// `GET superuser/trust_roots`: those that are stored, and those that come with the release.
pub(crate) async fn list(api: &Api) -> Result<Answer, ApiError> {
    let stored = api.table.trust_roots().await?;
    let ours = [TrustRootId::Public, TrustRootId::Github].into_iter();
    let ours = ours.filter(|id| !stored.iter().any(|root| root.id == *id));
    let ours = ours.map(|id| json!({"id": id, "source": "release", "refreshed_at": null, "believed_until": null}));
    let all: Vec<_> = ours.chain(stored.iter().map(view)).collect();
    Ok(Answer::ok(json!({"trust_roots": all})))
}

/// One that is stored. The root itself is public, and not shown: it has 30 kB.
fn view(root: &StoredTrustRoot) -> Value {
    let source = match (&root.tuf, &root.trusted_root) {
        (Some(_), Some(_)) => "tuf",
        // What the release has is believed until a refresh succeeds.
        (Some(_), None) => "release",
        (None, _) => "operator",
    };
    let mut view = json!({
        "id": root.id, "source": source, "refreshed_at": root.refreshed_at.map(Timestamp::iso),
        "believed_until": root.until.map(Timestamp::iso),
    });
    if let Some(tuf) = &root.tuf {
        view["url"] = tuf.url.as_str().into();
    }
    if let Some(failure) = &root.failure {
        view["failure"] = json!({"reason": failure.reason, "message": failure.message});
    }
    view
}

#[cfg(test)]
mod tests {
    use moorage_domain::{FailureReason, failure::Failure};
    use moorage_state::TufSource;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn where_a_root_comes_from_is_told() {
        let mut root = StoredTrustRoot {
            id: TrustRootId::Public,
            trusted_root: None,
            refreshed_at: None,
            until: None,
            tuf: Some(TufSource { url: "https://tuf.example.com".to_owned(), anchor: "{}".to_owned() }),
            failure: Some(Failure::new(FailureReason::NetworkTimeout, "late".to_owned())),
            revision: Uuid::nil(),
        };
        let shown = view(&root);
        assert_eq!((&shown["source"], &shown["failure"]["reason"]), (&json!("release"), &json!("network_timeout")));
        root.trusted_root = Some("{}".to_owned());
        root.refreshed_at = Some(Timestamp::from_unix(0));
        let shown = view(&root);
        assert_eq!((&shown["source"], &shown["refreshed_at"]), (&json!("tuf"), &json!("1970-01-01T00:00:00Z")));
        root.tuf = None;
        assert_eq!(view(&root)["source"], "operator");
    }
}
