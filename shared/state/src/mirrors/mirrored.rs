//! A repository together with its mirror: what a sync is begun by.

use moorage_domain::RepositoryName;

use crate::{
    Mirror, Repository, StateError, Table,
    key::{Key, SK},
    table::Item,
};

impl Table {
    /// Reads a repository and its mirror in one request.
    pub async fn mirrored(&self, name: &RepositoryName) -> Result<(Option<Repository>, Option<Mirror>), StateError> {
        let mirror = Key::Mirror(name);
        let keys = vec![Key::Repository(name).attributes(), mirror.attributes()];
        let (items, present) = self.items_within(keys, &name.namespace()).await?;
        let is_mirror = |item: &Item| item.get(SK).and_then(|sk| sk.as_s().ok()) == Some(&mirror.sk());
        let (mirrors, repositories): (Vec<_>, Vec<_>) = items.into_iter().partition(is_mirror);
        let found = repositories.into_iter().next().map(serde_dynamo::from_item::<_, Repository>).transpose()?;
        let mirror = mirrors.into_iter().next().map(serde_dynamo::from_item).transpose()?;
        Ok((found.and_then(|found| found.within(present)), mirror))
    }
}
