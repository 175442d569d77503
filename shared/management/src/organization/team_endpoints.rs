//! Teams and their members.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    organization::{team, team_member},
};

/// The endpoints.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "PUT",
        path: "organization/{orgname}/team/{teamname}",
        access: Access::Namespace(Role::Admin),
        operation: "updateOrganizationTeam",
        summary: "Creates or changes a team.",
        query: &[],
        body: Some(Body::Required("Team")),
        answers: &[Reply(200, Some("TeamView"))],
        run: |it| Box::pin(async move { team::put(it.api, it.parameters, it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "organization/{orgname}/team/{teamname}",
        access: Access::Namespace(Role::Admin),
        operation: "deleteOrganizationTeam",
        summary: "Deletes a team.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { team::delete(it.api, it.parameters, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "organization/{orgname}/team/{teamname}/members",
        access: Access::Namespace(Role::Read),
        operation: "getOrganizationTeamMembers",
        summary: "The members of a team.",
        query: &[Parameter {
            name: "includePending",
            kind: "boolean",
            about: "Whether invitations are listed: there are none.",
        }],
        body: None,
        answers: &[Reply(200, Some("Members"))],
        run: |it| Box::pin(async move { team_member::list(it.api, it.parameters, it.call).await }),
    },
    Endpoint {
        method: "PUT",
        path: "organization/{orgname}/team/{teamname}/members/{membername}",
        access: Access::Namespace(Role::Admin),
        operation: "updateOrganizationTeamMember",
        summary: "Adds a robot of the organization to a team.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Member"))],
        run: |it| Box::pin(async move { team_member::add(it.api, it.parameters, it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "organization/{orgname}/team/{teamname}/members/{membername}",
        access: Access::Namespace(Role::Admin),
        operation: "deleteOrganizationTeamMember",
        summary: "Takes a robot out of a team.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { team_member::remove(it.api, it.parameters, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "organization/{orgname}/team/{teamname}/permissions",
        access: Access::Namespace(Role::Admin),
        operation: "getOrganizationTeamPermissions",
        summary: "The roles of a team on repositories.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("RobotPermissions"))],
        run: |it| Box::pin(async move { team_member::permissions(it.api, it.parameters).await }),
    },
];
