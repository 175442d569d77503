//! What has to be done: what is declared against what there is.

mod mirror;
mod notification;
mod organization;
mod repository;
mod robot;
#[cfg(test)]
mod tests;

use moorage_domain::RepositoryName;
use serde_json::{Map, Value};

use crate::{
    body,
    call::{Call, Verb},
    declaration::Declaration,
    diff::{self, Field},
    element::Element,
    key::{Key, Kind},
    mirror::Mirror,
    present::{Found, Present, PresentError},
    step::{Action, Change, Step},
};

/// How to compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether all secrets are sent again: nobody can see whether they are still the same.
    pub rotate_secrets: bool,
}

/// A step for each element that is declared, in the order in which they have to be made. What was read has to be
/// [`crate::reading::of_declared`].
pub fn compare(declaration: &Declaration, present: &Present, options: Options) -> Result<Vec<Step>, PresentError> {
    declaration.elements().map(|element| step(element, declaration, present, options)).collect()
}

/// The step of one element.
fn step(
    element: &Element,
    declaration: &Declaration,
    present: &Present,
    options: Options,
) -> Result<Step, PresentError> {
    let key = element.key();
    let found = present.find(&key)?;
    let mut absent = Vec::new();
    for name in element.people() {
        if !organization::has_member(found.as_ref(), name) && !present.has_user(name)? {
            absent.push(name.clone());
        }
    }
    let fields = diff::fields(key.kind(), &element.fields());
    let fields = organization::without(fields, &absent);
    let wanted = Wanted { key: &key, fields: &fields, options };
    let (action, calls) = match found {
        // Nobody has a role before being somebody.
        _ if key.kind() == Kind::Permission && !absent.is_empty() => (Action::Wait, Vec::new()),
        None => wanted.create(),
        Some(found) if key.kind() == Kind::Notification => {
            let Key::Notification(owner, title) = &key else { return Ok(unchanged(key)) };
            notification::change(&wanted, &found, &present.titled(owner, title)?)
        }
        Some(found) => wanted.change(&found),
    };
    let needs = element.needs().into_iter().filter(|need| declaration.has(need)).collect();
    Ok(Step { key, action, calls, needs, absent })
}

/// The call that says what a sync of a declared mirror would do; nothing changes by it.
pub fn preview(repository: &RepositoryName, mirror: &Mirror) -> Call {
    let element = Element::Mirror(repository.clone(), Box::new(mirror.clone()));
    let (key, fields) = (element.key(), diff::fields(Kind::Mirror, &element.fields()));
    mirror::preview(&Wanted { key: &key, fields: &fields, options: Options::default() })
}

fn unchanged(key: Key) -> Step {
    Step::new(key, Action::Unchanged, Vec::new())
}

/// What becomes of an element, and by which calls.
type Deed = (Action, Vec<Call>);

/// One element, as it is to be.
struct Wanted<'a> {
    key: &'a Key,
    fields: &'a [Field],
    options: Options,
}

impl Wanted<'_> {
    /// How it is made.
    fn create(&self) -> Deed {
        let calls = match self.key {
            Key::Organization(name) => organization::create(self, name),
            Key::Team(..) => organization::create_team(self),
            Key::Robot(_) => robot::create(self),
            Key::Repository(name) => repository::create(self, name),
            Key::Permission(..) => repository::grant(self),
            Key::Mirror(_) | Key::OrganizationMirror(_) => mirror::create(self),
            Key::Notification(..) => notification::create(self),
        };
        let made = |field: &Field| Change { field: field.path.clone(), from: None, to: field.to.clone() };
        (Action::Create(self.fields.iter().map(made).collect()), calls)
    }

    /// How what there is becomes it.
    fn change(&self, found: &Found) -> Deed {
        match self.key {
            Key::Organization(_) => organization::change(self, found),
            Key::Team(..) => organization::change_team(self, found),
            Key::Robot(_) => robot::change(self, found),
            Key::Repository(_) => repository::change(self, found),
            Key::Permission(..) => repository::change_role(self, found),
            Key::Mirror(_) | Key::OrganizationMirror(_) => mirror::change(self, found),
            Key::Notification(..) => notification::change(self, found, std::slice::from_ref(found)),
        }
    }

    /// The body of all fields, with their secrets.
    fn whole(&self) -> (Map<String, Value>, Vec<crate::call::Slot>) {
        body::of_fields(self.fields)
    }

    /// The fields whose values are others.
    fn differences(&self, found: &Found) -> Vec<Change> {
        diff::differences(self.fields, &found.view)
    }
}

/// Nothing to do, or a change by these calls.
fn changed(changes: Vec<Change>, calls: impl FnOnce(&[Change]) -> Vec<Call>) -> Deed {
    if changes.is_empty() {
        return (Action::Unchanged, Vec::new());
    }
    let calls = calls(&changes);
    (Action::Change(changes), calls)
}

/// How an element is removed; nothing if there is none. What was read has to be [`crate::reading::of`] its key.
pub fn removal(key: &Key, present: &Present) -> Result<Option<Step>, PresentError> {
    let calls = match key {
        Key::Notification(owner, title) => {
            present.titled(owner, title)?.iter().filter_map(|found| notification::delete(key, &found.view)).collect()
        }
        _ if present.find(key)?.is_some() => vec![Call::new(Verb::Delete, key.path())],
        _ => Vec::new(),
    };
    let step = Step::new(key.clone(), Action::Remove, calls);
    Ok(Some(step).filter(|step| !step.calls.is_empty()))
}

/// How a notification is removed, by how it is shown.
pub(crate) fn remove_notification(key: Key, view: &Map<String, Value>) -> Option<Step> {
    let calls = vec![notification::delete(&key, view)?];
    Some(Step::new(key, Action::Remove, calls))
}
