//! What has to be done with one element.

use moorage_domain::UserName;
use serde_json::Value;

use crate::{call::Call, key::Key, secret::SecretSource};

/// What has to be done with one element.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which element.
    pub key: Key,
    /// What becomes of it.
    pub action: Action,
    /// By which calls, one after the other.
    pub calls: Vec<Call>,
    /// What has to have been done before, or not to have to be done: if it fails, this cannot be done.
    pub needs: Vec<Key>,
    /// Whom it names who has not signed in yet: it is done without them, and they are looked for the next time.
    pub absent: Vec<UserName>,
}

/// What becomes of an element.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It is made, with these fields.
    Create(Vec<Change>),
    /// These fields change.
    Change(Vec<Change>),
    /// It goes.
    Remove,
    /// It is as it is to be.
    Unchanged,
    /// It is to be made for somebody who has not signed in yet.
    Wait,
    /// These fields would have to change, which the API cannot do.
    Impossible {
        /// Which ones.
        changes: Vec<Change>,
        /// Why, and what to do about it.
        why: String,
    },
}

/// A field that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its name; of what is in an object, both with a point between them.
    pub field: String,
    /// What it was, if it is known and may be shown.
    pub from: Option<Value>,
    /// What it becomes.
    pub to: To,
}

/// What a field becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum To {
    /// A value.
    Value(Value),
    /// A secret that is kept somewhere.
    Secret(SecretSource),
}

impl Action {
    /// A word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Change(_) => "change",
            Self::Remove => "remove",
            Self::Unchanged => "unchanged",
            Self::Wait => "wait",
            Self::Impossible { .. } => "impossible",
        }
    }

    /// The fields that change.
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::Create(changes) | Self::Change(changes) | Self::Impossible { changes, .. } => changes,
            Self::Remove | Self::Unchanged | Self::Wait => &[],
        }
    }
}

impl Step {
    pub(crate) fn new(key: Key, action: Action, calls: Vec<Call>) -> Self {
        Self { key, action, calls, needs: Vec::new(), absent: Vec::new() }
    }

    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.action == Action::Unchanged
    }

    /// When it is done: steps of a lower rank come before. What is removed goes after everything is made, and what others
    /// need goes last.
    pub fn rank(&self) -> u8 {
        let kind = u8::try_from(crate::key::Kind::ALL.iter().position(|kind| *kind == self.key.kind()).unwrap_or(0));
        let (kind, kinds) = (kind.unwrap_or(0), 8);
        if self.action == Action::Remove { 2 * kinds - kind } else { kind }
    }
}
