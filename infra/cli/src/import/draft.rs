//! What an import makes: entries of the report, elements of the document, questions.

use std::path::Path;

use moorage_declaration::{Declaration, DeclarationError, Element, Robot};
use moorage_domain::RobotName;

use crate::{
    import::{
        questions::Questions,
        report::{Entry, Report},
    },
    secrets::Known,
};

/// What is made.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// What became of the source's entries.
    pub(crate) entries: Vec<Entry>,
    /// What is declared.
    pub(crate) elements: Vec<Element>,
    /// What holds for all of it.
    pub(crate) notes: Vec<&'static str>,
    /// Its secrets.
    pub(crate) questions: Questions,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Import {
    /// What became of the source.
    pub(crate) report: Report,
    /// What is declared.
    pub(crate) declaration: Declaration,
    /// The secrets that the source has.
    pub(crate) known: Known,
}

impl Draft {
    pub(crate) fn new(secrets: Option<&Path>) -> Self {
        Self { questions: Questions::new(secrets), ..Self::default() }
    }

    /// An entry.
    pub(crate) fn entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// An entry and what it has become.
    pub(crate) fn element(&mut self, entry: Entry, element: Element) {
        self.entries.push(entry.becomes(&element.key()));
        self.elements.push(element);
    }

    /// A robot, unless there is one of that name.
    pub(crate) fn robot(&mut self, name: &RobotName) {
        let is_it = |element: &Element| matches!(element, Element::Robot(other, _) if other == name);
        if !self.elements.iter().any(is_it) {
            self.elements.push(Element::Robot(name.clone(), Robot::default()));
        }
    }

    /// All of it, of this tool.
    pub(crate) fn end(self, source: &'static str) -> Result<Import, DeclarationError> {
        let (questions, known) = self.questions.end();
        let report = Report { source, entries: self.entries, notes: self.notes.into_iter().collect(), questions };
        Ok(Import { report, declaration: Declaration::new(self.elements)?, known })
    }
}
