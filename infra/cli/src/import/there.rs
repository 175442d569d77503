//! What is there already where an import goes: it is left as somebody has made it.

use moorage_declaration::{Declaration, DeclarationError, Element, Present, PresentError};
use moorage_domain::ExposeSecret as _;
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
                    let is_other =
                        |token: &str| view.get("token").and_then(Value::as_str).is_some_and(|it| it != token);
                    if token.is_some_and(|token| is_other(token.expose_secret())) {
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
