//! What elements need that is not declared: whether it is there.

use std::collections::BTreeSet;

use crate::{
    declaration::Declaration,
    element::Element,
    key::{ADMIN, Key},
    present::Present,
    reading::{self, Reading},
    step::{Action, Step},
};

/// What has to be read to know it.
pub fn readings(declaration: &Declaration) -> BTreeSet<Reading> {
    declaration
        .elements()
        .flat_map(|element| undeclared(element, declaration))
        .flat_map(|key| reading::of(&key))
        .collect()
}

/// Makes those steps impossible that need what is neither declared nor there: whoever plans sees it before anything is done. What
/// cannot be read, as the token does not go so far, is taken to be there.
pub fn check(steps: &mut [Step], declaration: &Declaration, present: &Present) {
    for element in declaration.elements() {
        let absent = undeclared(element, declaration).into_iter().find(|need| matches!(present.find(need), Ok(None)));
        let (Some(absent), key) = (absent, element.key()) else { continue };
        for step in steps.iter_mut().filter(|step| step.key == key && !step.calls.is_empty()) {
            let why = format!(
                "it needs the {} {}, which is neither declared nor there",
                absent.kind().as_str(),
                absent.name()
            );
            step.action = Action::Impossible { changes: step.action.changes().to_vec(), why };
            step.calls.clear();
        }
    }
}

fn undeclared(element: &Element, declaration: &Declaration) -> Vec<Key> {
    // It is there without anybody's having made it.
    let is_admin = |key: &Key| matches!(key, Key::Organization(name) if name.as_str() == ADMIN);
    element.needs().into_iter().filter(|need| !declaration.has(need) && !is_admin(need)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        compare::{Options, compare},
        document::Document,
        present::Answer,
    };

    /// The steps of a mirror whose organization is not declared, where these paths are there, and the others have a status.
    fn steps(there: &[&str], status: u16) -> Vec<Step> {
        let mirror = json!({"external_reference": "quay.io/a/b", "robot_username": "acme+bot"});
        let document = json!({"repositories": {"acme/app": {"mirror": mirror}}});
        let declaration = serde_json::from_value::<Document>(document).unwrap().declaration().unwrap();
        let all = reading::of_declared(&declaration).into_iter().chain(readings(&declaration));
        let present: Present = all
            .map(|reading| {
                let is_there = there.contains(&reading.path.as_str());
                let is_needed = reading.path.starts_with("organization/");
                let status = if is_there {
                    200
                } else if is_needed {
                    status
                } else {
                    404
                };
                (reading, Answer { status, body: if is_there { json!({}) } else { Value::Null }, etag: None })
            })
            .collect();
        let mut steps = compare(&declaration, &present, Options::default()).unwrap();
        check(&mut steps, &declaration, &present);
        steps
    }

    #[test]
    fn who_needs_what_is_not_there_cannot_be_made() {
        let why = |step: &Step| match &step.action {
            Action::Impossible { why, .. } => why.clone(),
            _ => String::new(),
        };
        let none = steps(&[], 404);
        assert_eq!(why(&none[0]), "it needs the organization acme, which is neither declared nor there");
        assert_eq!(why(&none[1]), "it needs the robot acme+bot, which is neither declared nor there");
        assert!(none.iter().all(|step| step.calls.is_empty()));
        let without_robot = steps(&["organization/acme"], 404);
        assert!(why(&without_robot[0]).is_empty() && why(&without_robot[1]).contains("acme+bot"));
        assert!(
            steps(&["organization/acme", "organization/acme/robots/bot"], 404).iter().all(|step| why(step).is_empty())
        );
        assert!(steps(&[], 403).iter().all(|step| why(step).is_empty()), "who may not look does not know");
    }
}
