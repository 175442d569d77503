//! What is of people.

use clap::Subcommand;
use moorage_domain::UserName;

use super::moment;

/// `users`.
#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Lists those who have signed in.
    List {
        /// How many at most.
        #[arg(short, long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Lets a user in no more. What the user may is kept.
    Disable {
        /// The user.
        user: UserName,
    },
    /// Lets a disabled user in again.
    Enable {
        /// The user.
        user: UserName,
    },
    /// Deletes a user, with roles, memberships and tokens. Whoever signs in with the name next is somebody new.
    Delete {
        /// The user.
        user: UserName,
        /// Does not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

/// `app-token`.
#[derive(Debug, Subcommand)]
pub(crate) enum AppToken {
    /// Makes one, and prints it.
    Create {
        /// What it is for.
        title: String,
        /// When it ends, as 2026-01-31T23:59:59Z.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        expires: Option<String>,
    },
    /// Lists them.
    List,
    /// Deletes one: whoever has it pulls with it no more.
    Delete {
        /// Its id, as `app-token list` shows it.
        uuid: String,
    },
}
