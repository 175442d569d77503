//! Until when one who has a right for a while may change anything by it.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::Timestamp;

/// The moment at which a right ends, unless it is put off; known to all who write by the right. What changes anything is
/// held against it when it is sent, and so is each repetition: what a process is about to repeat that was frozen for
/// minutes, and goes on as if nothing had happened, is not sent any more.
#[derive(Debug, Clone)]
pub struct Fence(Arc<AtomicI64>);

/// The right to a change had ended before it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the right to change this has ended")]
pub struct Closed;

impl Fence {
    /// A right that ends at a moment.
    pub fn until(moment: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(moment.unix())))
    }

    /// Has the right end later, or earlier.
    pub fn put_off(&self, moment: Timestamp) {
        self.0.store(moment.unix(), Ordering::Relaxed);
    }

    /// Fails if the right has ended.
    pub fn pass(&self, now: Timestamp) -> Result<(), Closed> {
        if now.unix() < self.0.load(Ordering::Relaxed) { Ok(()) } else { Err(Closed) }
    }
}

impl Closed {
    /// Whether this is why something failed.
    pub fn caused(error: &(dyn Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<Self>() {
                return true;
            }
            next = error.source();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it was not sent")]
    struct NotSent(#[source] Closed);

    #[test]
    fn a_right_ends_for_all_who_write_by_it() {
        let at = Timestamp::from_unix;
        let fence = Fence::until(at(60));
        let other = fence.clone();
        assert_eq!((other.pass(at(59)), other.pass(at(60))), (Ok(()), Err(Closed)));
        fence.put_off(at(75));
        assert_eq!((other.pass(at(74)), other.pass(at(75))), (Ok(()), Err(Closed)));
        assert!(Closed::caused(&NotSent(Closed)));
        assert!(!Closed::caused(&std::io::Error::other("another")));
    }
}
