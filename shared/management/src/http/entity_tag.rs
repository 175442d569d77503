//! Entity tags of configurations: so that whoever changes one can say which one they have seen.

use moorage_domain::Timestamp;

use crate::http::{call::Call, error::ApiError};

/// The tag of a configuration, by its revision. Revisions begin anew with a mirror, so that it says which one that is, too.
pub(crate) fn entity_tag(created: Timestamp, revision: u64) -> String {
    format!("\"{}-{revision}\"", created.unix())
}

/// Fails if the call is meant for another configuration than that of this tag: `If-Match` names none like it. Without
/// `If-Match` it is meant for any.
pub(crate) fn expect(call: &Call, tag: &str) -> Result<(), ApiError> {
    match &call.if_match {
        Some(expected) if !names(expected, tag) => Err(ApiError::Changed),
        _ => Ok(()),
    }
}

/// Whether a list of tags has this one. Our tags have no commas; and weak ones are never taken for it, as HTTP wants it.
fn names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_seen_it_changes_it() {
        let tag = entity_tag(Timestamp::from_unix(1_790_000_000), 7);
        assert_eq!(tag, "\"1790000000-7\"");
        let is_meant =
            |list: Option<&str>| expect(&Call { if_match: list.map(str::to_owned), ..Call::default() }, &tag).is_ok();
        for list in [None, Some("*"), Some("\"1790000000-7\""), Some("\"x\" , \"1790000000-7\"")] {
            assert!(is_meant(list), "{list:?}");
        }
        for list in ["", "\"1790000000-6\"", "1790000000-7", "W/\"1790000000-7\"", "\"1789999999-7\""] {
            assert!(!is_meant(Some(list)), "{list}");
        }
    }
}
