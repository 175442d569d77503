//! The command line.
#![expect(clippy::doc_markdown, reason = "what is written here is the help, which is no Markdown")]

mod examples;
pub(crate) mod import;
pub(crate) mod people;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use moorage_domain::{Digest, RepositoryName, Timestamp};

use crate::{output::Output, target::Target};

/// Operates mirrors of container repositories: what is to be mirrored from a file, syncs, history, what is held, and what is
/// wrong.
///
/// All commands call the management API of one deployment: say where it is by MOORAGE_URL, and sign in by `moorage login`,
/// or give a token by MOORAGE_TOKEN or in a file. Exit codes: 0 done, 1 failed, 2 somebody should look (a plan has changes, a sync has held
/// something back), 64 the command line is wrong, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "moorage", version, max_term_width = 80, after_long_help = examples::ALL)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands take.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Where the deployment is, as https://HOST.
    #[arg(long, env = "MOORAGE_URL", value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// A file that has the token; without it MOORAGE_TOKEN has it, and without both the sign-in is taken. It is no
    /// argument: everybody on a machine can see those.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// For whom the output is.
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub(crate) output: Output,
    /// Sends the token over plain http, where everybody on the way can read it. To this machine it always does.
    #[arg(long, global = true)]
    pub(crate) allow_http: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says what would have to change so that everything is as documents declare it.
    #[command(after_long_help = examples::PLAN)]
    Plan(Declared),
    /// Makes everything as documents declare it.
    #[command(after_long_help = examples::APPLY)]
    Apply(Apply),
    /// Prints the JSON Schema of documents, by which editors complete them.
    Schema,
    /// Moves from another mirror: says what becomes of each entry of what it is told to do, and writes a document of it.
    #[command(after_long_help = examples::IMPORT)]
    Import(Box<import::Import>),
    /// Starts a sync.
    #[command(after_long_help = examples::SYNC)]
    Sync(Sync),
    /// Ends the sync that runs. What it has mirrored stays.
    Cancel {
        /// NAMESPACE/NAME of a repository, or NAME of an organization.
        target: Target,
    },
    /// Says what a sync would do, tag by tag. Nothing changes.
    #[command(after_long_help = examples::PREVIEW)]
    Preview(Preview),
    /// Lists mirrors, the runs of one, or what became of each tag in a run.
    #[command(after_long_help = examples::RUNS)]
    Runs(Runs),
    /// Lists what a run has changed, or all runs since one.
    #[command(after_long_help = examples::CHANGES)]
    Changes(Changes),
    /// Turns tags back to what they were, after it has said which.
    #[command(after_long_help = examples::ROLLBACK)]
    Rollback(Box<Rollback>),
    /// Has a mirror synced again that a rollback has paused.
    Resume {
        /// NAMESPACE/NAME of a repository, or NAME of an organization.
        target: Target,
    },
    /// Keeps what a run has left, so that it can be turned back to however long that is ago.
    #[command(after_long_help = examples::PIN)]
    Pin(Pin),
    /// Ends that: what only the pin keeps goes.
    Unpin(Unpin),
    /// Says what mirrors cost, by what their runs have counted and AWS's list prices.
    #[command(after_long_help = examples::COST)]
    Cost(Cost),
    /// Lists what waits at the gate, and lets it in.
    #[command(after_long_help = examples::HOLDS, subcommand)]
    Holds(Holds),
    /// Prints the usage log of a repository or an organization, the oldest entry first.
    #[command(after_long_help = examples::LOGS)]
    Logs(Logs),
    /// Prints the files by which nodes pull what is mirrored under its original name: containerd's hosts.toml, which is the same
    /// for all mirrors, and registries.conf of podman and CRI-O.
    #[command(after_long_help = examples::NODES)]
    Nodes(Nodes),
    /// Signs in at the company's provider: shows a URL and a code, and waits until you have confirmed it in a browser,
    /// on whatever device.
    #[command(after_long_help = examples::LOGIN)]
    Login,
    /// Forgets the sign-in.
    Logout,
    /// Says who the API takes you for, and what you may.
    #[command(after_long_help = examples::WHOAMI)]
    Whoami,
    /// Lists the people who have signed in, and ends what they may. For superusers.
    #[command(after_long_help = examples::USERS, subcommand)]
    Users(people::Users),
    /// Makes, lists and deletes your app tokens, which are the passwords that you pull with.
    #[command(after_long_help = examples::APP_TOKEN, subcommand)]
    AppToken(people::AppToken),
    /// Looks whether everything works: address, clock, sign-in or token, mirrors, and a mirror's registry.
    #[command(after_long_help = examples::DOCTOR)]
    Doctor {
        /// Also whether this mirror's registry can be asked.
        target: Option<Target>,
    },
    /// Prints what makes a shell complete the command line.
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

impl Command {
    /// What it is about, if that is one mirror.
    pub(crate) fn target(&self) -> Option<String> {
        match self {
            Self::Sync(Sync { target, .. })
            | Self::Cancel { target }
            | Self::Resume { target }
            | Self::Logs(Logs { target, .. }) => Some(target.to_string()),
            Self::Rollback(rollback) => Some(rollback.target.to_string()),
            Self::Cost(cost) => Some(cost.target.to_string()),
            Self::Preview(Preview { repository, .. })
            | Self::Changes(Changes { repository, .. })
            | Self::Pin(Pin { repository, .. })
            | Self::Unpin(Unpin { repository, .. })
            | Self::Holds(Holds::List { repository, .. } | Holds::Release { repository, .. }) => {
                Some(repository.to_string())
            }
            Self::Runs(runs) => runs.repository.as_ref().map(ToString::to_string),
            Self::Plan(_)
            | Self::Apply(_)
            | Self::Schema
            | Self::Import(_)
            | Self::Nodes(_)
            | Self::Login
            | Self::Logout
            | Self::Whoami
            | Self::Users(_)
            | Self::AppToken(_)
            | Self::Doctor { .. }
            | Self::Completions { .. } => None,
        }
    }
}

/// Documents, and how they are compared.
#[derive(Debug, Args)]
pub(crate) struct Declared {
    /// A document, or a directory of documents (.yaml, .yml, .json); - is the standard input.
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Also removes what is not declared in the organizations that are: mirrors (what they have mirrored stays, but for what only
    /// pins keep), robots,
    /// teams, roles and notifications. Never repositories or organizations.
    #[arg(long)]
    pub(crate) prune: bool,
    /// Sends all secrets again. Nobody can see whether they are still the same.
    #[arg(long)]
    pub(crate) rotate_secrets: bool,
}

/// `apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) declared: Declared,
    /// Does not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `sync`.
#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// NAMESPACE/NAME of a repository, or NAME of an organization.
    pub(crate) target: Target,
    /// Waits until it has ended, and exits by how: 0 it has succeeded, 1 it has failed, 2 it has held something back, 75 the
    /// time to wait was over.
    #[arg(short, long)]
    pub(crate) wait: bool,
    /// For how many seconds to wait; without an end without it. The sync goes on.
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    pub(crate) timeout: Option<u64>,
}

/// `preview`.
#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// The repository, NAMESPACE/NAME.
    pub(crate) repository: RepositoryName,
    /// With the settings that documents declare for it instead of its own. There need not be a mirror yet,
    /// but the repository has to be there.
    #[arg(short, long = "file", value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    /// Only tags with these actions, as copy, delete, wait.
    #[arg(long = "action", value_name = "ACTION")]
    pub(crate) actions: Vec<String>,
}

/// `runs`.
#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// The repository, NAMESPACE/NAME; all mirrors without it.
    pub(crate) repository: Option<RepositoryName>,
    /// One run of it, by its id; `last` is the last one.
    pub(crate) run: Option<String>,
    /// How many at most.
    #[arg(short, long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// `changes`.
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// The repository, NAMESPACE/NAME.
    pub(crate) repository: RepositoryName,
    /// The run, by its id; the last one without it.
    pub(crate) run: Option<String>,
    /// All that has changed after this run.
    #[arg(long, value_name = "RUN")]
    pub(crate) since: Option<String>,
}

/// `rollback`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(group = clap::ArgGroup::new("to").required(true))]
pub(crate) struct Rollback {
    /// NAMESPACE/NAME of a repository, or NAME of an organization.
    pub(crate) target: Target,
    /// To what the tags were when this run ended.
    #[arg(long, value_name = "RUN", group = "to")]
    pub(crate) run: Option<String>,
    /// To what they were at this moment, as 2026-01-31T23:59:59Z.
    #[arg(long, value_name = "TIME", group = "to", value_parser = moment)]
    pub(crate) at: Option<String>,
    /// Only tags that this glob matches; several times for several.
    #[arg(long = "tag", value_name = "GLOB")]
    pub(crate) tags: Vec<String>,
    /// Leaves the mirror's schedule on: the next sync undoes it. A mirror that is paused already stays so.
    #[arg(long)]
    pub(crate) no_pause: bool,
    /// When the pause ends by itself, as 2026-01-31T23:59:59Z.
    #[arg(long, value_name = "TIME", conflicts_with = "no_pause", value_parser = moment)]
    pub(crate) resume_at: Option<String>,
    /// Only says what would come of it.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Does not ask.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Waits until it has ended, and exits by how.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(crate) wait: bool,
}

/// A moment as the API has it.
pub(crate) fn moment(text: &str) -> Result<String, String> {
    match Timestamp::parse_iso(text) {
        Some(moment) => Ok(moment.iso()),
        None => Err("write it as 2026-01-31T23:59:59Z".to_owned()),
    }
}

/// `pin`.
#[derive(Debug, Args)]
pub(crate) struct Pin {
    /// The repository, NAMESPACE/NAME.
    pub(crate) repository: RepositoryName,
    /// The run, by its id; `last` is the last one.
    pub(crate) run: String,
    /// Why, for whoever sees the pin.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// `unpin`.
#[derive(Debug, Args)]
pub(crate) struct Unpin {
    /// The repository, NAMESPACE/NAME.
    pub(crate) repository: RepositoryName,
    /// The run, by its id; `last` is the last one.
    pub(crate) run: String,
    /// Does not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `cost`.
#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// NAMESPACE/NAME of a repository, or NAME of an organization.
    pub(crate) target: Target,
    /// How many of an organization's mirrors at most.
    #[arg(short, long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// `holds`.
#[derive(Debug, Subcommand)]
pub(crate) enum Holds {
    /// Lists the tags that wait, why, and until when.
    List {
        /// The repository, NAMESPACE/NAME.
        repository: RepositoryName,
        /// How many at most.
        #[arg(short, long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Lets in an image that waits for its age, or for its tag to move. A sync begins.
    Release {
        /// The repository, NAMESPACE/NAME.
        repository: RepositoryName,
        /// The image, as `holds list` shows it.
        digest: Digest,
        /// Why, for the usage log.
        #[arg(long)]
        reason: String,
    },
}

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// NAMESPACE/NAME of a repository, or NAME of an organization.
    pub(crate) target: Target,
    /// Goes on with what comes, until it is interrupted.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many entries at most.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// From this day on, as 2026-01-31; since yesterday without it.
    #[arg(long, value_name = "DAY")]
    pub(crate) since: Option<String>,
}

/// `nodes`.
#[derive(Debug, Args)]
pub(crate) struct Nodes {
    /// Only this file; both without it.
    #[arg(value_enum)]
    pub(crate) file: Option<NodeFile>,
    /// How many mirrors at most.
    #[arg(short, long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// A file of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NodeFile {
    /// containerd's.
    #[value(name = "hosts.toml")]
    Hosts,
    /// Podman's, CRI-O's and skopeo's.
    #[value(name = "registries.conf")]
    Registries,
}

#[cfg(test)]
mod tests;
