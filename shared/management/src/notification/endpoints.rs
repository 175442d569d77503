//! The endpoints of notifications: the same calls about a repository, as Quay has them, and about an organization.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    notification::{change, create, list, note},
};

const LIST: Endpoint = Endpoint {
    method: "GET",
    path: "repository/{repository}/notification/",
    access: Access::Repository(Role::Admin),
    operation: "listRepoNotifications",
    summary: "Who is told of what happens to the repository's mirror.",
    query: &[],
    body: None,
    answers: &[Reply(200, Some("Notifications"))],
    run: |it| Box::pin(async move { list::list(it).await }),
};

const CREATE: Endpoint = Endpoint {
    method: "POST",
    path: "repository/{repository}/notification/",
    access: Access::Repository(Role::Admin),
    operation: "createRepoNotification",
    summary: "Has somebody told of an event.",
    query: &[],
    body: Some(Body::Required("NewNotification")),
    answers: &[Reply(201, Some("Notification"))],
    run: |it| Box::pin(async move { create::create(it).await }),
};

const GET: Endpoint = Endpoint {
    method: "GET",
    path: "repository/{repository}/notification/{uuid}",
    access: Access::Repository(Role::Admin),
    operation: "getRepoNotification",
    summary: "One notification.",
    query: &[],
    body: None,
    answers: &[Reply(200, Some("Notification"))],
    run: |it| Box::pin(async move { list::get(it).await }),
};

const DELETE: Endpoint = Endpoint {
    method: "DELETE",
    path: "repository/{repository}/notification/{uuid}",
    access: Access::Repository(Role::Admin),
    operation: "deleteRepoNotification",
    summary: "Tells no more.",
    query: &[],
    body: None,
    answers: &[Reply(204, None)],
    run: |it| Box::pin(async move { change::delete(it).await }),
};

const RESET: Endpoint = Endpoint {
    method: "POST",
    path: "repository/{repository}/notification/{uuid}",
    access: Access::Repository(Role::Admin),
    operation: "resetRepositoryNotificationFailures",
    summary: "Begins to count its failures anew, which switches it on again.",
    query: &[],
    body: None,
    answers: &[Reply(204, None)],
    run: |it| Box::pin(async move { change::reset(it).await }),
};

const TEST: Endpoint = Endpoint {
    method: "POST",
    path: "repository/{repository}/notification/{uuid}/test",
    access: Access::Repository(Role::Admin),
    operation: "testRepoNotification",
    summary: "Sends a sample.",
    query: &[],
    body: None,
    answers: &[Reply(200, Some("Empty"))],
    run: |it| Box::pin(async move { change::test(it).await }),
};

/// Those of repositories, as in Quay.
pub(crate) const OF_REPOSITORY: &[Endpoint] = &[LIST, CREATE, GET, DELETE, RESET, TEST];

/// Those of organizations, and what people were told.
pub(crate) const OF_ORGANIZATION: &[Endpoint] = &[
    Endpoint {
        path: "organization/{orgname}/notifications",
        access: Access::Namespace(Role::Admin),
        operation: "listOrganizationNotifications",
        summary: "Who is told of what happens to the mirrors of the organization.",
        ..LIST
    },
    Endpoint {
        path: "organization/{orgname}/notifications",
        access: Access::Namespace(Role::Admin),
        operation: "createOrganizationNotification",
        summary: "Has somebody told of an event of any of its mirrors.",
        ..CREATE
    },
    Endpoint {
        path: "organization/{orgname}/notifications/{uuid}",
        access: Access::Namespace(Role::Admin),
        operation: "getOrganizationNotification",
        ..GET
    },
    Endpoint {
        path: "organization/{orgname}/notifications/{uuid}",
        access: Access::Namespace(Role::Admin),
        operation: "deleteOrganizationNotification",
        ..DELETE
    },
    Endpoint {
        path: "organization/{orgname}/notifications/{uuid}",
        access: Access::Namespace(Role::Admin),
        operation: "resetOrganizationNotificationFailures",
        ..RESET
    },
    Endpoint {
        path: "organization/{orgname}/notifications/{uuid}/test",
        access: Access::Namespace(Role::Admin),
        operation: "testOrganizationNotification",
        ..TEST
    },
    Endpoint {
        method: "GET",
        path: "organization/{orgname}/notes",
        access: Access::Namespace(Role::Read),
        operation: "listOrganizationNotes",
        summary: "What the people of the organization were told (the method quay_notification).",
        query: &[Parameter { name: "limit", kind: "integer", about: "How many at most." }],
        body: None,
        answers: &[Reply(200, Some("Notes"))],
        run: |it| Box::pin(async move { note::list(it.api, &it.parameters.namespace()?, it.call).await }),
    },
];
