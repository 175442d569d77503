//! The usage logs.

use std::time::Duration;

use moorage_domain::{Namespace, RepositoryName, Timestamp, usage_log::LogEntry};
use moorage_state::{LogOf, LogQuery, now};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, avatar::avatar, call::Call, error::ApiError},
    organization::find::find_organization,
    repository::find::find_repository,
};

/// Entries on a page, as in Quay.
const PAGE: i32 = 20;

/// The longest `next_page` that can be one of ours.
const NEXT_PAGE_LENGTH: usize = 64;

/// A day, in seconds.
const DAY: i64 = 86_400;

/// Werkzeug's words for a request that is refused without a reason.
const REFUSED: &str = "The browser (or proxy) sent a request that this server could not understand.";

/// `GET …/logs` of a repository.
pub(crate) async fn of_repository(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let window = window(call, now())?;
    let created = find_repository(api, name).await?.created;
    list(api, LogOf::Repository(name), call, window, Some(created)).await
}

/// `GET organization/{orgname}/logs`.
pub(crate) async fn of_organization(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let window = window(call, now())?;
    let organization = find_organization(api, name).await?;
    list(api, LogOf::Namespace(&organization.name), call, window, Some(organization.created)).await
}

/// `GET user/logs`.
pub(crate) async fn of_namespace(api: &Api, name: &Namespace, call: &Call) -> Result<Answer, ApiError> {
    list(api, LogOf::Namespace(name), call, window(call, now())?, None).await
}

/// The entries of a window. Those from before `created` are of another one that bore the name.
async fn list(
    api: &Api,
    log: LogOf<'_>,
    call: &Call,
    (from, end): (Timestamp, Timestamp),
    created: Option<Timestamp>,
) -> Result<Answer, ApiError> {
    let after = call.next_page(is_page)?;
    // The window is all of its first second, and nothing of its last.
    let first = created.map_or(from, |created| from.max(created));
    let query = LogQuery { from: first, to: Timestamp::from_unix(end.unix() - 1), limit: PAGE, after };
    let page = api.table.log(log, query, now()).await?;
    let performer = call.query("performer").filter(|name| !name.is_empty());
    let by_performer = |entry: &&LogEntry| performer.is_none_or(|name| entry.performer.as_deref() == Some(name));
    let mut body = json!({
        "start_time": from.rfc2822(), "end_time": end.rfc2822(),
        "logs": page.entries.iter().filter(by_performer).map(view).collect::<Vec<_>>(),
    });
    if let Some(next) = page.next {
        body["next_page"] = next.into();
    }
    Ok(Answer::ok(body))
}

/// Whether a text can be where a page has ended.
fn is_page(text: &str) -> bool {
    text.len() <= NEXT_PAGE_LENGTH && text.is_ascii()
}

/// The time that is asked for: from the first day, or since this time yesterday, through the last day, or for a day
/// from now. What is not a date counts as not given, as in Quay.
fn window(call: &Call, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let date = |name| call.query(name).and_then(Timestamp::parse_us_date);
    let from = date("starttime").unwrap_or_else(|| Timestamp::from_unix(now.unix() - DAY));
    let end = date("endtime").unwrap_or(now).plus(Duration::from_secs(DAY.unsigned_abs()));
    if end < from { Err(ApiError::BrokenRule(REFUSED.into())) } else { Ok((from, end)) }
}

fn view(entry: &LogEntry) -> Value {
    let mut view = json!({
        "kind": entry.kind, "metadata": entry.metadata, "ip": entry.ip, "datetime": entry.datetime.rfc2822(),
    });
    if let Some(performer) = &entry.performer {
        let avatar = avatar(performer, "user");
        view["performer"] =
            json!({"kind": "user", "name": performer, "is_robot": performer.contains('+'), "avatar": avatar});
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_page_has_ended_is_still_read() {
        assert!(is_page("001790000000#00000007-0000-4000-8000-000000000000"));
        assert!(!is_page(&"0".repeat(NEXT_PAGE_LENGTH + 1)) && !is_page("ä"));
    }

    #[test]
    fn windows() {
        let now = Timestamp::parse_iso("2026-03-10T12:30:00Z").unwrap();
        let window = |query: &[(&str, &str)]| {
            let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let (from, end) = window(&Call { query, ..Call::default() }, now).map_err(|error| error.to_string())?;
            Ok::<_, String>((from.iso(), end.iso()))
        };
        let expect = |from: &str, end: &str| Ok((from.to_owned(), end.to_owned()));
        assert_eq!(window(&[]), expect("2026-03-09T12:30:00Z", "2026-03-11T12:30:00Z"));
        let days = [("starttime", "03/01/2026"), ("endtime", "03/02/2026")];
        assert_eq!(window(&days), expect("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z"), "the last day is in it");
        assert_eq!(window(&[("starttime", "yesterday")]), window(&[]));
        assert_eq!(window(&[("starttime", "03/12/2026")]), Err(REFUSED.to_owned()));
        assert_eq!(window(&[("endtime", "03/01/2026")]), Err(REFUSED.to_owned()));
    }
}
