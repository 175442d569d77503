//! Manifests and blobs.

use std::sync::Arc;

use lambda_http::{
    Request, RequestExt as _,
    http::{
        HeaderMap, Method as HttpMethod,
        header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH},
    },
    request::RequestContext,
};
use moorage_domain::{Digest, Owner, Timestamp};
use moorage_storage::Method;

use crate::{
    answer::{Answer, CONTENT_DIGEST},
    content::Found,
    error::PullError,
    registry::Registry,
    routes::route::Reference,
};

/// The largest manifest that is answered here, in bytes; larger ones come from S3. An answer of Lambda has 6 MB at most,
/// in which each byte may take two.
const MAX_ANSWERED: usize = 3_000_000;
/// The same behind an Application Load Balancer, whose answers have 1 MB at most.
const MAX_BALANCED: usize = 500_000;

/// `GET` and `HEAD …/manifests/<reference>`. What the client accepts does not matter: it gets what is stored.
pub(crate) async fn manifest(
    registry: &Registry,
    owner: &Arc<Owner>,
    reference: &Reference,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let stored = match reference {
        Reference::Tag(tag) => registry.content.tagged(owner, tag, now).await?,
        Reference::Digest(digest) => registry.content.revision(owner, digest, now).await?,
    };
    let stored = stored.ok_or_else(|| {
        PullError::ManifestUnknown(match reference {
            Reference::Tag(tag) => tag.to_string(),
            Reference::Digest(digest) => digest.to_string(),
        })
    })?;
    let Found { proven, media_type, bytes } = stored;
    let digest = proven.digest();
    if is_held(request.headers(), digest) {
        return Ok(content(Answer::empty(304), digest));
    }
    let most = match request.request_context_ref() {
        Some(RequestContext::Alb(_)) => MAX_BALANCED,
        _ => MAX_ANSWERED,
    };
    // Lambda answers text; what is none comes from S3, as it is.
    if bytes.len() > most || std::str::from_utf8(&bytes).is_err() {
        let url = registry.content.url(&proven, presigned(request.method()), Some(media_type), called(request)).await?;
        return Ok(Answer::redirect(&url).with(CONTENT_DIGEST, &digest.to_string()));
    }
    Ok(content(Answer::empty(200), digest).with(CONTENT_TYPE, media_type.as_str()).body(bytes))
}

/// `GET` and `HEAD …/blobs/<digest>`. Clients fetch blobs, and parts of them, from S3. `HEAD` is answered here, because
/// many clients would follow a redirect with a signature for `GET`, which S3 refuses.
pub(crate) async fn blob(
    registry: &Registry,
    owner: &Arc<Owner>,
    digest: &Digest,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let found = registry.content.blob(owner, digest, now).await?;
    let (proven, size) = found.ok_or_else(|| PullError::BlobUnknown(digest.clone()))?;
    if request.method() == HttpMethod::HEAD {
        let answer = content(Answer::empty(200), digest).with(CONTENT_TYPE, "application/octet-stream");
        return Ok(answer.with(CONTENT_LENGTH, &size.to_string()).with(ACCEPT_RANGES, "bytes"));
    }
    let url = registry.content.url(&proven, Method::Get, None, called(request)).await?;
    Ok(Answer::redirect(&url).with(CONTENT_DIGEST, &digest.to_string()))
}

fn content(answer: Answer, digest: &Digest) -> Answer {
    let digest = digest.to_string();
    answer.with(CONTENT_DIGEST, &digest).with(ETAG, &format!(r#""{digest}""#))
}

/// The host that the client called, where a proxy in front says it, or as the request has it.
fn called(request: &Request) -> &str {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    header("x-forwarded-host").or_else(|| header(HOST.as_str())).unwrap_or_default()
}

fn presigned(method: &HttpMethod) -> Method {
    if *method == HttpMethod::HEAD { Method::Head } else { Method::Get }
}

/// Whether the client has it already (RFC 9110, 13.1.2).
fn is_held(headers: &HeaderMap, digest: &Digest) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == "*" || tag.trim_matches('"') == digest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_digests() {
        let digest = Digest::sha256(b"");
        let held = |value: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().unwrap())]);
            is_held(&headers, &digest)
        };
        assert!(held(&format!(r#""{digest}""#)) && held(&digest.to_string()) && held("*"));
        assert!(held(&format!(r#""x", W/"{digest}""#)));
        assert!(!held(r#""x""#) && !held("") && !is_held(&HeaderMap::new(), &digest));
    }
}
