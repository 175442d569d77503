//! How far something is, on a line that is written over again.

use std::io::{self, IsTerminal as _, Write as _};

use crate::output::text::cut;

/// The bar, in characters.
const BAR: u64 = 24;

/// A line on the standard error, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
    is_drawn: bool,
}

impl Progress {
    /// None is drawn where nobody looks.
    pub(crate) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), is_drawn: false }
    }

    /// Draws it anew.
    pub(crate) fn show(&mut self, done: u64, total: u64, what: &str) {
        if !self.is_shown {
            return;
        }
        let line = cut(&format!("{} {what}", bar(done, total)), 78);
        let _ = write!(io::stderr(), "\r\u{1b}[2K{line}");
        let _ = io::stderr().flush();
        self.is_drawn = true;
    }

    /// Takes it away, so that something else can be written.
    pub(crate) fn clear(&mut self) {
        if self.is_drawn {
            let _ = write!(io::stderr(), "\r\u{1b}[2K");
            let _ = io::stderr().flush();
            self.is_drawn = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(done: u64, total: u64) -> String {
    let full = done.min(total).saturating_mul(BAR).checked_div(total).unwrap_or(0);
    let (full, left) = (usize::try_from(full).unwrap_or(0), usize::try_from(BAR - full).unwrap_or(0));
    format!("[{}{}]", "#".repeat(full), ".".repeat(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_it_is() {
        assert_eq!(bar(0, 0), format!("[{}]", ".".repeat(24)));
        assert_eq!(bar(1, 2), format!("[{}{}]", "#".repeat(12), ".".repeat(12)));
        assert_eq!(bar(9, 2), format!("[{}]", "#".repeat(24)));
        assert_eq!(bar(u64::MAX, u64::MAX).len(), 26);
    }
}
