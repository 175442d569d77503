//! The endpoints of mirrors.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    mirror::{
        change, changes, cost, create, end, health, holds, overview, pin, preview, rate_limit, rollback, runs, sync,
        view,
    },
};

/// The endpoints.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "repository/{repository}/mirror",
        access: Access::Repository(Role::Admin),
        operation: "getRepoMirrorConfig",
        summary: "The mirror's configuration and where it stands.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Mirror"))],
        run: |it| Box::pin(async move { view::get(it.api, it.parameters.repository()?).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror",
        access: Access::Repository(Role::Admin),
        operation: "createRepoMirrorConfig",
        summary: "Makes the repository a mirror.",
        query: &[],
        body: Some(Body::Required("NewMirror")),
        answers: &[Reply(201, Some("Nothing"))],
        run: |it| Box::pin(async move { Box::pin(create::create(it.api, it.parameters.repository()?, it.call)).await }),
    },
    Endpoint {
        method: "PUT",
        path: "repository/{repository}/mirror",
        access: Access::Repository(Role::Admin),
        operation: "changeRepoMirrorConfig",
        summary: "Changes the settings that are given: all or none.",
        query: &[],
        body: Some(Body::Required("MirrorChange")),
        answers: &[Reply(201, Some("Nothing"))],
        run: |it| Box::pin(async move { Box::pin(change::change(it.api, it.parameters.repository()?, it.call)).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}/mirror",
        access: Access::Repository(Role::Admin),
        operation: "deleteRepoMirrorConfig",
        summary: "Ends mirroring; the images stay.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { end::delete(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/sync-now",
        access: Access::Repository(Role::Admin),
        operation: "syncNow",
        summary: "Starts a sync.",
        query: &[],
        body: Some(Body::Optional("Anything")),
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { sync::sync_now(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/sync-cancel",
        access: Access::Repository(Role::Admin),
        operation: "syncCancel",
        summary: "Stops a sync; what is there stays.",
        query: &[],
        body: Some(Body::Optional("Anything")),
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { sync::sync_cancel(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/verify",
        access: Access::Repository(Role::Admin),
        operation: "verifyMirror",
        summary: "Syncs, asking the registry for each tag and looking at everything that the tags reference, and fetches again \
                  what is missing or damaged.",
        query: &[],
        body: Some(Body::Optional("Anything")),
        answers: &[Reply(202, Some("Started"))],
        run: |it| Box::pin(async move { sync::verify(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/rollback",
        access: Access::Repository(Role::Admin),
        operation: "rollBackMirror",
        summary: "Turns the tags back to what they were when a run ended, or at a moment, if all of their content is still there, \
                  and pauses the mirror; or says what would come of it.",
        query: &[],
        body: Some(Body::Required("Rollback")),
        answers: &[Reply(200, Some("RollbackPlan")), Reply(202, Some("Started"))],
        run: |it| Box::pin(async move { rollback::roll_back(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/resume",
        access: Access::Repository(Role::Admin),
        operation: "resumeMirror",
        summary: "Has a mirror synced again that was paused when its tags were turned back.",
        query: &[],
        body: Some(Body::Optional("Anything")),
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { rollback::resume(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}/mirror/rate-limit",
        access: Access::Repository(Role::Admin),
        operation: "forgetMirrorRateLimit",
        summary: "Forgets what the registry said of its rate limit; a sync that waits for it goes on.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { rate_limit::delete(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/preview",
        access: Access::Repository(Role::Admin),
        operation: "previewMirror",
        summary: "What a sync would do, with the settings that are given; changes nothing. Where there is no mirror yet, what \
                  the first sync of one with these settings would do.",
        query: &[],
        body: Some(Body::Optional("PreviewRequest")),
        answers: &[Reply(200, Some("Preview"))],
        run: |it| Box::pin(async move { preview::preview(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/mirror/holds",
        access: Access::Repository(Role::Admin),
        operation: "listMirrorHolds",
        summary: "The tags that wait at the gate, by name, and for what each waits.",
        query: &[
            Parameter {
                name: "limit",
                kind: "integer",
                about: "The most entries of the answer: 1 to 1000, 100 by default.",
            },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("Holds"))],
        run: |it| Box::pin(async move { holds::list(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/mirror/holds/{digest}/release",
        access: Access::Repository(Role::Admin),
        operation: "releaseMirrorHold",
        summary: "Lets in an image that waits for its age, or for somebody to say that a tag may move to it, and starts a sync.",
        query: &[],
        body: Some(Body::Required("Release")),
        answers: &[Reply(204, None)],
        run: |it| {
            Box::pin(async move {
                holds::release(it.api, it.parameters.repository()?, it.parameters.get("digest"), it.call).await
            })
        },
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/mirror/runs",
        access: Access::Repository(Role::Admin),
        operation: "listMirrorRuns",
        summary: "The syncs, newest first.",
        query: &[
            Parameter {
                name: "limit",
                kind: "integer",
                about: "The most entries of the answer: 1 to 100, 20 by default.",
            },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("Runs"))],
        run: |it| Box::pin(async move { runs::list(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/mirror/cost",
        access: Access::Repository(Role::Admin),
        operation: "getMirrorCost",
        summary: "What the runs of the last thirty days cost by AWS's list prices, and what a month of the same would.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("MirrorCost"))],
        run: |it| Box::pin(async move { cost::get(it.api, it.parameters.repository()?).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/mirror/runs/{run_id}/changes",
        access: Access::Repository(Role::Admin),
        operation: "getMirrorRunChanges",
        summary: "What a run has changed of what tags point to, or all runs after another one up to it.",
        query: &[Parameter { name: "since", kind: "string", about: "The run after which changes count, by its id." }],
        body: None,
        answers: &[Reply(200, Some("Changes"))],
        run: |it| {
            Box::pin(async move {
                changes::get(it.api, it.parameters.repository()?, it.parameters.get("run_id"), it.call).await
            })
        },
    },
    Endpoint {
        method: "PUT",
        path: "repository/{repository}/mirror/runs/{run_id}/pin",
        access: Access::Repository(Role::Admin),
        operation: "pinMirrorRun",
        summary: "Keeps what a run has left, all tags as they were when it ended with their content, until it is unpinned; if all \
                  of that is still there.",
        query: &[],
        body: Some(Body::Optional("NewPin")),
        answers: &[Reply(200, Some("Pin"))],
        run: |it| {
            Box::pin(async move {
                pin::pin(it.api, it.parameters.repository()?, it.parameters.get("run_id"), it.call).await
            })
        },
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}/mirror/runs/{run_id}/pin",
        access: Access::Repository(Role::Admin),
        operation: "unpinMirrorRun",
        summary: "Keeps what a run has left no longer than anything else.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| {
            Box::pin(async move {
                pin::unpin(it.api, it.parameters.repository()?, it.parameters.get("run_id"), it.call).await
            })
        },
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/mirror/runs/{run_id}",
        access: Access::Repository(Role::Admin),
        operation: "getMirrorRun",
        summary: "One sync, with what became of each tag.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Run"))],
        run: |it| {
            Box::pin(async move { runs::get(it.api, it.parameters.repository()?, it.parameters.get("run_id")).await })
        },
    },
    Endpoint {
        method: "GET",
        path: "mirror/overview",
        access: Access::Known,
        operation: "getMirrorOverview",
        summary: "All mirrors that the caller may see, with what matters of each.",
        query: &[
            Parameter { name: "namespace", kind: "string", about: "The namespace; all without." },
            Parameter { name: "limit", kind: "integer", about: "The most mirrors: 1 to 1000, which it is without." },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("MirrorOverview"))],
        run: |it| Box::pin(async move { overview::get(it.api, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/mirror/health",
        access: Access::Known,
        operation: "getRepositoryMirrorHealth",
        summary: "How the mirrors are: of one namespace, or all.",
        query: &[
            Parameter { name: "namespace", kind: "string", about: "The namespace; all without." },
            Parameter { name: "detailed", kind: "boolean", about: "Whether each mirror is listed." },
            Parameter { name: "limit", kind: "integer", about: "The most mirrors that are listed: 1 to 1000." },
            Parameter { name: "offset", kind: "integer", about: "How many mirrors are left out before them." },
        ],
        body: None,
        answers: &[Reply(200, Some("Health")), Reply(503, Some("Health"))],
        run: |it| Box::pin(async move { health::get(it.api, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "superuser/mirror/health",
        access: Access::Superuser,
        operation: "getSuperuserMirrorHealth",
        summary: "How all mirrors are, in numbers.",
        query: &[Parameter {
            name: "rights",
            kind: "boolean",
            about: "Whether the API and the sync function try what they may do, by calls that change nothing.",
        }],
        body: None,
        answers: &[Reply(200, Some("Health")), Reply(503, Some("Health"))],
        run: |it| Box::pin(async move { health::get_numbers(it.api, it.call).await }),
    },
];
