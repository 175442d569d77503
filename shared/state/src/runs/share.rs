//! What a namespace may do at once, and shares among its repositories.

/// What there are slots for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Syncs.
    Syncs,
    /// Previews, and whatever else asks a registry while somebody waits.
    Previews,
}

impl Share {
    /// The name in keys.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Syncs => "syncs",
            Self::Previews => "previews",
        }
    }
}
