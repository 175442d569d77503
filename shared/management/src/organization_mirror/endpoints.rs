//! The endpoints of organizations' mirrors.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    organization_mirror::{change, create, end, list, rate_limit, rollback, sync, view},
};

/// The endpoints.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "organization/{orgname}/mirror",
        access: Access::Namespace(Role::Admin),
        operation: "getOrgMirrorConfig",
        summary: "The organization's mirror, and where its repositories stand.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("OrganizationMirror"))],
        run: |it| Box::pin(async move { view::get(it.api, it.parameters.get("orgname")).await }),
    },
    Endpoint {
        method: "POST",
        path: "organization/{orgname}/mirror",
        access: Access::Namespace(Role::Admin),
        operation: "createOrgMirrorConfig",
        summary: "Mirrors an external namespace into the organization.",
        query: &[],
        body: Some(Body::Required("NewOrganizationMirror")),
        answers: &[Reply(201, Some("Nothing"))],
        run: |it| {
            Box::pin(async move { Box::pin(create::create(it.api, it.parameters.get("orgname"), it.call)).await })
        },
    },
    Endpoint {
        method: "PUT",
        path: "organization/{orgname}/mirror",
        access: Access::Namespace(Role::Admin),
        operation: "updateOrgMirrorConfig",
        summary: "Changes the organization's mirror.",
        query: &[],
        body: Some(Body::Required("OrganizationMirrorChange")),
        answers: &[Reply(200, Some("Nothing"))],
        run: |it| {
            Box::pin(async move { Box::pin(change::change(it.api, it.parameters.get("orgname"), it.call)).await })
        },
    },
    Endpoint {
        method: "DELETE",
        path: "organization/{orgname}/mirror",
        access: Access::Namespace(Role::Admin),
        operation: "deleteOrgMirrorConfig",
        summary: "Ends the organization's mirror; its repositories stay.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { end::delete(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "organization/{orgname}/mirror/sync-now",
        access: Access::Namespace(Role::Admin),
        operation: "syncOrgMirrorNow",
        summary: "Finds the repositories and syncs all of them, now.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { sync::sync_now(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "organization/{orgname}/mirror/sync-cancel",
        access: Access::Namespace(Role::Admin),
        operation: "cancelOrgMirrorSync",
        summary: "Ends all syncs of the organization's mirror.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { sync::sync_cancel(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "organization/{orgname}/mirror/verify",
        access: Access::Namespace(Role::Admin),
        operation: "verifyOrgMirrorConnection",
        summary: "Whether the external registry can be asked.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Checked"))],
        run: |it| Box::pin(async move { sync::verify(it.api, it.parameters.get("orgname")).await }),
    },
    Endpoint {
        method: "POST",
        path: "organization/{orgname}/mirror/rollback",
        access: Access::Namespace(Role::Admin),
        operation: "rollBackOrgMirror",
        summary: "Turns the tags of all repositories back to what they were at a moment, those of each repository if all of \
                  their content is still there, and pauses the mirror; or says what would come of it.",
        query: &[
            Parameter {
                name: "limit",
                kind: "integer",
                about: "The most repositories that `dry_run` tells of: 1 to 1000, 100 by default.",
            },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: Some(Body::Required("OrganizationRollback")),
        answers: &[Reply(200, Some("OrganizationRollbackPlan")), Reply(202, Some("Started"))],
        run: |it| Box::pin(async move { rollback::roll_back(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "organization/{orgname}/mirror/resume",
        access: Access::Namespace(Role::Admin),
        operation: "resumeOrgMirror",
        summary: "Has a mirror, and all of its repositories, synced again that were paused when their tags were turned back.",
        query: &[],
        body: Some(Body::Optional("Anything")),
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { rollback::resume(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "organization/{orgname}/mirror/rate-limit",
        access: Access::Namespace(Role::Admin),
        operation: "forgetOrgMirrorRateLimit",
        summary: "Forgets what the registry said of its rate limit; what waits for it goes on.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { rate_limit::delete(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "organization/{orgname}/mirror/repositories",
        access: Access::Namespace(Role::Admin),
        operation: "listOrgMirrorRepositories",
        summary: "The repositories that were found, and where they stand.",
        query: &[
            Parameter { name: "page", kind: "integer", about: "The page, from 1." },
            Parameter { name: "limit", kind: "integer", about: "Repositories on a page, up to 500; 100 by default." },
            Parameter { name: "status", kind: "string", about: "Only repositories of this status." },
        ],
        body: None,
        answers: &[Reply(200, Some("OrganizationMirrorRepositories"))],
        run: |it| Box::pin(async move { list::get(it.api, it.parameters.get("orgname"), it.call).await }),
    },
];
