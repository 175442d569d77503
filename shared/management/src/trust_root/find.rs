//! Whether there are the trusted roots that a policy names.

use moorage_domain::signature_policy::{SignaturePolicy, Signer, TrustRootId};

use crate::{api::Api, http::error::ApiError, mirror::policy::SentPolicy};

/// Fails unless the policy's roots are there: one that nobody has set has every image refused. Those of the releases always
/// are.
pub(crate) async fn expect(api: &Api, sent: &SentPolicy) -> Result<(), ApiError> {
    let policy = sent.signature_policy.iter().flatten();
    for (at, authority) in policy.flat_map(SignaturePolicy::authorities).enumerate() {
        let Signer::Keyless { trust_root: id @ TrustRootId::Other(_), .. } = &authority.signer else { continue };
        if api.table.trust_root(id).await?.is_none() {
            let field = format!("signature_policy.authorities[{at}].keyless.trust_root");
            let message =
                format!("{field}: there is no trusted root `{id}`, which PUT superuser/trust_roots/{id} makes");
            return Err(ApiError::InvalidRequest(message));
        }
    }
    Ok(())
}
