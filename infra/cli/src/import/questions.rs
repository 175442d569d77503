//! Secrets of the source: named in the document, never written into it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use moorage_declaration::SecretSource;
use moorage_domain::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::secrets::Known;

/// The longest name of a variable that is made, in characters.
const NAME: usize = 120;

/// A secret that the document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// What the document has in its place.
    pub(crate) reference: SecretSource,
    /// What it is.
    pub(crate) what: String,
    /// Whether the source has it, so that an import that applies can do without the answer.
    pub(crate) is_known: bool,
}

impl Question {
    pub(crate) fn json(&self) -> Value {
        json!({"reference": self.reference, "what": self.what, "known": self.is_known})
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = if self.is_known { " (the source has it, and --apply takes it from there)" } else { "" };
        write!(f, "{}: {}{known}", self.reference, self.what)
    }
}

/// All of them. The same secret has one name, however often it is used, and two secrets never share one.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    /// Where files of secrets are written, if they are.
    folder: Option<PathBuf>,
    names: BTreeSet<String>,
    asked: BTreeMap<String, Vec<(Question, Option<SecretString>)>>,
}

impl Questions {
    /// With a folder, what the source has is to be written there, and the document names files.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Path::to_owned), ..Self::default() }
    }

    /// What the document has in place of a secret: `what` says which it is, `known` is the secret if the source has it.
    pub(crate) fn ask(&mut self, what: &str, known: Option<SecretString>) -> SecretSource {
        let text = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        let asked = self.asked.entry(what.to_owned()).or_default();
        if let Some((question, _)) = asked.iter().find(|(_, other)| text(other) == text(&known)) {
            return question.reference.clone();
        }
        let name = free(&mut self.names, what);
        let reference = match (&self.folder, &known) {
            (Some(folder), Some(_)) => SecretSource::File(folder.join(&name).display().to_string()),
            _ => SecretSource::Env(name),
        };
        let question = Question { reference: reference.clone(), what: what.to_owned(), is_known: known.is_some() };
        asked.push((question, known));
        reference
    }

    /// That the source itself names where a secret is.
    pub(crate) fn named(&mut self, what: &str, reference: SecretSource) -> SecretSource {
        let asked = self.asked.entry(what.to_owned()).or_default();
        if !asked.iter().any(|(question, _)| question.reference == reference) {
            if let SecretSource::Env(name) = &reference {
                self.names.insert(name.clone());
            }
            let question = Question { reference: reference.clone(), what: what.to_owned(), is_known: false };
            asked.push((question, None));
        }
        reference
    }

    /// What was asked, and the secrets that the source has.
    pub(crate) fn end(self) -> (Vec<Question>, Known) {
        let (mut questions, mut known) = (Vec::new(), Known::default());
        for (question, secret) in self.asked.into_values().flatten() {
            if let Some(secret) = secret {
                known.insert(&question.reference, secret);
            }
            questions.push(question);
        }
        (questions, known)
    }
}

/// A name of a variable that says what it is, and that nothing else has.
fn free(names: &mut BTreeSet<String>, what: &str) -> String {
    let mut name = String::new();
    for character in what.chars().take(NAME) {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => name.push(character.to_ascii_uppercase()),
            _ if name.is_empty() || name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    let base = name.trim_end_matches('_').to_owned();
    let mut name = base.clone();
    let mut number = 1_u32;
    while name.is_empty() || names.contains(&name) {
        number += 1;
        name = format!("{base}_{number}");
    }
    names.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_has_one_name_and_none_is_shown() {
        let mut questions = Questions::new(None);
        let what = "password of acme+pull at quay.io";
        let first = questions.ask(what, Some("hunter2".into()));
        assert_eq!(first, SecretSource::Env("PASSWORD_OF_ACME_PULL_AT_QUAY_IO".into()));
        assert_eq!(questions.ask(what, Some("hunter2".into())), first);
        let other = questions.ask(what, Some("hunter3".into()));
        assert_eq!(other, SecretSource::Env("PASSWORD_OF_ACME_PULL_AT_QUAY_IO_2".into()));
        let unknown = questions.ask("password of acme-pull at quay.io", None);
        assert_eq!(unknown, SecretSource::Env("PASSWORD_OF_ACME_PULL_AT_QUAY_IO_3".into()));
        assert!(!format!("{questions:?}").contains("hunter"));
        let (questions, known) = questions.end();
        assert_eq!(questions.iter().filter(|question| question.is_known).count(), 2);
        assert_eq!(known.get(&other).unwrap().expose_secret(), "hunter3");
        assert!(known.get(&unknown).is_none());
        let shown: Vec<_> = questions.iter().map(|it| format!("{it} {}", it.json())).collect();
        assert!(!shown.concat().contains("hunter"));
    }

    #[test]
    fn what_is_known_may_be_in_files() {
        let mut questions = Questions::new(Some(Path::new("secrets")));
        let file = SecretSource::File("secrets/TOKEN_OF_A_B".into());
        assert_eq!(questions.ask("token of a+b", Some("t".into())), file);
        assert_eq!(questions.ask("password of x", None), SecretSource::Env("PASSWORD_OF_X".into()));
        let named = SecretSource::Env("PASSWORD_OF_Y".into());
        assert_eq!(questions.named("password of y", named.clone()), named);
        assert_eq!(questions.ask("password of y!", None), SecretSource::Env("PASSWORD_OF_Y_2".into()));
    }
}
