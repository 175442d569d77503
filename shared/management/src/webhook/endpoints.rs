//! The endpoints of webhooks.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    webhook::{address, deliver},
};

/// What administrators of a repository do with its mirror's webhook.
pub(crate) const OF_MIRROR: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "repository/{repository}/mirror/webhook",
        access: Access::Repository(Role::Admin),
        operation: "getMirrorWebhook",
        summary: "Whether the mirror has a webhook, and whether that is called.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Webhook"))],
        run: |it| Box::pin(async move { address::get(it.api, it.parameters.repository()?).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/webhook",
        access: Access::Repository(Role::Admin),
        operation: "createMirrorWebhook",
        summary: "Makes a webhook, or another address for it; the one that it had stays valid until the next one is made. The \
                  address and the secret are shown only now.",
        query: &[],
        body: Some(Body::Optional("NewWebhook")),
        answers: &[Reply(201, Some("CreatedWebhook"))],
        run: |it| Box::pin(async move { address::create(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}/mirror/webhook",
        access: Access::Repository(Role::Admin),
        operation: "deleteMirrorWebhook",
        summary: "Ends the webhook, or only the address that it had before.",
        query: &[Parameter {
            name: "previous",
            kind: "boolean",
            about: "Whether only the address before the present one ends.",
        }],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { address::delete(it.api, it.parameters.repository()?, it.call).await }),
    },
];

/// What registries call.
pub(crate) const DELIVERIES: &[Endpoint] = &[Endpoint {
    method: "POST",
    path: "webhooks/{webhook}",
    access: Access::Anyone,
    operation: "deliverWebhook",
    summary: "Says that tags have moved, as registries say it: the mirror asks its registry for them. Nothing else in it is \
              believed.",
    query: &[],
    body: Some(Body::Required("Delivery")),
    answers: &[Reply(202, Some("Delivered"))],
    run: |it| Box::pin(async move { deliver::deliver(it.api, it.parameters.get("webhook"), it.call).await }),
}];
