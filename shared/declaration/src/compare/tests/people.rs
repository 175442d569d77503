//! People, who are named and never made.

use serde_json::{Value, json};

use super::{REPOSITORY, calls, changed_fields, declared, present, repository_view, steps};
use crate::{
    compare::{Options, compare},
    document::Document,
    present::PresentError,
    step::Action,
    undeclared,
};

/// The step of a team that is declared so, where it is shown so.
#[expect(clippy::needless_pass_by_value, reason = "they are written where they are used")]
fn team(declared: Value, shown: &Value, members: Value, there: &[&str]) -> crate::Step {
    let document = json!({"organizations": {"acme": {"teams": {"dev": declared}}}});
    let paths: Vec<_> = there.iter().map(|name| format!("users/{name}")).collect();
    let mut answers = vec![
        ("organization/acme", json!({"name": "acme", "email": "", "teams": {"dev": shown}})),
        ("organization/acme/team/dev/members", members),
    ];
    answers.extend(paths.iter().map(|path| (path.as_str(), json!({"username": "x"}))));
    steps(document, &answers).remove(1)
}

fn members(names: &[(&str, bool)], group: Option<&str>) -> Value {
    let members: Vec<_> = names.iter().map(|(name, is_robot)| json!({"name": name, "is_robot": is_robot})).collect();
    let mut view = json!({"members": members});
    if let Some(group) = group {
        view["synced"] = json!({"service": "oidc", "config": {"group_name": group}});
    }
    view
}

const SHOWN: &str = "organization/acme/team/dev";

fn shown() -> Value {
    json!({"role": "member", "description": ""})
}

fn paths(step: &crate::Step) -> Vec<(&'static str, String)> {
    let below = |path: &str| path.strip_prefix(SHOWN).unwrap().to_owned();
    step.calls.iter().map(|call| (call.verb.as_str(), below(&call.path))).collect()
}

#[test]
fn people_are_members_as_robots_are() {
    let declared = json!({"members": ["acme+ci", "ann@example.com", "bob"]});
    let there = members(&[("acme+ci", true), ("ann@example.com", false), ("bob", false)], None);
    let same = team(declared.clone(), &shown(), there, &["ann@example.com", "bob"]);
    assert_eq!((same.action, same.absent), (Action::Unchanged, Vec::new()));
    let there = members(&[("acme+ci", true), ("cyd", false)], None);
    let step = team(declared, &shown(), there, &["ann@example.com", "bob"]);
    let expected = [("DELETE", "/members/cyd"), ("PUT", "/members/ann@example.com"), ("PUT", "/members/bob")];
    assert_eq!(paths(&step), expected.map(|(verb, path)| (verb, path.to_owned())));
}

#[test]
fn who_has_not_signed_in_yet_stops_nobody_else() {
    let declared = json!({"members": ["ann", "bob"]});
    let step = team(declared.clone(), &shown(), members(&[], None), &["bob"]);
    assert_eq!(paths(&step), [("PUT", "/members/bob".to_owned())]);
    assert_eq!(step.absent.iter().map(moorage_domain::UserName::as_str).collect::<Vec<_>>(), ["ann"]);
    let step = team(declared, &shown(), members(&[("bob", false)], None), &["bob"]);
    assert_eq!((step.action.as_str(), step.calls.len(), step.absent.len()), ("unchanged", 0, 1));
    let known = team(json!({"members": ["bob"]}), &shown(), members(&[("bob", false)], None), &[]);
    assert_eq!((known.action, known.absent), (Action::Unchanged, Vec::new()), "who is in a team is somebody");

    let document = json!({"repositories": {"acme/app": {"permissions": {"users": {"ann": "read", "bob": "admin"}}}}});
    let answers = [
        (REPOSITORY, repository_view()),
        ("repository/acme/app/permissions/user/", json!({"permissions": {"bob": {"role": "write"}}})),
        ("users/bob", json!({"username": "bob"})),
    ];
    let steps = steps(document, &answers);
    assert_eq!((&steps[1].action, steps[1].calls.len(), steps[1].absent.len()), (&Action::Wait, 0, 1));
    let path = "repository/acme/app/permissions/user/bob";
    assert_eq!(calls(&steps[2]), [("PUT", path, json!({"role": "admin"}))]);
    assert!(steps[2].absent.is_empty());
}

#[test]
fn a_group_says_who_a_teams_people_are() {
    let declared = || json!({"group": "platform", "members": ["acme+ci"]});
    let theirs = &[("acme+ci", true), ("ann", false)];
    let same = team(declared(), &shown(), members(theirs, Some("platform")), &[]);
    assert_eq!(same.action, Action::Unchanged, "the group's people are nobody's to take away");
    let bound = team(declared(), &shown(), members(theirs, None), &[]);
    assert_eq!(changed_fields(&bound), ["group", "members"]);
    assert_eq!(paths(&bound), [("POST", "/syncing".to_owned())], "it takes the people with it");
    assert_eq!(bound.calls[0].body, Some(json!({"group_name": "platform"})));
    let other = team(declared(), &shown(), members(theirs, Some("others")), &[]);
    assert_eq!(paths(&other), [("POST", "/syncing".to_owned())]);
    let free = team(json!({"group": null, "members": ["ann"]}), &shown(), members(theirs, Some("x")), &["ann"]);
    let expected = [("DELETE", "/syncing"), ("DELETE", "/members/acme+ci"), ("PUT", "/members/ann")];
    assert_eq!(paths(&free), expected.map(|(verb, path)| (verb, path.to_owned())));
    assert_eq!(team(json!({"group": null}), &shown(), members(theirs, None), &[]).action, Action::Unchanged);
    let left = team(json!({"members": ["acme+ci"]}), &shown(), members(theirs, Some("x")), &[]);
    assert_eq!(left.action, Action::Unchanged, "what is not said is left as it is");
}

#[test]
fn a_team_with_a_group_is_made_in_this_order() {
    let declared = json!({"role": "admin", "group": "CN=Dev Ops", "members": ["acme+ci"]});
    let document = json!({"organizations": {"acme": {"robots": {"ci": null}, "teams": {"dev": declared}}}});
    let step = steps(document, &[]).remove(2);
    let expected = [("PUT", ""), ("PUT", "/members/acme+ci"), ("POST", "/syncing")];
    assert_eq!(paths(&step), expected.map(|(verb, path)| (verb, path.to_owned())));
    assert_eq!(step.calls[0].body, Some(json!({"role": "admin"})));
}

#[test]
fn a_group_that_is_not_told_is_not_taken_for_none() {
    let declaration = declared(json!({"organizations": {"acme": {"teams": {"dev": {"group": "platform"}}}}}));
    let compared = |synced: Value| {
        let answers = [
            ("organization/acme", json!({"name": "acme", "email": "", "teams": {"dev": shown()}})),
            ("organization/acme/team/dev/members", json!({"members": [], "synced": synced})),
        ];
        compare(&declaration, &present(&declaration, &answers), Options::default())
    };
    for hidden in
        [json!({"service": "oidc"}), json!({"service": "oidc", "config": {}}), json!({"config": null}), json!({})]
    {
        let error = compared(hidden.clone()).unwrap_err();
        assert!(matches!(error, PresentError::Hidden { .. }), "{hidden}: {error}");
        assert!(error.to_string().contains("cannot be read with this token"), "{error}");
    }
    assert!(compared(json!(null)).is_ok());
    assert!(compared(json!({"service": "oidc", "config": {"group_name": "platform"}})).unwrap()[1].is_nothing());
}

#[test]
fn nobody_who_is_to_go_has_a_role_that_rises() {
    let step = |from: &str, to: &str, more: Value, there: Value| {
        let mut declared = json!({"role": to, "members": ["ann"]});
        super::extend(&mut declared, more);
        let step = team(declared, &json!({"role": from, "description": ""}), there, &["ann"]);
        paths(&step).into_iter().map(|(verb, path)| format!("{verb} {path}")).collect::<Vec<_>>()
    };
    let eve = || members(&[("eve", false)], None);
    let (goes, comes) = ("DELETE /members/eve", "PUT /members/ann");
    for (from, to, expected) in [
        ("member", "admin", [goes, comes, "PUT "]),
        ("creator", "admin", [goes, comes, "PUT "]),
        ("of a later release", "member", [goes, comes, "PUT "]),
        ("admin", "member", ["PUT ", goes, comes]),
        ("creator", "member", ["PUT ", goes, comes]),
    ] {
        assert_eq!(step(from, to, json!({}), eve()), expected, "{from} {to}");
    }
    assert_eq!(step("admin", "admin", json!({"description": "x"}), eve()), ["PUT ", goes, comes]);
    let grouped = json!({"group": "platform", "members": []});
    let bound = step("member", "admin", grouped, members(&[], None));
    assert_eq!(bound, ["POST /syncing", "PUT "], "nor has who is there by a group");
    let free = step("member", "admin", json!({"group": null}), members(&[("eve", false)], Some("x")));
    assert_eq!(free, ["DELETE /syncing", comes, "PUT "]);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let parse = |team: Value| {
        let document = json!({"organizations": {"acme": {"teams": {"dev": team}}}});
        let document: Document = serde_json::from_value(document).map_err(|error| error.to_string())?;
        document.declaration().map_err(|error| error.to_string())
    };
    let both = parse(json!({"group": "platform", "members": ["ann"]})).unwrap_err();
    assert!(both.contains("team acme/dev has a group") && both.contains("ann"), "{both}");
    for wrong in
        [json!({"members": ["Ann"]}), json!({"members": ["admin"]}), json!({"group": ""}), json!({"group": "a\nb"})]
    {
        assert!(parse(wrong.clone()).unwrap_err().contains("not a valid"), "{wrong}");
    }
    assert!(parse(json!({"group": null, "members": ["ann", "acme+ci"]})).is_ok());
}

#[test]
fn roles_of_people_go_if_it_is_asked_for() {
    let document = json!({"repositories": {"acme/app": {"permissions": {"users": {"ann": "read"}}}}});
    let declaration = declared(document);
    let answers = [
        (REPOSITORY, repository_view()),
        (
            "repository/acme/app/permissions/user/",
            json!({"permissions": {"ann": {"role": "read"}, "bob": {"role": "admin"}, "acme+ci": {"role": "read"}}}),
        ),
        ("users/ann", json!({"username": "ann"})),
    ];
    let there = present(&declaration, &answers);
    let made = compare(&declaration, &there, Options::default()).unwrap();
    assert!(made.iter().all(crate::Step::is_nothing), "{made:?}");
    let removed = undeclared::removals(&declaration, &there).unwrap();
    let mut removed: Vec<_> = removed.iter().map(|step| (step.key.name(), step.calls[0].path.as_str())).collect();
    // In the order in which the API has told of them.
    removed.sort_unstable();
    assert_eq!(removed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["acme/app acme+ci", "acme/app bob"]);
    assert_eq!(removed[1].1, "repository/acme/app/permissions/user/bob");
}

#[test]
fn a_robot_may_have_a_clouds_login() {
    let login = json!({"type": "ecr", "role_arn": "arn:aws:iam::111122223333:role/pull"});
    let registry = |more: Value| {
        let mut registry = json!({"host": "111122223333.dkr.ecr.eu-west-1.amazonaws.com"});
        registry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        registry
    };
    let document =
        |registry: &Value| json!({"organizations": {"acme": {"robots": {"mirror": {"external_registry": registry}}}}});
    let step = |declared: &Value, there: Value| {
        let mut robot = json!({"name": "acme+mirror", "description": "", "token": "t"});
        robot["external_registry"] = there;
        let answers = [("organization/acme", json!({"name": "acme"})), ("organization/acme/robots/mirror", robot)];
        steps(document(declared), &answers).remove(1)
    };
    let (cloud, words) =
        (registry(json!({"credentials": login})), registry(json!({"username": "u", "password": {"env": "P"}})));
    assert_eq!(step(&cloud, cloud.clone()).action, Action::Unchanged);
    let made = step(&cloud, registry(json!({"username": "u"})));
    assert_eq!(changed_fields(&made), ["external_registry.credentials"]);
    let path = "organization/acme/robots/mirror/external-registry";
    assert_eq!(calls(&made), [("PUT", path, cloud.clone())]);
    let back = step(&words, cloud.clone());
    assert_eq!(changed_fields(&back), ["external_registry.username", "external_registry.password"]);
    let body = back.calls[0].body.as_ref().unwrap();
    assert!(body.get("credentials").is_none() && body["username"] == "u");

    let refused = |more: Value| {
        let document: Document = serde_json::from_value(document(&registry(more))).unwrap();
        document.declaration().unwrap_err().to_string()
    };
    for wrong in [
        json!({}),
        json!({"username": "u"}),
        json!({"password": {"env": "P"}}),
        json!({"username": "u", "password": {"env": "P"}, "credentials": login}),
    ] {
        assert!(refused(wrong.clone()).contains("robot acme+mirror needs a user name and a password"), "{wrong}");
    }
    let certificate = json!({"tls": {"client_certificate": {"file": "c.pem"}, "client_key": {"env": "KEY"}}});
    let alone: Document = serde_json::from_value(document(&registry(certificate))).unwrap();
    assert!(alone.declaration().is_ok());
}
