//! Whether somebody wants it.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::{error::CliError, output::text::clean};

/// Asks for a word to be typed, unless it was confirmed before. Where nobody can be asked, nothing is done.
pub(crate) fn confirm(is_confirmed: bool, question: &str, word: &str) -> Result<(), CliError> {
    if is_confirmed {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(CliError::Unconfirmed("nobody could be asked"));
    }
    write!(io::stderr(), "{} Type {word} to go on: ", clean(question))?;
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.trim() == word { Ok(()) } else { Err(CliError::Unconfirmed("it was not confirmed")) }
}
