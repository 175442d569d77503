//! The endpoints of the user, of tokens, and of the API itself.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    account::{about, capabilities, entity, token, user},
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    usage_log::list as usage_log,
};

/// What the registry can do.
pub(crate) const CAPABILITIES: &[Endpoint] = &[Endpoint {
    method: "GET",
    path: "registry/capabilities",
    access: Access::Anyone,
    operation: "getRegistryCapabilities",
    summary: "What the registry can do.",
    query: &[],
    body: None,
    answers: &[Reply(200, Some("Capabilities"))],
    run: |it| {
        let _ = it;
        Box::pin(async move { capabilities::get() })
    },
}];

/// The user, and the search of names.
pub(crate) const USER: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "user/",
        access: Access::Known,
        operation: "getLoggedInUser",
        summary: "Whom the token acts for.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("User"))],
        run: |it| Box::pin(async move { user::get(it.api, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "user/initialize",
        access: Access::Anyone,
        operation: "initializeUser",
        summary: "The first token, for whoever knows the deployment's secret.",
        query: &[],
        body: Some(Body::Required("InitializeUser")),
        answers: &[Reply(200, Some("InitializedUser"))],
        run: |it| Box::pin(async move { user::initialize(it.api, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "user/logs",
        access: Access::Namespace(Role::Admin),
        operation: "listUserLogs",
        summary: "The usage log of the admin's own namespace.",
        query: &[
            Parameter {
                name: "starttime",
                kind: "string",
                about: "The first day, as MM/DD/YYYY in UTC; yesterday by default.",
            },
            Parameter {
                name: "endtime",
                kind: "string",
                about: "The last day, as MM/DD/YYYY in UTC; today by default.",
            },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("Logs"))],
        run: |it| Box::pin(async move { usage_log::of_namespace(it.api, &it.parameters.namespace()?, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "entities/{prefix}",
        access: Access::Known,
        operation: "getMatchingEntities",
        summary: "Users, robots, teams and organizations whose names begin so.",
        query: &[
            Parameter {
                name: "namespace",
                kind: "string",
                about: "The organization whose robots and teams are looked through.",
            },
            Parameter { name: "includeTeams", kind: "boolean", about: "Whether teams are." },
            Parameter { name: "includeOrgs", kind: "boolean", about: "Whether the organization itself is." },
        ],
        body: None,
        answers: &[Reply(200, Some("Entities"))],
        run: |it| Box::pin(async move { entity::search(it.api, it.parameters.get("prefix"), it.call).await }),
    },
];

/// Tokens.
pub(crate) const TOKENS: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "tokens",
        access: Access::Known,
        operation: "listTokens",
        summary: "The API's tokens, but not what they are shown by.",
        query: &[
            Parameter {
                name: "limit",
                kind: "integer",
                about: "The most entries of the answer: 1 to 100, 50 by default.",
            },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("Tokens"))],
        run: |it| Box::pin(async move { token::list(it.api, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "tokens",
        access: Access::Known,
        operation: "createToken",
        summary: "Makes a token, and shows it this once. It is good as long as the token that makes it is. One that a person makes \
                  is for a namespace, and ends within 90 days.",
        query: &[],
        body: Some(Body::Required("NewToken")),
        answers: &[Reply(201, Some("CreatedToken"))],
        run: |it| Box::pin(async move { token::create(it.api, it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "tokens/{token_id}",
        access: Access::Known,
        operation: "deleteToken",
        summary: "Revokes a token and those that it has made.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { token::delete(it.api, it.parameters.get("token_id"), it.call).await }),
    },
];

/// The API's description.
pub(crate) const ABOUT: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "error/{error_type}",
        access: Access::Anyone,
        operation: "getErrorDescription",
        summary: "What a kind of error means.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("ErrorDescription"))],
        run: |it| {
            let _ = it;
            Box::pin(async move { about::error(it.parameters.get("error_type")) })
        },
    },
    Endpoint {
        method: "GET",
        path: "openapi.json",
        access: Access::Anyone,
        operation: "getDescription",
        summary: "This description.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Anything"))],
        run: |it| {
            let _ = it;
            Box::pin(async move { about::openapi(it.endpoints, it.call) })
        },
    },
    Endpoint {
        method: "GET",
        path: "discovery",
        access: Access::Anyone,
        operation: "discovery",
        summary: "This description, at Quay's path for its own.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Anything"))],
        run: |it| {
            let _ = it;
            Box::pin(async move { about::openapi(it.endpoints, it.call) })
        },
    },
];
