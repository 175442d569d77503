//! The endpoints of trusted roots.

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Reply},
    trust_root::{change, list},
};

/// All of them.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "superuser/trust_roots",
        access: Access::Superuser,
        operation: "listTrustRoots",
        summary: "By whom keyless signatures are verified, and how current that is.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("TrustRoots"))],
        run: |it| Box::pin(async move { list::list(it.api).await }),
    },
    Endpoint {
        method: "PUT",
        path: "superuser/trust_roots/{trust_root}",
        access: Access::Superuser,
        operation: "setTrustRoot",
        summary: "Sets a trusted root, or the repository of The Update Framework that distributes it.",
        query: &[],
        body: Some(Body::Required("TrustRootSource")),
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { change::set(it.api, it.parameters.get("trust_root"), it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "superuser/trust_roots/{trust_root}",
        access: Access::Superuser,
        operation: "deleteTrustRoot",
        summary: "Forgets a trusted root; public and github are ours again.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { change::delete(it.api, it.parameters.get("trust_root")).await }),
    },
];
