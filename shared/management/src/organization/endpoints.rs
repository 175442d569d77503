//! The endpoints of organizations.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    organization::{change, end, view},
    usage_log::list as usage_log,
};

/// The endpoints.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "POST",
        path: "organization/",
        access: Access::Superuser,
        operation: "createOrganization",
        summary: "Creates an organization.",
        query: &[],
        body: Some(Body::Required("NewOrganization")),
        answers: &[Reply(201, Some("CreatedOrganization"))],
        run: |it| Box::pin(async move { change::create(it.api, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "organization/{orgname}",
        access: Access::Anyone,
        operation: "getOrganization",
        summary: "An organization with its teams; without them for whoever may only see its public repositories.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Organization"))],
        run: |it| Box::pin(async move { view::get(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "PUT",
        path: "organization/{orgname}",
        access: Access::Namespace(Role::Admin),
        operation: "changeOrganizationDetails",
        summary: "Changes an organization.",
        query: &[],
        body: Some(Body::Required("OrganizationChange")),
        answers: &[Reply(200, Some("Organization"))],
        run: |it| Box::pin(async move { change::change(it.api, it.parameters.get("orgname"), it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "organization/{orgname}",
        access: Access::Namespace(Role::Admin),
        operation: "deleteAdminedOrganization",
        summary: "Deletes an organization with its repositories and robots. Nothing can be made in it from the first call on.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { end::delete(it.api, it.parameters.get("orgname")).await }),
    },
    Endpoint {
        method: "GET",
        path: "organization/{orgname}/logs",
        access: Access::Namespace(Role::Admin),
        operation: "listOrgLogs",
        summary: "The usage log of an organization, newest first: what was done by hand.",
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
            Parameter { name: "performer", kind: "string", about: "Only what this user did." },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("Logs"))],
        run: |it| {
            Box::pin(async move { usage_log::of_organization(it.api, it.parameters.get("orgname"), it.call).await })
        },
    },
];
