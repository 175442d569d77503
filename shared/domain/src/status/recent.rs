//! How the last runs of a mirror ended.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::run::RunStatus;

/// How many runs are remembered: what a picture of them shows at a glance, a month of daily ones.
const MOST: usize = 30;

/// How the last runs of a mirror ended, the oldest first, at most thirty. Stored as a letter for each: it is written with
/// every state, and read of a thousand mirrors at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct RecentRuns(VecDeque<RunStatus>);

impl RecentRuns {
    /// With one more that has ended; the oldest is forgotten if there are too many.
    #[must_use]
    pub fn and(mut self, ended: RunStatus) -> Self {
        self.0.push_back(ended);
        while self.0.len() > MOST {
            self.0.pop_front();
        }
        self
    }

    /// They, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = RunStatus> {
        self.0.iter().copied()
    }
}

/// The ways to end, and their letters.
const LETTERS: [(RunStatus, char); 3] = [(RunStatus::Success, 'S'), (RunStatus::Fail, 'F'), (RunStatus::Cancel, 'C')];

impl From<RecentRuns> for String {
    fn from(runs: RecentRuns) -> Self {
        let letter = |run| LETTERS.into_iter().find(|(known, _)| *known == run).map(|(_, letter)| letter);
        runs.iter().filter_map(letter).collect()
    }
}

impl From<String> for RecentRuns {
    /// Letters that are not known are passed over: a later build may have more.
    fn from(letters: String) -> Self {
        let run = |letter| LETTERS.into_iter().find(|(_, known)| *known == letter).map(|(run, _)| run);
        letters.chars().filter_map(run).fold(Self::default(), Self::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thirty_are_remembered() {
        let many = (0..40).fold(RecentRuns::default(), |runs, number| {
            runs.and(if number == 39 { RunStatus::Fail } else { RunStatus::Success })
        });
        let letters = String::from(many.clone());
        assert_eq!(letters, format!("{}F", "S".repeat(29)));
        assert_eq!(RecentRuns::from(letters), many);
        assert_eq!(
            RecentRuns::from("SxCF".to_owned()).iter().collect::<Vec<_>>(),
            [RunStatus::Success, RunStatus::Cancel, RunStatus::Fail]
        );
        assert_eq!(RecentRuns::from("C".repeat(99)).iter().count(), MOST);
    }

    #[test]
    fn one_that_runs_has_not_ended() {
        assert_eq!(String::from(RecentRuns::default().and(RunStatus::Syncing)), "");
    }
}
