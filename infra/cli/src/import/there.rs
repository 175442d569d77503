//! What is there already where an import goes: it is left as somebody has made it.

use std::collections::BTreeSet;

use moorage_declaration::{Declaration, DeclarationError, Element, Key, Member, Present, PresentError, Team};
use moorage_domain::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::secrets::Known;

/// Leaves what only somebody can decide who knows what has happened since an earlier import: whether mirrors that are there are
/// on, unless they are to be, what robots are for that are there, which cannot be changed, and who is in a team that is there.
pub(crate) fn adapt(declaration: &Declaration, present: &Present, is_enabled: bool) -> Result<Declaration, AdaptError> {
    let mut elements = Vec::new();
    for mut element in declaration.elements().cloned() {
        let there = present.view(&element.key())?;
        let is_there = there.is_some();
        match &mut element {
            Element::Mirror(_, mirror) if is_there && !is_enabled => mirror.is_enabled = None,
            Element::OrganizationMirror(_, mirror) if is_there && !is_enabled => mirror.is_enabled = None,
            Element::Robot(_, robot) if is_there => (robot.description, robot.unstructured_metadata) = (None, None),
            Element::Team(_, _, team) => {
                if let Some(there) = &there {
                    keep(team, there);
                }
            }
            _ => {}
        }
        elements.push(element);
    }
    Ok(Declaration::new(elements)?)
}

/// Keeps who is in a team: whom somebody has put in here, and the group that somebody has bound it to. Another group, or one
/// where there are people who were named, would take these out.
fn keep(team: &mut Team, there: &Map<String, Value>) {
    let is_bound = there.get("group").is_some_and(Value::is_string);
    let members = there.get("members").and_then(Value::as_array).into_iter().flatten();
    let members: BTreeSet<Member> = members.filter_map(|name| name.as_str()?.parse().ok()).collect();
    if is_bound || members.iter().any(|member| matches!(member, Member::User(_))) {
        team.group = None;
    }
    if let Some(declared) = &mut team.members {
        declared.retain(|member| !is_bound || matches!(member, Member::Robot(_)));
        declared.extend(members);
    }
}

/// The robots that have tokens in the source, and where they are here.
pub(crate) fn robots<'a>(declaration: &'a Declaration, known: &'a Known) -> Vec<(Key, &'a SecretString)> {
    let token = |element: &'a Element| match element {
        Element::Robot(_, robot) => Some((element.key(), known.get(robot.token.as_ref()?)?)),
        _ => None,
    };
    declaration.elements().filter_map(token).collect()
}

/// What is told of a robot that is there with another token than the source's, by how it is shown.
pub(crate) fn left(key: &Key, token: &SecretString, view: &Value) -> Option<String> {
    let is_other = view.get("token").and_then(Value::as_str).is_some_and(|other| other != token.expose_secret());
    is_other.then(|| format!("{key} is there and has another token; --rotate-secrets gives it the source's"))
}

/// Why it cannot be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdaptError {
    #[error(transparent)]
    Present(#[from] PresentError),
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
}

#[cfg(test)]
mod tests {
    use moorage_declaration::{Answer, Document, Mirror, Options, Reading, Robot, SecretSource, compare};
    use serde_json::json;

    use super::*;

    fn answer(path: &str, body: Value) -> (Reading, Answer) {
        (Reading { path: path.to_owned(), list: None }, Answer { status: 200, body, etag: None })
    }

    #[test]
    fn what_is_there_keeps_its_token_and_whether_it_is_on() {
        let source = SecretSource::Env("TOKEN".into());
        let robot = Robot { description: Some("mirrors".into()), token: Some(source.clone()), ..Robot::default() };
        let mut mirror = Mirror::new("quay.io/a/b".parse().unwrap(), "acme+bot".parse().unwrap());
        mirror.is_enabled = Some(false);
        let elements = [
            Element::Robot("acme+bot".parse().unwrap(), robot),
            Element::Mirror("acme/app".parse().unwrap(), Box::new(mirror)),
        ];
        let declaration = Declaration::new(elements).unwrap();
        let robot = answer("organization/acme/robots/bot", json!({"name": "acme+bot", "description": "others"}));
        let present = Present::from_iter([robot, answer("repository/acme/app/mirror", json!({"is_enabled": true}))]);
        let adapted = |is_enabled| {
            let of = |element: &Element| match element {
                Element::Mirror(_, mirror) => json!(mirror.is_enabled),
                Element::Robot(_, robot) => json!(robot.description),
                _ => Value::Null,
            };
            adapt(&declaration, &present, is_enabled).unwrap().elements().map(of).collect::<Vec<_>>()
        };
        assert_eq!((adapted(false), adapted(true)), (vec![json!(null), json!(null)], vec![json!(null), json!(false)]));

        let mut known = Known::default();
        assert!(robots(&declaration, &known).is_empty());
        known.insert(&source, "hunter2".into());
        let robots = robots(&declaration, &known);
        let [(key, token)] = robots.as_slice() else { panic!("{} robots", robots.len()) };
        assert_eq!(left(key, token, &json!({"token": "hunter2"})), None);
        let said = left(key, token, &json!({"token": "another"})).unwrap();
        assert!(said.starts_with("robot acme+bot is there") && !said.contains("hunter2"), "{said}");
    }
    #[test]
    fn who_is_in_a_team_stays_in_it() {
        let robot = |name: &str| json!({"name": name, "is_robot": true});
        let person = |name: &str| json!({"name": name, "is_robot": false});
        let (named, bound) =
            (json!({"members": ["acme+ci", "ann"]}), json!({"group": "platform", "members": ["acme+ci"]}));
        let hers = json!({"service": "oidc", "config": {"group_name": "hers"}});
        let all = || json!([robot("acme+ci"), robot("acme+new"), person("ann"), person("eve")]);
        for (declared, there, synced, calls) in [
            (&named, all(), Value::Null, Vec::new()),
            (&bound, all(), Value::Null, Vec::new()),
            (&bound, all(), hers.clone(), Vec::new()),
            (&named, all(), hers.clone(), Vec::new()),
            (&named, json!([person("ann"), person("eve")]), Value::Null, vec!["PUT /members/acme+ci"]),
            (&named, json!([person("eve")]), hers, vec!["PUT /members/acme+ci"]),
            // An import that has stopped before is gone on with.
            (&bound, json!([robot("acme+ci")]), Value::Null, vec!["POST /syncing"]),
            (&bound, json!([]), Value::Null, vec!["PUT /members/acme+ci", "POST /syncing"]),
        ] {
            let document = json!({"organizations": {"acme": {"teams": {"dev": declared}}}});
            let document: Document = serde_json::from_value(document).unwrap();
            let answers = [
                ("organization/acme", json!({"name": "acme", "email": "", "teams": {"dev": {"role": "member"}}})),
                ("organization/acme/team/dev/members", json!({"members": there, "synced": synced})),
                ("users/ann", json!({"username": "ann"})),
            ];
            let answers = answers.map(|(path, body)| answer(path, body));
            let present = Present::from_iter(answers);
            let adapted = adapt(&document.declaration().unwrap(), &present, false).unwrap();
            let steps = compare(&adapted, &present, Options::default()).unwrap();
            let done: Vec<_> = steps.iter().flat_map(|step| &step.calls).collect();
            let done = done.iter().map(|call| {
                format!("{} {}", call.verb.as_str(), call.path.strip_prefix("organization/acme/team/dev").unwrap())
            });
            assert_eq!(done.collect::<Vec<_>>(), calls, "{declared} {present:?}");
        }
    }
}
