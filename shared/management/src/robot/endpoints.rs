//! The endpoints of robot accounts, of organizations and of the admin's own.

use moorage_state::{Role, TeamRole};

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    robot::{change, credentials, federation, registry, view},
};

/// The endpoints below a namespace's path; `whose` is in the names of Quay's operations.
macro_rules! endpoints {
    ($namespace:literal, $whose:literal, $all:literal) => {
        &[
            Endpoint {
                method: "GET",
                path: concat!($namespace, "/robots"),
                access: Access::Organization(TeamRole::Creator),
                operation: concat!("get", $whose, "Robots"),
                summary: $all,
                query: &[
                    Parameter { name: "permissions", kind: "boolean", about: "Whether their repositories are listed." },
                    Parameter { name: "token", kind: "boolean", about: "Whether their tokens are shown." },
                    Parameter { name: "limit", kind: "integer", about: "The most robots." },
                ],
                body: None,
                answers: &[Reply(200, Some("Robots"))],
                run: |it| Box::pin(async move { view::list(it.api, it.parameters, it.call).await }),
            },
            Endpoint {
                method: "GET",
                path: concat!($namespace, "/robots/{robot_shortname}"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("get", $whose, "Robot"),
                summary: "A robot with its token.",
                query: &[],
                body: None,
                answers: &[Reply(200, Some("Robot"))],
                run: |it| Box::pin(async move { view::get(it.api, it.parameters).await }),
            },
            Endpoint {
                method: "PUT",
                path: concat!($namespace, "/robots/{robot_shortname}"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("create", $whose, "Robot"),
                summary: "Creates a robot.",
                query: &[],
                body: Some(Body::Optional("NewRobot")),
                answers: &[Reply(201, Some("Robot"))],
                run: |it| Box::pin(async move { change::create(it.api, it.parameters, it.call).await }),
            },
            Endpoint {
                method: "DELETE",
                path: concat!($namespace, "/robots/{robot_shortname}"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("delete", $whose, "Robot"),
                summary: "Deletes a robot that no mirror uses.",
                query: &[],
                body: None,
                answers: &[Reply(204, None)],
                run: |it| Box::pin(async move { change::delete(it.api, it.parameters, it.call).await }),
            },
            Endpoint {
                method: "POST",
                path: concat!($namespace, "/robots/{robot_shortname}/regenerate"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("regenerate", $whose, "RobotToken"),
                summary: "Replaces a robot's token.",
                query: &[],
                body: Some(Body::Optional("GivenToken")),
                answers: &[Reply(200, Some("Robot"))],
                run: |it| Box::pin(async move { change::regenerate(it.api, it.parameters, it.call).await }),
            },
            Endpoint {
                method: "GET",
                path: concat!($namespace, "/robots/{robot_shortname}/permissions"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("get", $whose, "RobotPermissions"),
                summary: "A robot's roles.",
                query: &[],
                body: None,
                answers: &[Reply(200, Some("RobotPermissions"))],
                run: |it| Box::pin(async move { view::permissions(it.api, it.parameters).await }),
            },
            Endpoint {
                method: "GET",
                path: concat!($namespace, "/robots/{robot_shortname}/credentials"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("get", $whose, "RobotCredentials"),
                summary: "A robot's credentials, as a tool wants them.",
                query: &[Parameter {
                    name: "form",
                    kind: "string",
                    about: "`docker-login`, `podman-login`, `docker-config`, `kubernetes` or `mesos`.",
                }],
                body: None,
                answers: &[Reply(200, Some("Credentials"))],
                run: |it| Box::pin(async move { credentials::get(it.api, it.parameters, it.call).await }),
            },
            Endpoint {
                method: "PUT",
                path: concat!($namespace, "/robots/{robot_shortname}/external-registry"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("change", $whose, "RobotRegistry"),
                summary: "Gives a robot credentials at an external registry, for mirrors that have none of their own.",
                query: &[],
                body: Some(Body::Required("RobotRegistry")),
                answers: &[Reply(200, Some("Robot"))],
                run: |it| Box::pin(async move { registry::change(it.api, it.parameters, it.call).await }),
            },
            Endpoint {
                method: "DELETE",
                path: concat!($namespace, "/robots/{robot_shortname}/external-registry"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("delete", $whose, "RobotRegistry"),
                summary: "Takes them away.",
                query: &[],
                body: None,
                answers: &[Reply(204, None)],
                run: |it| Box::pin(async move { registry::delete(it.api, it.parameters).await }),
            },
            Endpoint {
                method: "GET",
                path: concat!($namespace, "/robots/{robot_shortname}/federation"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("get", $whose, "RobotFederation"),
                summary: "Which workloads may log in as the robot, by whose tokens.",
                query: &[],
                body: None,
                answers: &[Reply(200, Some("Federation"))],
                run: |it| Box::pin(async move { federation::federation(it.api, it.parameters).await }),
            },
            Endpoint {
                method: "POST",
                path: concat!($namespace, "/robots/{robot_shortname}/federation"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("create", $whose, "RobotFederation"),
                summary: "Has these workloads log in as the robot, and no others.",
                query: &[],
                body: Some(Body::Required("Federation")),
                answers: &[Reply(200, Some("Federation"))],
                run: |it| Box::pin(async move { federation::create(it.api, it.parameters, it.call).await }),
            },
            Endpoint {
                method: "DELETE",
                path: concat!($namespace, "/robots/{robot_shortname}/federation"),
                access: Access::Namespace(Role::Admin),
                operation: concat!("delete", $whose, "RobotFederation"),
                summary: "Has no workload log in as the robot any more.",
                query: &[],
                body: None,
                answers: &[Reply(204, None)],
                run: |it| Box::pin(async move { federation::delete(it.api, it.parameters, it.call).await }),
            },
        ]
    };
}

/// The endpoints of an organization's robots.
pub(crate) const OF_ORGANIZATION: &[Endpoint] =
    endpoints!("organization/{orgname}", "Org", "The organization's robots.");

/// The endpoints of the admin's own robots.
pub(crate) const OF_ADMIN: &[Endpoint] = endpoints!("user", "User", "The admin's own robots.");
