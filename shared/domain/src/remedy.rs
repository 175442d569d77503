//! What can be done about a run that failed: in the same words wherever it is told.

use serde::{Deserialize, Serialize};

use crate::{FailureReason, Warning};

/// Why a run failed, as far as it matters for what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// The class of the failure.
    pub reason: FailureReason,
    /// Whether it failed single tags.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_tags: bool,
    /// What the registry was not told of who asks, if that is why it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<Warning>,
}

impl Remedy {
    /// Of a failure of a run that failed so many tags, with this warning.
    pub fn new(reason: FailureReason, tags_failed: u64, warning: Option<Warning>) -> Self {
        // A registry that refuses access was not told who asks: that is what to look at first.
        let is_why = |warning: &Warning| reason == FailureReason::AuthFailed && warning.is_about_credentials();
        Self { reason, of_tags: tags_failed > 0, untold: warning.filter(is_why) }
    }

    /// For people who look at the mirror of a repository.
    pub fn advice(self) -> String {
        match self.untold {
            Some(warning) => warning.message(),
            None if self.of_tags => self.reason.advice_for_tag().to_owned(),
            None => self.reason.advice().to_owned(),
        }
    }

    /// For people who look at the mirror of an organization.
    pub fn advice_for_organization(self) -> String {
        self.untold.map_or_else(|| self.reason.advice_for_organization().to_owned(), Warning::message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dropped;

    #[test]
    fn what_failed_says_what_to_do() {
        let dropped = Dropped { external_registry_password: true, ..Dropped::default() }.warning();
        let (refused, gone) = (FailureReason::AuthFailed, FailureReason::NotFound);
        for (remedy, advice) in [
            (Remedy::new(gone, 0, dropped), gone.advice().to_owned()),
            (Remedy::new(gone, 2, None), gone.advice_for_tag().to_owned()),
            (Remedy::new(refused, 0, None), refused.advice().to_owned()),
            (Remedy::new(refused, 2, Some(Warning::ListEmpty { tags: 1 })), refused.advice_for_tag().to_owned()),
            (Remedy::new(refused, 2, dropped), dropped.unwrap().message()),
        ] {
            assert_eq!(remedy.advice(), advice, "{remedy:?}");
            let stored = serde_json::to_value(remedy).unwrap();
            assert_eq!(serde_json::from_value::<Remedy>(stored).unwrap(), remedy);
        }
        assert!(Remedy::new(refused, 1, None).advice().contains("exclude the tag"), "a tag alone may be refused");
        assert!(!Remedy::new(refused, 0, None).advice().contains("tag"));
        let of_organization = Remedy::new(gone, 0, None).advice_for_organization();
        assert!(of_organization.contains("external_namespace") && !of_organization.contains("external_reference"));
        assert_eq!(Remedy::new(refused, 0, dropped).advice_for_organization(), dropped.unwrap().message());
    }
}
