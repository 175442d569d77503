//! The usage log.

use moorage_domain::{RepositoryName, usage_log::LogEntry};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    api::{Api, Call, now},
    error::ApiError,
    repository,
};

/// Entries on a page, as in Quay.
const PAGE: i32 = 20;
/// The longest `next_page` that can be one of ours.
const NEXT_PAGE_LENGTH: usize = 64;

/// `GET …/logs`, newest first.
pub(crate) async fn list(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let after = call.query("next_page");
    if after.is_some_and(|after| after.len() > NEXT_PAGE_LENGTH || !after.is_ascii()) {
        return Err(ApiError::InvalidRequest("next_page is not a page".into()));
    }
    repository::find(api, name).await?;
    let page = api.table.log(name, PAGE, after, now()).await?;
    let oldest = page.entries.last().map_or_else(now, |entry| entry.datetime);
    let mut body = json!({
        "start_time": oldest.rfc2822(), "end_time": now().rfc2822(),
        "logs": page.entries.iter().map(view).collect::<Vec<_>>(),
    });
    if let Some(next) = page.next {
        body["next_page"] = next.into();
    }
    Ok(Answer::ok(body))
}

fn view(entry: &LogEntry) -> Value {
    let mut view = json!({
        "kind": entry.kind, "metadata": entry.metadata, "ip": entry.ip, "datetime": entry.datetime.rfc2822(),
    });
    if let Some(performer) = &entry.performer {
        view["performer"] = json!({"kind": "user", "name": performer, "is_robot": false, "avatar": {"kind": "user", "name": performer}});
    }
    view
}
