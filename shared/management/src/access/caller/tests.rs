use std::collections::BTreeSet;

use moorage_domain::{Generation, Timestamp};
use moorage_state::{NewApiToken, PersonIdentity, TeamStanding, User};
use serde_json::json;

use super::*;

fn token(namespace: Option<&str>, role: Role) -> Caller {
    let new = NewApiToken {
        description: String::new(),
        namespace: namespace.map(|name| name.parse().unwrap()),
        role,
        created_by: ADMIN.into(),
        expires_at: None,
        organization_id: Generation::default(),
        maker: None,
        user: None,
    };
    Caller::Token(Box::new(ApiToken::generate(new, Timestamp::from_unix(0)).0))
}

fn person(is_superuser: bool, teams: &[(&str, TeamRole)]) -> Caller {
    // As the table has somebody.
    let user: User = serde_json::from_value(json!({
        "name": "ada", "id": "00000000-0000-0000-0000-000000000000", "issuer": "https://idp.example", "subject": "s",
        "email": null, "created": 0, "signed_in": 0, "last_accessed": 0, "enabled": true,
    }))
    .unwrap();
    let identity = PersonIdentity { name: user.name.clone(), id: user.id, teams: BTreeSet::new() };
    let standing = |(organization, role): &(&str, TeamRole)| TeamStanding {
        organization: organization.parse().unwrap(),
        organization_id: Generation::default(),
        team: "team".parse().unwrap(),
        role: *role,
    };
    let teams = teams.iter().map(standing).collect();
    Caller::Person(Box::new(Person { user, identity, is_superuser, teams }))
}

#[test]
fn roles_in_namespaces() {
    let (own, other): (Namespace, Namespace) = ("own".parse().unwrap(), "other".parse().unwrap());
    for (caller, in_own, in_other, superuser) in [
        (Caller::Anonymous, None, None, false),
        (Caller::Refused(Refusal::NoName), None, None, false),
        (Caller::Admin, Some(Role::Admin), Some(Role::Admin), true),
        (token(None, Role::Admin), Some(Role::Admin), Some(Role::Admin), true),
        (token(None, Role::Write), Some(Role::Write), Some(Role::Write), false),
        (token(Some("own"), Role::Admin), Some(Role::Admin), None, false),
        (token(Some("own"), Role::Read), Some(Role::Read), None, false),
        (person(false, &[]), None, None, false),
        (person(true, &[]), Some(Role::Admin), Some(Role::Admin), true),
        (person(false, &[("own", TeamRole::Admin)]), Some(Role::Admin), None, false),
        (person(false, &[("own", TeamRole::Creator), ("own", TeamRole::Member)]), None, None, false),
    ] {
        assert_eq!((caller.role_in(&own), caller.role_in(&other)), (in_own, in_other), "{caller:?}");
        assert_eq!(caller.is_superuser(), superuser, "{caller:?}");
        let status = |result: Result<(), ApiError>| result.map_or_else(|error| error.answer("").status(), |()| 200);
        let expected = |role: Option<Role>| match role {
            Some(Role::Admin) => 200,
            _ if !caller.is_known() => 401,
            _ => 403,
        };
        assert_eq!(status(caller.require(&own, Role::Admin)), expected(in_own), "{caller:?}");
        assert_eq!(status(caller.require(&other, Role::Admin)), expected(in_other), "{caller:?}");
    }
}

#[test]
fn places_in_organizations() {
    let (own, other, admin): (Namespace, Namespace, Namespace) =
        ("own".parse().unwrap(), "other".parse().unwrap(), ADMIN.parse().unwrap());
    let (member, creator) = (TeamRole::Member, TeamRole::Creator);
    for (caller, member_of_own, creator_of_own, creates) in [
        (Caller::Anonymous, false, false, false),
        (Caller::Refused(Refusal::Name), false, false, false),
        (token(Some("own"), Role::Read), true, true, false),
        (token(Some("own"), Role::Admin), true, true, true),
        (person(false, &[]), false, false, false),
        (person(false, &[("own", member)]), true, false, false),
        (person(false, &[("own", member), ("own", creator)]), true, true, true),
        (person(false, &[("own", TeamRole::Admin)]), true, true, true),
        (person(false, &[("elsewhere", TeamRole::Admin)]), false, false, false),
    ] {
        let places =
            (caller.has_place_in(&own, member), caller.has_place_in(&own, creator), caller.may_create_in(&own));
        assert_eq!(places, (member_of_own, creator_of_own, creates), "{caller:?}");
        for not_theirs in [&other, &admin] {
            let places = caller.has_place_in(not_theirs, member) || caller.may_create_in(not_theirs);
            assert!(!places, "{caller:?} in {not_theirs}");
        }
    }
    let superuser = person(true, &[]);
    assert!(superuser.has_place_in(&other, creator) && superuser.may_create_in(&admin));
}

#[test]
fn whoever_calls_has_a_name() {
    let ada = person(false, &[]);
    assert_eq!((ada.name().as_str(), ada.user()), ("ada", "ada"));
    assert_eq!((Caller::Admin.name().as_str(), Caller::Admin.user()), (ADMIN, ADMIN));
    let Caller::Token(mut token) = token(None, Role::Read) else { panic!() };
    token.user = Some(moorage_state::UserRef { name: "ada".parse().unwrap(), id: Generation::default() });
    let token = Caller::Token(token);
    assert_eq!((token.user(), token.person().is_none()), ("ada", true), "a token is no person, and acts for one");
}
