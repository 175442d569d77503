//! What is there already where an import goes: it is left as somebody has made it.

use moorage_declaration::{Declaration, DeclarationError, Element, Key, Present, PresentError};
use moorage_domain::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::secrets::Known;

/// Leaves what only somebody can decide who knows what has happened since an earlier import: whether mirrors that are there are
/// on, unless they are to be, and what robots are for that are there, which cannot be changed.
pub(crate) fn adapt(declaration: &Declaration, present: &Present, is_enabled: bool) -> Result<Declaration, AdaptError> {
    let mut elements = Vec::new();
    for mut element in declaration.elements().cloned() {
        let is_there = present.view(&element.key())?.is_some();
        match &mut element {
            Element::Mirror(_, mirror) if is_there && !is_enabled => mirror.is_enabled = None,
            Element::OrganizationMirror(_, mirror) if is_there && !is_enabled => mirror.is_enabled = None,
            Element::Robot(_, robot) if is_there => (robot.description, robot.unstructured_metadata) = (None, None),
            _ => {}
        }
        elements.push(element);
    }
    Ok(Declaration::new(elements)?)
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
    use moorage_declaration::{Answer, Mirror, Reading, Robot, SecretSource};
    use serde_json::json;

    use super::*;

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
        let answer = |path: &str, body: Value| {
            let reading = Reading { path: path.to_owned(), list: None };
            (reading, Answer { status: 200, body, etag: None })
        };
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
}
