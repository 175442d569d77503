//! What is shown: lines and tables that fit for people, JSON for scripts.

mod confirm;
mod format;
mod progress;
mod table;
mod text;
mod words;

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::Value;

pub(crate) use confirm::confirm;
pub(crate) use format::{age, bytes, clock, count, day_and_time, duration, short};
pub(crate) use progress::Progress;
pub(crate) use table::Table;
pub(crate) use text::{clean, cut, wrap};
pub(crate) use words::words;

use crate::error::CliError;

/// The width that is taken where a terminal does not say its own.
const WIDTH: usize = 80;
/// Less is not made fit for.
const LEAST: usize = 40;

/// For whom the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people: lines and tables.
    Text,
    /// For scripts: one JSON document (of what is followed, one on each line).
    Json,
}

/// Where the output goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    output: Output,
    width: Option<usize>,
}

impl Screen {
    /// The standard output: as wide as COLUMNS says, or the terminal; what goes into a pipe is not cut.
    pub(crate) fn new(output: Output) -> Self {
        let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse::<usize>().ok());
        let terminal = || io::stdout().is_terminal().then(|| terminal_width().unwrap_or(WIDTH));
        Self { output, width: said.filter(|width| *width > 0).or_else(terminal).map(|width| width.max(LEAST)) }
    }

    /// Whether it is for scripts.
    pub(crate) fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// A line, wrapped at words.
    pub(crate) fn line(self, text: &str) -> Result<(), CliError> {
        self.indented(text, 0)
    }

    /// The same, with blanks before each of its lines.
    pub(crate) fn indented(self, text: &str, indent: usize) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        for line in wrap(&clean(text), self.width.unwrap_or(usize::MAX), indent) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// A table.
    pub(crate) fn table(self, table: &Table) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        for line in table.lines(self.width) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// A JSON document.
    #[expect(clippy::unused_self, reason = "there is one way to the output, whatever goes there")]
    pub(crate) fn json(self, value: &Value) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{value:#}")?;
        Ok(())
    }

    /// A JSON document on one line, which is seen at once.
    #[expect(clippy::unused_self, reason = "there is one way to the output, whatever goes there")]
    pub(crate) fn json_line(self, value: &Value) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{value}")?;
        Ok(out.flush()?)
    }

    /// A text as it is, as that of a file.
    #[expect(clippy::unused_self, reason = "there is one way to the output, whatever goes there")]
    pub(crate) fn raw(self, text: &[u8]) -> Result<(), CliError> {
        Ok(io::stdout().lock().write_all(text)?)
    }
}

/// A word to whoever looks on, which is no part of the output.
pub(crate) fn note(text: &str) {
    let width = terminal_width_of_notes();
    for line in wrap(&clean(text), width, 0) {
        // There is nobody to tell that it cannot be said.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// A line to whoever looks on, which is to be copied: it is not wrapped.
pub(crate) fn note_whole(text: &str) {
    let _ = writeln!(io::stderr(), "{}", clean(text).replace('\n', " "));
}

fn terminal_width_of_notes() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse::<usize>().ok()).filter(|width| *width > 0);
    said.or_else(terminal_width).unwrap_or(WIDTH).max(LEAST)
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}
