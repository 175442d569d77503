//! What is there already where an import goes: it is left as somebody has made it.

use moorage_declaration::{Declaration, DeclarationError, Element, Present, PresentError, TOKEN_DIGEST};
use moorage_domain::{Digest, ExposeSecret as _};
use serde_json::Value;

use crate::secrets::Known;

/// What is to be declared, and what is left as it is although the source has it otherwise.
pub(crate) struct Adapted {
    pub(crate) declaration: Declaration,
    pub(crate) left: Vec<String>,
}

/// Why it cannot be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdaptError {
    #[error(transparent)]
    Present(#[from] PresentError),
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
}

/// Leaves what only somebody can decide who knows what has happened since an earlier import: whether mirrors that are there are
/// on, unless they are to be; what robots are for that are there, which cannot be changed; and their tokens.
pub(crate) fn adapt(
    declaration: &Declaration,
    present: &Present,
    known: &Known,
    is_enabled: bool,
) -> Result<Adapted, AdaptError> {
    let (mut elements, mut left) = (Vec::new(), Vec::new());
    for mut element in declaration.elements().cloned() {
        let key = element.key();
        match &mut element {
            Element::Mirror(_, mirror) if !is_enabled && present.view(&key)?.is_some() => mirror.is_enabled = None,
            Element::OrganizationMirror(_, mirror) if !is_enabled && present.view(&key)?.is_some() => {
                mirror.is_enabled = None;
            }
            Element::Robot(_, robot) => {
                if let Some(view) = present.view(&key)? {
                    let token = robot.token.as_ref().and_then(|source| known.get(source));
                    let digest = token.map(|token| Digest::sha256(token.expose_secret().as_bytes()).to_string());
                    let there = view.get(TOKEN_DIGEST).and_then(Value::as_str);
                    if there.zip(digest).is_some_and(|(there, digest)| there != digest) {
                        left.push(format!(
                            "{key} is there and has another token; --rotate-secrets gives it the source's"
                        ));
                    }
                    (robot.description, robot.unstructured_metadata) = (None, None);
                }
            }
            _ => {}
        }
        elements.push(element);
    }
    Ok(Adapted { declaration: Declaration::new(elements)?, left })
}

#[cfg(test)]
mod tests {
    use moorage_declaration::{Answer, Mirror, Reading, Robot, SecretSource};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_there_keeps_its_token_and_whether_it_is_on() {
        let token = SecretSource::Env("TOKEN".into());
        let robot = Robot { description: Some("mirrors".into()), token: Some(token.clone()), ..Robot::default() };
        let mut mirror = Mirror::new("quay.io/a/b".parse().unwrap(), "acme+bot".parse().unwrap());
        mirror.is_enabled = Some(false);
        let elements = [
            Element::Robot("acme+bot".parse().unwrap(), robot),
            Element::Mirror("acme/app".parse().unwrap(), Box::new(mirror)),
        ];
        let declaration = Declaration::new(elements).unwrap();
        let answers = |token: &str| {
            let answer = |path: &str, body: Value| {
                let reading = Reading { path: path.to_owned(), list: None };
                (reading, Answer { status: 200, body, etag: None })
            };
            let robot = answer("organization/acme/robots/bot", json!({"name": "acme+bot", "token": token}));
            let mirror = answer("repository/acme/app/mirror", json!({"is_enabled": true}));
            Present::from_iter([robot, mirror])
        };
        let mut known = Known::default();
        known.insert(&token, "hunter2".into());
        let adapted = |present: &Present, is_enabled| adapt(&declaration, present, &known, is_enabled).unwrap();
        let same = adapted(&answers("hunter2"), false);
        assert!(same.left.is_empty());
        let mirrors = |it: &Adapted| {
            let mirrors = it.declaration.elements().filter_map(|element| match element {
                Element::Mirror(_, mirror) => Some(mirror.is_enabled),
                _ => None,
            });
            mirrors.collect::<Vec<_>>()
        };
        assert_eq!(mirrors(&same), [None]);
        let other = adapted(&answers("another"), true);
        assert!(other.left[0].starts_with("robot acme+bot is there and has another token"), "{:?}", other.left);
        assert!(!other.left[0].contains("hunter2"));
        assert_eq!(mirrors(&other), [Some(false)]);
    }
}
