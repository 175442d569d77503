//! Every state that the steps of a model lead to.

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
};

/// A state of everything that a model has.
pub(crate) trait World: Copy + Eq + Hash {
    /// What may be left out.
    type Without: Copy;

    /// Every state that one step of somebody leads to. Whoever stops for ever simply takes no more steps.
    fn next(self, without: Self::Without) -> Vec<Self>;

    /// Whether what may never be is.
    fn is_broken(self) -> bool;
}

/// How many states there are, and whether one of them is broken: then nobody looks further.
pub(crate) fn explore<W: World>(starts: impl IntoIterator<Item = W>, without: W::Without) -> (usize, bool) {
    let (mut seen, mut open) = (HashSet::new(), VecDeque::from_iter(starts));
    while let Some(world) = open.pop_front() {
        if world.is_broken() {
            return (seen.len(), true);
        }
        if seen.insert(world) {
            open.extend(world.next(without));
        }
    }
    (seen.len(), false)
}
