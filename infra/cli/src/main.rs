//! `moorage`: one command for whoever operates a deployment. See the README.

mod agent;
mod arguments;
mod clock;
mod commands;
mod context;
mod documents;
mod error;
mod exit;
mod import;
mod output;
mod plan;
mod secrets;
mod session;
mod target;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;

use crate::{arguments::Arguments, context::Context, error::CliError, exit::Exit, output::note};

/// For how long what still runs in the background may hold up the end: nothing that counts does.
const END: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            note(error.render().to_string().trim_end());
            return Exit::Usage.into();
        }
        Err(help) => {
            // Who has closed the output does not want to read it.
            let _ = help.print();
            return Exit::Done.into();
        }
    };
    match run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => {
            if error.exit() != Exit::Done {
                note(&format!("moorage: {error}."));
                if let Some(advice) = error.advice() {
                    note(advice);
                }
            }
            error.exit().into()
        }
    }
}

fn run(arguments: Arguments) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let context = Context::new(arguments.settings);
    let exit = runtime.block_on(commands::run(arguments.command, &context));
    runtime.shutdown_timeout(END);
    exit
}
