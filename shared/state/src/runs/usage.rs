//! What a namespace has of what its share limits: its repositories, and what their tags hold.

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use moorage_domain::{Namespace, RepositoryName, share::Usage};
use serde::Deserialize;

use crate::{
    StateError, Table,
    error::failed,
    key::{Key, PK, SK, namespace_pk, prefix},
    table::conditional,
};

/// A repository item, as far as shares go.
#[derive(Deserialize)]
struct Measured {
    repository: RepositoryName,
    #[serde(default)]
    usage: Usage,
}

impl Table {
    /// How many repositories a namespace has, those included that are on their way out.
    pub async fn count_repositories(&self, namespace: &Namespace) -> Result<u64, StateError> {
        let (mut count, mut start) = (0u64, None);
        loop {
            let query = self.client.query().table_name(&self.name).select(Select::Count).consistent_read(true);
            let query = query.key_condition_expression("#pk = :pk AND begins_with(#sk, :sk)");
            let query = query.expression_attribute_names("#pk", PK).expression_attribute_names("#sk", SK);
            let query = query.expression_attribute_values(":pk", AttributeValue::S(namespace_pk(namespace)));
            let query = query.expression_attribute_values(":sk", AttributeValue::S(prefix::REPOSITORY.to_owned()));
            let answer = query.set_exclusive_start_key(start).send().await.map_err(failed)?;
            count = count.saturating_add(u64::try_from(answer.count).unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// What the tags of a namespace's repositories hold, but for those of `without`, as the last run of each has found it.
    pub async fn usage(&self, namespace: &Namespace, without: &RepositoryName) -> Result<Usage, StateError> {
        let measured: Vec<Measured> = self.all(namespace_pk(namespace), prefix::REPOSITORY).await?;
        Ok(measured.into_iter().filter(|it| it.repository != *without).map(|it| it.usage).sum())
    }

    /// Writes down what the tags of a repository hold. One that is gone is let go.
    pub async fn put_usage(&self, repository: &RepositoryName, usage: Usage) -> Result<(), StateError> {
        let update = self.update(Key::Repository(repository)).update_expression("SET #usage = :usage");
        let update = update.condition_expression("attribute_exists(#state)");
        let update = update.expression_attribute_names("#usage", "usage").expression_attribute_names("#state", "state");
        let update = update.expression_attribute_values(":usage", serde_dynamo::to_attribute_value(usage)?);
        match conditional(update).await {
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }
}
