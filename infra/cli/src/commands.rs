//! The commands.

mod app_token;
mod apply;
mod cancel;
mod changes;
mod completions;
mod cost;
mod doctor;
mod holds;
mod import;
mod login;
mod logout;
mod logs;
mod may;
mod nodes;
mod pin;
mod preview;
mod rollback;
mod runs;
mod schema;
mod sync;
mod users;
mod wait;
mod whoami;

use crate::{arguments::Command, context::Context, error::CliError, exit::Exit};

/// Runs one.
pub(crate) async fn run(command: Command, context: &Context) -> Result<Exit, CliError> {
    let target = command.target();
    let ran = Box::pin(one(command, context)).await;
    let ran = ran.map_err(|error| error.about(target.as_deref()));
    // Without a token it is somebody's sign-in that was not taken.
    ran.map_err(|error| if matches!(context.token(), Ok(None)) { error.of_sign_in() } else { error })
}

async fn one(command: Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Plan(declared) => Box::pin(apply::plan(&declared, context)).await,
        Command::Apply(apply) => Box::pin(apply::run(&apply, context)).await,
        Command::Schema => schema::run(context),
        Command::Import(import) => Box::pin(import::run(&import, context)).await,
        Command::Sync(sync) => Box::pin(sync::run(&sync, context)).await,
        Command::Cancel { target } => cancel::cancel(&target, context).await,
        Command::Preview(preview) => Box::pin(preview::run(&preview, context)).await,
        Command::Runs(runs) => Box::pin(runs::run(&runs, context)).await,
        Command::Changes(changes) => Box::pin(changes::run(&changes, context)).await,
        Command::Rollback(rollback) => Box::pin(rollback::run(&rollback, context)).await,
        Command::Resume { target } => cancel::resume(&target, context).await,
        Command::Pin(pin) => Box::pin(pin::pin(&pin, context)).await,
        Command::Unpin(unpin) => Box::pin(pin::unpin(&unpin, context)).await,
        Command::Cost(cost) => Box::pin(cost::run(&cost, context)).await,
        Command::Holds(holds) => Box::pin(holds::run(&holds, context)).await,
        Command::Logs(logs) => Box::pin(logs::run(&logs, context)).await,
        Command::Nodes(nodes) => nodes::run(&nodes, context).await,
        Command::Login => Box::pin(login::run(context)).await,
        Command::Logout => logout::run(context).await,
        Command::Whoami => whoami::run(context).await,
        Command::Users(users) => users::run(&users, context).await,
        Command::AppToken(asked) => app_token::run(&asked, context).await,
        Command::Doctor { target } => Box::pin(doctor::run(target.as_ref(), context)).await,
        Command::Completions { shell } => completions::run(shell, context),
    }
}
