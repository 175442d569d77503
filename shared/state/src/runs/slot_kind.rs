//! The kinds of slots: what a namespace may have so many of at once.

/// What there are slots for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// Syncs.
    Syncs,
    /// Previews, and whatever else asks a registry while somebody waits.
    Previews,
}

impl SlotKind {
    /// The name in keys.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Syncs => "syncs",
            Self::Previews => "previews",
        }
    }
}
