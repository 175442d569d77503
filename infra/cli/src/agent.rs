//! Who asks, for whoever is asked.

/// The name and the release of this command.
pub(crate) const AGENT: &str = concat!("moorage-cli/", env!("CARGO_PKG_VERSION"));
