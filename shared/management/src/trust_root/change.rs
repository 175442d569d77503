//! How trusted roots are set. The sync function reads them, and asks their repositories: it has what verifies them.

use moorage_domain::{
    signature_policy::TrustRootId,
    task::{Task, TaskAnswer},
    trust_root::{TrustRootSource, TufUrl},
};
use serde_json::Value;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
};

/// `PUT superuser/trust_roots/{trust_root}`. What cannot be read, or cannot be had now, is refused.
pub(crate) async fn set(api: &Api, id: &str, call: &Call) -> Result<Answer, ApiError> {
    let source = source(call)?;
    let id = TrustRootId::try_from(id.to_owned());
    let id = id.map_err(|error| ApiError::InvalidRequest(format!("the name {error}")))?;
    match api.invoker.ask(&Task::SetTrustRoot { id, source }).await? {
        TaskAnswer::Done => Ok(Answer::NoContent),
        TaskAnswer::Failed(failure) => Err(ApiError::Refused(failure.message)),
        other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    }
}

/// `DELETE superuser/trust_roots/{trust_root}`.
pub(crate) async fn delete(api: &Api, id: &str) -> Result<Answer, ApiError> {
    let id = TrustRootId::try_from(id.to_owned()).map_err(|_| ApiError::NotFound)?;
    if api.table.trust_root(&id).await?.is_none() {
        return Err(ApiError::NotFound);
    }
    api.table.delete_trust_root(&id).await?;
    Ok(Answer::NoContent)
}

/// One of the two fields.
fn source(call: &Call) -> Result<TrustRootSource, ApiError> {
    let body = call.object()?;
    let invalid = |field: &str, reason: &str| ApiError::InvalidRequest(format!("{field}: {reason}"));
    match (body.get("trusted_root"), body.get("tuf")) {
        (Some(root @ Value::Object(_)), None) => Ok(TrustRootSource::TrustedRoot(root.clone())),
        (None, Some(Value::Object(tuf))) => {
            let url = Fields(tuf).string("url")?.unwrap_or_default().to_owned();
            let url = TufUrl::try_from(url).map_err(|error| invalid("tuf.url", &error.to_string()))?;
            let root = tuf.get("root").filter(|root| root.is_object());
            let root = root.ok_or_else(|| invalid("tuf.root", "is no root.json of the repository"))?;
            Ok(TrustRootSource::Tuf { url, root: root.clone() })
        }
        _ => Err(ApiError::InvalidRequest("takes `trusted_root` or `tuf`, one of them, an object".to_owned())),
    }
}
