//! The settings of a mirror that Quay does not have, be it a repository's or an organization's: how they are read,
//! applied, logged and shown.

use moorage_domain::{
    DigestListing, FieldError, Selection,
    gate::{MinAge, OnMove},
    mirror::SyncPolicy,
    signature_policy::SignaturePolicy,
};
use serde_json::{Value, json};

use crate::http::{
    error::ApiError,
    field::{Fields, set},
};

/// The settings that a body gives; `None` where it does not. Null resets to the default.
#[derive(Debug, Default)]
pub(crate) struct SentPolicy {
    pub(crate) deletion_limit: Option<Option<u64>>,
    deletion_grace: Option<Option<u64>>,
    rate_limit_floor: Option<Option<u64>>,
    digest_listing: Option<DigestListing>,
    pub(crate) selection: Option<Option<Selection>>,
    pub(crate) min_age: Option<Option<MinAge>>,
    pub(crate) on_move: Option<Option<OnMove>>,
    pub(crate) signature_policy: Option<Option<SignaturePolicy>>,
}

impl SentPolicy {
    /// Reads the settings of a body.
    pub(crate) fn parse(fields: Fields<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            deletion_limit: fields.nullable_integer("deletion_limit", 0)?,
            deletion_grace: fields.nullable_integer("deletion_grace", 0)?,
            rate_limit_floor: fields.nullable_integer("rate_limit_floor", 0)?,
            digest_listing: digest_listing(fields)?,
            selection: parsed(fields, "selection", Selection::parse)?,
            min_age: parsed(fields, "min_age", |given| MinAge::parse(&given))?,
            on_move: parsed(fields, "on_move", OnMove::parse)?,
            signature_policy: parsed(fields, "signature_policy", SignaturePolicy::parse)?,
        })
    }

    /// Changes `policy` to what the body gives.
    pub(crate) fn apply(&self, policy: &mut SyncPolicy) {
        set(&mut policy.deletion_limit, self.deletion_limit.as_ref());
        set(&mut policy.deletion_grace, self.deletion_grace.as_ref());
        set(&mut policy.rate_limit_floor, self.rate_limit_floor.as_ref());
        set(&mut policy.digest_listing, self.digest_listing.as_ref());
        set(&mut policy.gate.selection, self.selection.as_ref());
        set(&mut policy.gate.min_age, self.min_age.as_ref());
        set(&mut policy.gate.on_move, self.on_move.as_ref());
        set(&mut policy.gate.signature_policy, self.signature_policy.as_ref());
    }

    /// The settings with what the body gives, for the usage log.
    pub(crate) fn changes(&self) -> [(&'static str, Option<Value>); 8] {
        [
            ("deletion_limit", self.deletion_limit.map(Value::from)),
            ("deletion_grace", self.deletion_grace.map(Value::from)),
            ("rate_limit_floor", self.rate_limit_floor.map(Value::from)),
            ("digest_listing", self.digest_listing.map(|setting| setting.as_str().into())),
            ("selection", self.selection.as_ref().map(|it| json!(it))),
            ("min_age", self.min_age.as_ref().map(|it| json!(it))),
            ("on_move", self.on_move.as_ref().map(|it| json!(it))),
            ("signature_policy", self.signature_policy.as_ref().map(|it| json!(it))),
        ]
    }
}

/// A field that is kept as it was sent; null resets it.
fn parsed<T>(
    fields: Fields<'_>,
    name: &str,
    parse: impl FnOnce(Value) -> Result<T, FieldError>,
) -> Result<Option<Option<T>>, ApiError> {
    let Some(given) = fields.0.get(name) else { return Ok(None) };
    if given.is_null() {
        return Ok(Some(None));
    }
    let parsed = parse(given.clone()).map_err(|error| ApiError::InvalidRequest(error.to_string()))?;
    Ok(Some(Some(parsed)))
}

fn digest_listing(fields: Fields<'_>) -> Result<Option<DigestListing>, ApiError> {
    if fields.0.get("digest_listing").is_some_and(Value::is_null) {
        return Ok(Some(DigestListing::default()));
    }
    Ok(fields.one_of("digest_listing", &DigestListing::ALL.map(DigestListing::as_str))?.and_then(DigestListing::named))
}

/// Adds to the view of a mirror what differs from the default.
pub(crate) fn show(policy: &SyncPolicy, view: &mut Value) {
    let listing = Some(policy.digest_listing).filter(|listing| *listing != DigestListing::default());
    let settings = [
        ("deletion_limit", policy.deletion_limit.map(Value::from)),
        ("deletion_grace", policy.deletion_grace.map(Value::from)),
        ("rate_limit_floor", policy.rate_limit_floor.map(Value::from)),
        ("digest_listing", listing.map(|listing| listing.as_str().into())),
        ("selection", policy.gate.selection.as_ref().map(|it| json!(it))),
        ("min_age", policy.gate.min_age.as_ref().map(|it| json!(it))),
        ("on_move", policy.gate.on_move.as_ref().map(|it| json!(it))),
        ("signature_policy", policy.gate.signature_policy.as_ref().map(|it| json!(it))),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            view[name] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<SentPolicy, String> {
        SentPolicy::parse(Fields(body.as_object().unwrap())).map_err(|error| error.to_string())
    }

    fn shown(policy: &SyncPolicy) -> Value {
        let mut view = json!({});
        show(policy, &mut view);
        view
    }

    #[test]
    fn what_is_sent_is_shown_and_null_resets() {
        let mut policy = SyncPolicy::default();
        assert_eq!(shown(&policy), json!({}));
        let all = json!({"deletion_limit": 0, "deletion_grace": 1, "rate_limit_floor": 2, "digest_listing": "quay"});
        parse(&all).unwrap().apply(&mut policy);
        assert_eq!(shown(&policy), all);
        parse(&json!({})).unwrap().apply(&mut policy);
        assert_eq!(shown(&policy), all, "what is not sent stays");
        parse(&json!({"deletion_limit": null, "digest_listing": "auto"})).unwrap().apply(&mut policy);
        assert_eq!(shown(&policy), json!({"deletion_grace": 1, "rate_limit_floor": 2}));
        let reset = parse(&json!({"deletion_grace": null, "rate_limit_floor": null, "digest_listing": null})).unwrap();
        reset.apply(&mut policy);
        assert_eq!(policy, SyncPolicy::default());
        let changes = reset.changes().into_iter().filter_map(|(name, value)| Some((name, value?)));
        let expected =
            [("deletion_grace", Value::Null), ("rate_limit_floor", Value::Null), ("digest_listing", json!("auto"))];
        assert_eq!(changes.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn wrong_values_are_explained() {
        for name in ["deletion_limit", "deletion_grace", "rate_limit_floor"] {
            assert_eq!(parse(&json!({name: -1})).unwrap_err(), "-1 is less than the minimum of 0");
            assert_eq!(parse(&json!({name: "1"})).unwrap_err(), "'1' is not of type 'integer'");
            assert_eq!(parse(&json!({name: 1.5})).unwrap_err(), "1.5 is not of type 'integer'");
        }
        assert_eq!(
            parse(&json!({"digest_listing": "gitlab"})).unwrap_err(),
            "'gitlab' is not one of ['auto', 'off', 'tags_list', 'quay', 'harbor', 'docker_hub']"
        );
        assert_eq!(parse(&json!({"digest_listing": 1})).unwrap_err(), "1 is not of type 'string'");
    }
}
