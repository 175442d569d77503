//! The command line of `import`.
#![allow(clippy::doc_markdown, reason = "the texts are shown on a terminal, where marks are noise")]

use std::path::PathBuf;

use clap::{Args, Subcommand};
use moorage_domain::Namespace;

use crate::{arguments::examples, import::renames::Rename};

/// `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) source: Source,
}

/// From where.
#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    /// A Quay, by its API: organizations with robots (and their tokens), teams, repositories, mirrors, roles and
    /// notifications.
    #[command(after_long_help = examples::IMPORT_QUAY)]
    Quay {
        /// Where it is, as https://HOST.
        #[arg(long, value_name = "URL")]
        from: String,
        /// A file that has an OAuth token of it, with the scopes org:admin, repo:admin and user:read.
        #[arg(long, value_name = "FILE")]
        from_token_file: PathBuf,
        /// Sends that token over plain http.
        #[arg(long = "from-allow-http")]
        allow_http: bool,
        /// An organization; several times for several.
        #[arg(long = "organization", value_name = "NAME", required = true)]
        organizations: Vec<Namespace>,
        #[command(flatten)]
        how: How,
    },
    /// A file of regsync's.
    Regsync {
        /// The file; - is the standard input.
        file: PathBuf,
        /// The organization of targets that have none.
        #[arg(long, value_name = "NAME")]
        organization: Option<Namespace>,
        #[command(flatten)]
        how: How,
    },
    /// A file of `skopeo sync --src yaml`.
    #[command(name = "skopeo-sync")]
    Skopeo {
        /// The file; - is the standard input.
        file: PathBuf,
        /// The organization that images go to.
        #[arg(long, value_name = "NAME", required = true)]
        organization: Option<Namespace>,
        /// Keeps whole names, as skopeo does with --scoped.
        #[arg(long)]
        scoped: bool,
        #[command(flatten)]
        how: How,
    },
    /// Files of image-syncer's.
    ImageSyncer {
        /// The file of images, or the one that has both; - is the standard input.
        file: PathBuf,
        /// The file of logins.
        #[arg(long, value_name = "FILE")]
        auth: Option<PathBuf>,
        /// The organization of targets that have none.
        #[arg(long, value_name = "NAME")]
        organization: Option<Namespace>,
        #[command(flatten)]
        how: How,
    },
    /// Replication rules of Harbor's, as GET /api/v2.0/replication/policies answers them.
    Harbor {
        /// The file; - is the standard input.
        file: PathBuf,
        /// The organization of targets that have none.
        #[arg(long, value_name = "NAME")]
        organization: Option<Namespace>,
        #[command(flatten)]
        how: How,
    },
}

/// What all sources take.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct How {
    /// Writes the document there.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Writes secrets that the source has into files in this directory, which the document names. Without it, it names
    /// variables.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) secrets: Option<PathBuf>,
    /// Makes it so in the deployment, as `apply` does.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Does not ask.
    #[arg(short, long, requires = "apply")]
    pub(crate) yes: bool,
    /// Has mirrors on that are on in the source. Without it none is on until you say so.
    #[arg(long)]
    pub(crate) enable: bool,
    /// Gives robots that are there already the source's tokens, and sends all passwords again.
    #[arg(long, requires = "apply")]
    pub(crate) rotate_secrets: bool,
    /// An organization that is to have another name; several times for several.
    #[arg(long = "rename", value_name = "OLD=NEW")]
    pub(crate) renames: Vec<Rename>,
    /// The short name of the robots that write, where the source says none.
    #[arg(long, value_name = "NAME", default_value = "mirror")]
    pub(crate) robot: String,
    /// Over how many seconds starts are spread that the source has at the same time.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    pub(crate) spread: u64,
}

impl Source {
    /// What it is called.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Quay { .. } => "quay",
            Self::Regsync { .. } => "regsync",
            Self::Skopeo { .. } => "skopeo-sync",
            Self::ImageSyncer { .. } => "image-syncer",
            Self::Harbor { .. } => "harbor",
        }
    }

    /// How it is imported.
    pub(crate) const fn how(&self) -> &How {
        match self {
            Self::Quay { how, .. }
            | Self::Regsync { how, .. }
            | Self::Skopeo { how, .. }
            | Self::ImageSyncer { how, .. }
            | Self::Harbor { how, .. } => how,
        }
    }
}
