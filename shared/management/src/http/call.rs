//! One call: what endpoints use of a request.

use moorage_state::Role;
use serde_json::{Map, Value};

use crate::{
    access::caller::Caller,
    http::{error::ApiError, field::repr},
};

/// The largest body. Quay's largest request, a mirror with a long rule, stays far below it.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// One call: everything of the request that endpoints use.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    /// The caller's role on the repository of the path, if the endpoint asks for one; none of whoever may only read what is
    /// public.
    pub(crate) role: Option<Role>,
    pub(crate) body: Vec<u8>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// The entity tags one of which is to be that of what is changed, as `If-Match` lists them.
    pub(crate) if_match: Option<String>,
    /// What the body is said to be.
    pub(crate) content_type: Option<String>,
    /// The signature of the body, as GitHub sends it.
    pub(crate) signature: Option<String>,
    /// The API's URL.
    pub(crate) host: String,
}

impl Call {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        if self.body.is_empty() {
            return Err(ApiError::InvalidRequest("Missing JSON body".into()));
        }
        serde_json::from_slice(&self.body).map_err(|_| ApiError::InvalidRequest("The body is not valid JSON".into()))
    }

    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, ApiError> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            other => Err(ApiError::InvalidRequest(format!("{} is not of type 'object'", repr(&other)))),
        }
    }

    /// As [`Self::object`], where a body may be left out.
    pub(crate) fn optional_object(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.is_empty() { Ok(Map::new()) } else { self.object() }
    }

    /// A parameter of the query; of several the first.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is on or off, read as Quay does.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        let off = |value: &str| matches!(value, "false" | "False" | "FALSE" | "0" | "" | "null");
        self.query(name).map_or(default, |value| !off(value))
    }

    /// `limit`, between 1 and `most`.
    pub(crate) fn limit(&self, default: i32, most: i32) -> Result<i32, ApiError> {
        let Some(text) = self.query("limit") else { return Ok(default) };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| ApiError::InvalidRequest(format!("limit must be a number from 1 to {most}")))
    }

    /// A number, or nothing; other texts are refused.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.query(name) else { return Ok(None) };
        let wrong = |_| ApiError::InvalidRequest(format!("{name} must be a number"));
        text.parse().map(Some).map_err(wrong)
    }

    /// `next_page`: where the page before ended, as the table said it. `is_ours` checks its form.
    pub(crate) fn next_page(&self, is_ours: impl Fn(&str) -> bool) -> Result<Option<&str>, ApiError> {
        match self.query("next_page") {
            Some(page) if !is_ours(page) => Err(ApiError::InvalidRequest("next_page is not a page".into())),
            page => Ok(page),
        }
    }
}
