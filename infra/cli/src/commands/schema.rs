//! `schema`.

use crate::{context::Context, error::CliError, exit::Exit};

/// The schema of documents. A test holds it against the API's description and against the types that documents are read into.
const SCHEMA: &[u8] = include_bytes!("../../mirrors.schema.json");

pub(super) fn run(context: &Context) -> Result<Exit, CliError> {
    context.screen.raw(SCHEMA)?;
    Ok(Exit::Done)
}
