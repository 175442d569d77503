#![doc = include_str!("../README.md")]

pub mod architecture;
pub mod cause;
pub mod checkpoint;
pub mod collection;
pub mod condemned;
pub mod digest;
pub mod discovery;
pub mod failure;
pub mod fnmatch;
pub mod generation;
pub mod grid;
pub mod guard;
pub mod history;
pub mod lock;
pub mod manifest;
pub mod media_type;
pub mod mirror;
pub mod name;
pub mod organization;
pub mod pace;
pub mod plan;
pub mod preview;
pub mod proven;
pub mod proxy;
pub mod rate_limit;
pub mod reference;
pub mod referrers;
pub mod rule;
pub mod run;
pub mod share;
pub mod status;
pub mod task;
pub mod timestamp;
pub mod token_realm;
pub mod usage_log;
pub mod warning;

pub use checkpoint::Checkpoint;
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use failure::FailureReason;
pub use generation::Generation;
pub use guard::{Guard, GuardError};
pub use history::PastTag;
pub use media_type::MediaType;
pub use name::{NameError, Namespace, RepositoryName, RobotName, TagName, TeamName};
pub use proven::{Owner, Proven, TrustDomain};
pub use proxy::ProxyUrl;
pub use rate_limit::RateLimit;
pub use reference::{ExternalReference, ReferenceError};
pub use rule::RootRule;
pub use timestamp::Timestamp;
pub use token_realm::TokenRealm;
pub use warning::{Dropped, Warning};

/// Passwords and tokens: never printed, wiped when dropped.
pub use secrecy::{ExposeSecret, SecretString};
