//! The endpoints of signing in.

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Reply},
    sign_in::{about, exchange},
};

/// The endpoints.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "signin",
        access: Access::Anyone,
        operation: "getSignIn",
        summary: "With whom people sign in; nobody if only holders of tokens are let in.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("SignIn"))],
        run: |it| Box::pin(async move { about::get(it.api).await }),
    },
    Endpoint {
        method: "POST",
        path: "signin/oidc",
        access: Access::Anyone,
        operation: "exchangeSignIn",
        summary: "Exchanges a code, or a refresh token, at the identity provider for an ID token, which is verified.",
        query: &[],
        body: Some(Body::Required("SignInExchange")),
        answers: &[Reply(200, Some("SignedIn"))],
        run: |it| Box::pin(async move { exchange::exchange(it.api, it.call).await }),
    },
];
