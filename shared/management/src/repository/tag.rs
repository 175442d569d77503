//! The tags of a repository and their past.

use moorage_domain::{Digest, MediaType, PastTag, RepositoryName, TagName, Timestamp, plan::Children};
use serde_json::{Map, Value, json};

use moorage_state::now;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    repository::{
        find::find_repository,
        tag_details::{self, TagDetails},
    },
};

/// Tags on a page, if the caller does not say, as in Quay.
const DEFAULT_LIMIT: i64 = 50;

/// The most tags on a page, as in Quay.
const MAX_LIMIT: i64 = 100;

/// The deepest page: everything before a page is read for it.
const MAX_PAGE: i64 = 10_000;

/// The most tags of a repository that are looked at for somebody who may only read it because it is public.
const FEW: i32 = 1_000;

/// A tag as it is or was.
#[derive(Debug, Clone)]
struct Entry {
    name: TagName,
    digest: Digest,
    media_type: MediaType,
    size: u64,
    start: Timestamp,
    end: Option<Timestamp>,
    /// What it lists, if it is an index.
    children: Option<Children>,
    reversion: bool,
}

/// `GET …/tag/`.
pub(crate) async fn list(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let filter = Filter::parse(call)?;
    // Quay takes the nearest number that is allowed.
    let limit = call.number("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let page = call.number("page")?.unwrap_or(1).clamp(1, MAX_PAGE);
    find_repository(api, name).await?;
    let sees_all = call.role.is_some();
    let (limit, skip) = (usize::try_from(limit).unwrap_or(1), usize::try_from((page - 1) * limit).unwrap_or(0));
    let wanted = skip.saturating_add(limit).saturating_add(1);
    // Whoever may read only what is public gets no answer that takes reading more tags the more there are.
    let refused = || call.caller.refused();
    let active = match filter.only() {
        Some(tag) => api.table.tag(name, &tag).await?.map(|held| (tag, held)).into_iter().collect(),
        None if sees_all => api.table.tags(name).await?,
        None => api.table.few_tags(name, FEW).await?.ok_or_else(refused)?,
    };
    // It is read from the bucket for each tag: not for whoever may read only what is public.
    let wants_details = sees_all && call.flag("details", false);
    let lists = (wants_details && filter.only().is_none()).then(|| tag_details::lists(&active));
    let mut entries: Vec<Entry> = active
        .into_iter()
        .filter(|(tag, _)| filter.takes(tag))
        .map(|(tag, held)| Entry {
            name: tag,
            children: held.children(),
            reversion: held.reversion,
            digest: held.digest,
            media_type: held.media_type,
            size: held.size,
            start: held.first_seen,
            end: None,
        })
        .collect();
    if !call.flag("onlyActiveTags", false) {
        let past = if sees_all {
            api.table.past_tags(name, wanted, now(), |past| filter.takes(&past.tag)).await?
        } else {
            let mut past = api.table.few_past_tags(name, now()).await?.ok_or_else(refused)?;
            past.retain(|past| filter.takes(&past.tag));
            past
        };
        // A past that was recorded, but whose tag was not changed in the end, is the present.
        let is_past = |past: &PastTag| !entries.iter().any(|it| it.name == past.tag && it.start == past.start);
        let past: Vec<_> = past.into_iter().filter(is_past).map(Entry::from).collect();
        entries.extend(past);
    }
    entries.sort_by(|a, b| (b.start, &a.name).cmp(&(a.start, &b.name)));
    let has_additional = entries.len() > skip + limit;
    let shown: Vec<_> = entries.iter().skip(skip).take(limit).collect();
    let details = if wants_details {
        TagDetails::of(api, name, shown.iter().map(|entry| &entry.digest), lists).await?
    } else {
        TagDetails::default()
    };
    let view = |entry: &Entry| {
        let mut view = view(entry);
        details.show(&mut view, &entry.digest, entry.children.as_ref());
        view
    };
    let tags: Vec<_> = shown.into_iter().map(view).collect();
    Ok(Answer::ok(json!({"tags": tags, "page": page, "has_additional": has_additional})))
}

impl From<PastTag> for Entry {
    fn from(past: PastTag) -> Self {
        Self {
            name: past.tag,
            digest: past.digest,
            media_type: past.media_type,
            size: past.size,
            start: past.start,
            end: Some(past.end),
            children: past.children,
            reversion: past.reversion,
        }
    }
}

/// Which tags are asked for.
#[derive(Debug, Default)]
struct Filter {
    exactly: Vec<String>,
    containing: Option<String>,
}

impl Filter {
    fn parse(call: &Call) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        filter.exactly.extend(call.query("specificTag").filter(|tag| !tag.is_empty()).map(str::to_owned));
        let wrong = || ApiError::BrokenRule("Unsupported syntax for filter_tag_name".into());
        match call.query("filter_tag_name").filter(|text| !text.is_empty()) {
            None => {}
            Some(text) => match text.split_once(':').ok_or_else(wrong)? {
                ("eq", name) => filter.exactly.push(name.to_owned()),
                ("like", part) => filter.containing = Some(part.to_owned()),
                _ => return Err(wrong()),
            },
        }
        Ok(filter)
    }

    /// The only tag that can be meant, if it is asked for by its name.
    fn only(&self) -> Option<TagName> {
        self.exactly.first()?.parse().ok()
    }

    fn takes(&self, tag: &TagName) -> bool {
        let contains = |part: &String| tag.as_str().contains(part.as_str());
        self.exactly.iter().all(|name| name == tag.as_str()) && self.containing.as_ref().is_none_or(contains)
    }
}

fn view(entry: &Entry) -> Value {
    let mut view = json!({
        "name": entry.name, "reversion": entry.reversion, "start_ts": entry.start.unix(),
        "manifest_digest": entry.digest, "is_manifest_list": entry.media_type.is_index(), "size": entry.size,
        "last_modified": entry.start.rfc2822(),
    });
    if let Some(end) = entry.end {
        view["end_ts"] = end.unix().into();
        view["expiration"] = end.rfc2822().into();
    }
    if let Some(Children { present, left_out }) = &entry.children {
        let presence = present.iter().map(|digest| (digest, true)).chain(left_out.iter().map(|digest| (digest, false)));
        let presence: Map<_, _> = presence.map(|(digest, is_here)| (digest.to_string(), is_here.into())).collect();
        view["is_sparse"] = (!left_out.is_empty()).into();
        view["child_manifest_count"] = presence.len().into();
        view["present_child_count"] = present.len().into();
        view["child_manifests_presence"] = Value::Object(presence);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let filter = |query: &[(&str, &str)]| {
            let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Filter::parse(&Call { query, ..Call::default() })
        };
        let tag: TagName = "v1.2".parse().unwrap();
        for (query, takes) in [
            (&[][..], true),
            (&[("specificTag", "v1.2")], true),
            (&[("specificTag", "v1")], false),
            (&[("filter_tag_name", "like:1.")], true),
            (&[("filter_tag_name", "like:2.")], false),
            (&[("filter_tag_name", "eq:v1.2")], true),
            (&[("filter_tag_name", "eq:v1.2"), ("specificTag", "v1")], false),
            (&[("filter_tag_name", "")], true),
        ] {
            assert_eq!(filter(query).unwrap().takes(&tag), takes, "{query:?}");
        }
        for text in ["v1", "ne:v1", ":"] {
            assert!(filter(&[("filter_tag_name", text)]).is_err(), "{text}");
        }
    }
}
