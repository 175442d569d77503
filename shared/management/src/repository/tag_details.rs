//! What is told of a page of tags besides what Quay tells: the sync function reads it from the bucket, to which the API has
//! no access.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest, RepositoryName, TagName,
    details::{Details, DetailsOf},
    plan::{Children, HeldTag},
    referrers::{is_referrers_tag, referrers_tag},
    task::{Task, TaskAnswer},
};
use serde_json::Value;

use crate::{api::Api, http::error::ApiError, organization::share};

/// How many tags are looked up at once.
const LOOKS: usize = 16;

/// The indexes of what refers to images, by their tags.
pub(crate) type Lists = BTreeMap<TagName, Digest>;

/// Those of a repository's tags.
pub(crate) fn lists(tags: &BTreeMap<TagName, HeldTag>) -> Lists {
    let lists = tags.iter().filter(|(tag, _)| is_referrers_tag(tag));
    lists.map(|(tag, held)| (tag.clone(), held.digest.clone())).collect()
}

/// What is known of the images of some tags.
#[derive(Debug, Default)]
pub(crate) struct TagDetails(HashMap<Digest, Details>);

impl TagDetails {
    /// Asks for these images, each once. What refers to them is looked for in `lists`, and in the table where only one tag
    /// was read.
    pub(crate) async fn of(
        api: &Api,
        repository: &RepositoryName,
        digests: impl Iterator<Item = &Digest>,
        lists: Option<Lists>,
    ) -> Result<Self, ApiError> {
        let (digests, lists): (BTreeSet<_>, _) = (digests.collect(), lists.as_ref());
        if digests.is_empty() {
            return Ok(Self::default());
        }
        let image = |digest: &Digest| {
            let (digest, tag) = (digest.clone(), referrers_tag(digest));
            async move {
                let referrers = match lists {
                    Some(lists) => lists.get(&tag).cloned(),
                    None => api.table.tag(repository, &tag).await?.map(|held| held.digest),
                };
                Ok::<_, ApiError>(DetailsOf { digest, referrers })
            }
        };
        let images = stream::iter(digests).map(image).buffered(LOOKS).try_collect().await?;
        let task = Task::DescribeImages { repository: repository.clone(), images };
        match share::ask_registry(api, &repository.namespace(), &task).await? {
            TaskAnswer::Described(all) => {
                Ok(Self(all.into_iter().map(|details| (details.digest.clone(), details)).collect()))
            }
            TaskAnswer::NotFound => Err(ApiError::NotFound),
            TaskAnswer::Failed(failure) => Err(failure.into()),
            other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
        }
    }

    /// Adds what is known of an image to the view of its tag; of an index only what the repository has of it.
    pub(crate) fn show(&self, view: &mut Value, digest: &Digest, children: Option<&Children>) {
        let Some(details) = self.0.get(digest) else { return };
        let is_here = |digest: &Digest| children.is_none_or(|children| !children.left_out.contains(digest));
        let here = details.platforms.iter().filter(|platform| is_here(&platform.digest));
        let mut names: Vec<_> = here.map(|platform| platform.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        view["platforms"] = names.into();
        view["attached"] = details.attached.iter().map(|(kind, count)| (kind.clone(), Value::from(*count))).collect();
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::platform::Platform;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_here_is_shown() {
        let [index, amd, arm, other] = ["index", "amd", "arm", "other"].map(|text| Digest::sha256(text.as_bytes()));
        let platform = |digest: &Digest, name: &str| Platform { digest: digest.clone(), name: name.to_owned() };
        let platforms =
            vec![platform(&arm, "linux/arm64"), platform(&amd, "linux/amd64"), platform(&amd, "linux/amd64")];
        let attached = BTreeMap::from([("application/spdx+json".to_owned(), 2)]);
        let details = Details { digest: index.clone(), platforms, attached };
        let details = TagDetails(HashMap::from([(index.clone(), details)]));
        let shown = |digest: &Digest, children: Option<&Children>| {
            let mut view = json!({});
            details.show(&mut view, digest, children);
            view
        };
        let attached = json!({"application/spdx+json": 2});
        let all = json!({"platforms": ["linux/amd64", "linux/arm64"], "attached": attached});
        assert_eq!(shown(&index, None), all);
        let sparse = Children { present: vec![arm.clone()], left_out: vec![amd] };
        assert_eq!(shown(&index, Some(&sparse)), json!({"platforms": ["linux/arm64"], "attached": attached}));
        assert_eq!(shown(&other, None), json!({}), "nothing is known of it");
    }
}
