//! The endpoints of repositories: themselves, their tags, and who may do what with them.

use moorage_state::Role;

use crate::{
    access::caller::Access,
    http::endpoint::{Body, Endpoint, Parameter, Reply},
    repository::{change, create, end, list, permission, tag, tag_change, team_permission, view},
    usage_log::list as usage_log,
};

/// The endpoints.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "GET",
        path: "repository",
        access: Access::Anyone,
        operation: "listRepos",
        summary: "The repositories that the caller may read.",
        query: &[
            Parameter { name: "namespace", kind: "string", about: "Only those of this namespace." },
            Parameter { name: "public", kind: "boolean", about: "Also public ones of all namespaces." },
            Parameter { name: "starred", kind: "boolean", about: "Only starred ones: there are none." },
            Parameter { name: "last_modified", kind: "boolean", about: "Whether to tell when tags last changed." },
            Parameter { name: "popularity", kind: "boolean", about: "Whether to tell the popularity: always 0." },
            Parameter {
                name: "next_page",
                kind: "string",
                about: "Where the page before ended, as its `next_page` says.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("Repositories"))],
        run: |it| Box::pin(async move { list::list(it.api, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository",
        access: Access::Known,
        operation: "createRepo",
        summary: "Creates a repository.",
        query: &[],
        body: Some(Body::Required("NewRepository")),
        answers: &[Reply(201, Some("CreatedRepository"))],
        run: |it| Box::pin(async move { create::create(it.api, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}",
        access: Access::Repository(Role::Read),
        operation: "getRepo",
        summary: "A repository with its tags.",
        query: &[
            Parameter { name: "includeTags", kind: "boolean", about: "Whether to list the tags." },
            Parameter {
                name: "includeStats",
                kind: "boolean",
                about: "Whether to tell how often it was pulled: not counted.",
            },
        ],
        body: None,
        answers: &[Reply(200, Some("Repository"))],
        run: |it| Box::pin(async move { view::get(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "PUT",
        path: "repository/{repository}",
        access: Access::Repository(Role::Write),
        operation: "updateRepo",
        summary: "Changes the description.",
        query: &[],
        body: Some(Body::Required("RepositoryDescription")),
        answers: &[Reply(200, Some("Success"))],
        run: |it| Box::pin(async move { change::change(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}",
        access: Access::Repository(Role::Admin),
        operation: "deleteRepository",
        summary: "Deletes a repository, its mirror and its tags.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| Box::pin(async move { end::delete(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/changevisibility",
        access: Access::Repository(Role::Admin),
        operation: "changeRepoVisibility",
        summary: "Makes a repository public or private.",
        query: &[],
        body: Some(Body::Required("Visibility")),
        answers: &[Reply(200, Some("Success"))],
        run: |it| {
            Box::pin(async move { change::change_visibility(it.api, it.parameters.repository()?, it.call).await })
        },
    },
    Endpoint {
        method: "PUT",
        path: "repository/{repository}/changestate",
        access: Access::Repository(Role::Admin),
        operation: "changeRepoState",
        summary: "Changes what a repository is for.",
        query: &[],
        body: Some(Body::Required("State")),
        answers: &[Reply(200, Some("Success"))],
        run: |it| Box::pin(async move { change::change_state(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/logs",
        access: Access::Repository(Role::Admin),
        operation: "listRepoLogs",
        summary: "The usage log, newest first.",
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
        run: |it| Box::pin(async move { usage_log::of_repository(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/tag/",
        access: Access::Repository(Role::Read),
        operation: "listRepoTags",
        summary: "The tags and their past, the latest first.",
        query: &[
            Parameter { name: "specificTag", kind: "string", about: "Only this tag." },
            Parameter { name: "filter_tag_name", kind: "string", about: "`eq:<name>` or `like:<part of a name>`." },
            Parameter { name: "onlyActiveTags", kind: "boolean", about: "Whether to leave the past out." },
            Parameter {
                name: "details",
                kind: "boolean",
                about: "Whether to tell what the images are for and what is attached to them, which takes up to five reads \
                        of the bucket for each; not for who may read the repository only because it is public.",
            },
            Parameter { name: "limit", kind: "integer", about: "Tags on a page: 1 to 100, 50 by default." },
            Parameter { name: "page", kind: "integer", about: "The number of the page, from 1." },
        ],
        body: None,
        answers: &[Reply(200, Some("Tags"))],
        run: |it| Box::pin(async move { tag::list(it.api, it.parameters.repository()?, it.call).await }),
    },
    Endpoint {
        method: "PUT",
        path: "repository/{repository}/tag/{tag}",
        access: Access::Repository(Role::Write),
        operation: "changeTag",
        summary: "Points a tag to another image of the repository.",
        query: &[],
        body: Some(Body::Required("ChangeTag")),
        answers: &[Reply(201, Some("Updated"))],
        run: |it| {
            Box::pin(async move {
                tag_change::change(it.api, it.parameters.repository()?, it.parameters.get("tag"), it.call).await
            })
        },
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}/tag/{tag}",
        access: Access::Repository(Role::Write),
        operation: "deleteFullTag",
        summary: "Deletes a tag.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| {
            Box::pin(async move {
                tag_change::delete(it.api, it.parameters.repository()?, it.parameters.get("tag"), it.call).await
            })
        },
    },
    Endpoint {
        method: "POST",
        path: "repository/{repository}/tag/{tag}/restore",
        access: Access::Repository(Role::Write),
        operation: "restoreTag",
        summary: "Points a tag to an image that it had.",
        query: &[],
        body: Some(Body::Required("RestoreTag")),
        answers: &[Reply(200, Some("Empty"))],
        run: |it| {
            Box::pin(async move {
                tag_change::restore(it.api, it.parameters.repository()?, it.parameters.get("tag"), it.call).await
            })
        },
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/permissions/user/",
        access: Access::Repository(Role::Admin),
        operation: "listRepoUserPermissions",
        summary: "The roles of robots.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Permissions"))],
        run: |it| Box::pin(async move { permission::list(it.api, it.parameters.repository()?).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/permissions/user/{username}",
        access: Access::Repository(Role::Admin),
        operation: "getUserPermissions",
        summary: "A robot's role.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Permission"))],
        run: |it| {
            Box::pin(async move {
                permission::get(it.api, it.parameters.repository()?, it.parameters.get("username")).await
            })
        },
    },
    Endpoint {
        method: "PUT",
        path: "repository/{repository}/permissions/user/{username}",
        access: Access::Repository(Role::Admin),
        operation: "changeUserPermissions",
        summary: "Gives a robot a role.",
        query: &[],
        body: Some(Body::Required("Role")),
        answers: &[Reply(200, Some("Permission"))],
        run: |it| {
            Box::pin(async move {
                permission::change(it.api, it.parameters.repository()?, it.parameters.get("username"), it.call).await
            })
        },
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}/permissions/user/{username}",
        access: Access::Repository(Role::Admin),
        operation: "deleteUserPermissions",
        summary: "Takes a robot's role away.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| {
            Box::pin(async move {
                permission::delete(it.api, it.parameters.repository()?, it.parameters.get("username"), it.call).await
            })
        },
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/permissions/user/{username}/transitive",
        access: Access::Repository(Role::Admin),
        operation: "getUserTransitivePermission",
        summary: "A robot's roles.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Roles"))],
        run: |it| {
            Box::pin(async move {
                permission::transitive(it.api, it.parameters.repository()?, it.parameters.get("username")).await
            })
        },
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/permissions/team/",
        access: Access::Repository(Role::Admin),
        operation: "listRepoTeamPermissions",
        summary: "The roles of teams.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Permissions"))],
        run: |it| Box::pin(async move { team_permission::list(it.api, it.parameters.repository()?).await }),
    },
    Endpoint {
        method: "GET",
        path: "repository/{repository}/permissions/team/{teamname}",
        access: Access::Repository(Role::Admin),
        operation: "getTeamPermissions",
        summary: "A team's role.",
        query: &[],
        body: None,
        answers: &[Reply(200, Some("Permission"))],
        run: |it| {
            Box::pin(async move {
                team_permission::get(it.api, it.parameters.repository()?, it.parameters.get("teamname")).await
            })
        },
    },
    Endpoint {
        method: "PUT",
        path: "repository/{repository}/permissions/team/{teamname}",
        access: Access::Repository(Role::Admin),
        operation: "changeTeamPermissions",
        summary: "Gives a team a role.",
        query: &[],
        body: Some(Body::Required("Role")),
        answers: &[Reply(200, Some("Permission"))],
        run: |it| {
            Box::pin(async move {
                team_permission::change(it.api, it.parameters.repository()?, it.parameters.get("teamname"), it.call)
                    .await
            })
        },
    },
    Endpoint {
        method: "DELETE",
        path: "repository/{repository}/permissions/team/{teamname}",
        access: Access::Repository(Role::Admin),
        operation: "deleteTeamPermissions",
        summary: "Takes a team's role away.",
        query: &[],
        body: None,
        answers: &[Reply(204, None)],
        run: |it| {
            Box::pin(async move {
                team_permission::delete(it.api, it.parameters.repository()?, it.parameters.get("teamname"), it.call)
                    .await
            })
        },
    },
];
