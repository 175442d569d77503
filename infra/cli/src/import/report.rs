//! What became of everything that a source has.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::import::questions::Question;

/// What became of one entry of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It means the same here.
    #[default]
    Imported,
    /// It is here, and means something else: what, is said.
    Changed,
    /// It is not here: why, is said.
    Impossible,
}

impl Outcome {
    /// All of them, the best first.
    pub(crate) const ALL: [Self; 3] = [Self::Imported, Self::Changed, Self::Impossible];

    /// A word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Changed => "changed",
            Self::Impossible => "impossible",
        }
    }
}

/// One entry of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it is in the source: a path in its document, or of its API.
    pub(crate) at: String,
    /// What it is.
    pub(crate) what: String,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// What is worth knowing of that: how its meaning has changed, or why it is not possible.
    pub(crate) why: Vec<String>,
    /// What it has become: the elements of the document, by their keys.
    pub(crate) elements: Vec<String>,
}

impl Entry {
    /// One that means the same, until something else is said of it.
    pub(crate) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        let (why, elements) = (Vec::new(), Vec::new());
        Self { at: at.into(), what: what.into(), outcome: Outcome::Imported, why, elements }
    }

    /// That it has become this.
    #[must_use]
    pub(crate) fn becomes(mut self, element: &impl ToString) -> Self {
        self.elements.push(element.to_string());
        self
    }

    /// Something that is worth knowing and changes nothing.
    #[must_use]
    pub(crate) fn note(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// That its meaning has changed.
    #[must_use]
    pub(crate) fn changed(mut self, how: impl Into<String>) -> Self {
        self.outcome = self.outcome.max(Outcome::Changed);
        self.note(how)
    }

    /// The same for each of several.
    #[must_use]
    pub(crate) fn all_changed(self, how: impl IntoIterator<Item = String>) -> Self {
        how.into_iter().fold(self, Self::changed)
    }

    /// That it is not possible.
    #[must_use]
    pub(crate) fn impossible(mut self, why: impl Into<String>) -> Self {
        self.outcome = Outcome::Impossible;
        self.note(why)
    }

    fn json(&self) -> Value {
        json!({
            "at": self.at, "what": self.what, "outcome": self.outcome.as_str(), "why": self.why, "elements": self.elements,
        })
    }
}

/// What became of a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// Which tool's it is.
    pub(crate) source: &'static str,
    /// Its entries, in its order.
    pub(crate) entries: Vec<Entry>,
    /// What holds for everything that comes from this tool.
    pub(crate) notes: BTreeSet<&'static str>,
    /// What somebody has to say before it can be applied.
    pub(crate) questions: Vec<Question>,
}

impl Report {
    /// How many entries have this outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.entries.iter().filter(|entry| entry.outcome == outcome).count()
    }

    /// Whether everything means the same here.
    pub(crate) fn is_exact(&self) -> bool {
        self.count(Outcome::Imported) == self.entries.len()
    }

    /// For scripts. The names stay as they are.
    pub(crate) fn json(&self) -> Value {
        let counts = Outcome::ALL.map(|outcome| (outcome.as_str().to_owned(), self.count(outcome).into()));
        json!({
            "source": self.source,
            "entries": self.entries.iter().map(Entry::json).collect::<Vec<_>>(),
            "notes": self.notes,
            "questions": self.questions.iter().map(Question::json).collect::<Vec<_>>(),
            "counts": serde_json::Map::from_iter(counts),
        })
    }

    /// For people, line by line: each with how far it is indented.
    pub(crate) fn lines(&self) -> Vec<(usize, String)> {
        let mut lines = Vec::new();
        for entry in &self.entries {
            lines.push((0, format!("{:<10} {}: {}", entry.outcome.as_str(), entry.at, entry.what)));
            lines.extend(entry.why.iter().map(|why| (4, why.clone())));
        }
        if !self.notes.is_empty() {
            lines.push((0, "Of everything:".to_owned()));
            lines.extend(self.notes.iter().map(|note| (4, format!("- {note}"))));
        }
        if !self.questions.is_empty() {
            lines.push((0, "Secrets that the document names:".to_owned()));
            lines.extend(self.questions.iter().map(|question| (4, format!("- {question}"))));
        }
        let counts = Outcome::ALL.map(|outcome| format!("{} {}", self.count(outcome), outcome.as_str()));
        lines.push((0, format!("{}.", counts.join(", "))));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_as_bad_as_the_worst_that_is_said_of_it() {
        let entry = Entry::new("sync[0]", "a to b").note("fine").becomes(&"mirror a/b");
        assert_eq!(entry.outcome, Outcome::Imported);
        let entry = entry.changed("wider");
        assert_eq!(entry.outcome, Outcome::Changed);
        let entry = entry.impossible("never").changed("wider still");
        assert_eq!((entry.outcome, entry.why.len()), (Outcome::Impossible, 4));
        let report = Report { source: "x", entries: vec![entry, Entry::new("y", "z")], ..Report::default() };
        assert!(!report.is_exact());
        assert_eq!(report.json()["counts"], json!({"imported": 1, "changed": 0, "impossible": 1}));
        assert_eq!(report.lines().last().unwrap().1, "1 imported, 0 changed, 1 impossible.");
    }
}
