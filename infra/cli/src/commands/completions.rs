//! `completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{arguments::Arguments, context::Context, error::CliError, exit::Exit};

pub(super) fn run(shell: Shell, context: &Context) -> Result<Exit, CliError> {
    let (mut command, mut script) = (Arguments::command(), Vec::new());
    clap_complete::generate(shell, &mut command, "moorage", &mut script);
    context.screen.raw(&script)?;
    Ok(Exit::Done)
}
