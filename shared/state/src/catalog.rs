//! The repositories of a namespace, page by page.

use moorage_domain::{Namespace, RepositoryName};
use serde::Deserialize;

use crate::{
    StateError, Table,
    key::{namespace_pk, prefix},
    table::Query,
};

/// What a list shows of a repository.
#[derive(Deserialize)]
struct Entry {
    repository: RepositoryName,
    is_public: bool,
}

impl Table {
    /// The first `limit` repositories of a namespace behind the one called `after`, by name, and whether each is public.
    pub async fn repositories_after(
        &self,
        namespace: &Namespace,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(RepositoryName, bool)>, StateError> {
        let mut found: Vec<(RepositoryName, bool)> = Vec::new();
        let mut after = after.map(|after| format!("{}{after}", prefix::REPOSITORY));
        loop {
            let query = Query {
                pk: namespace_pk(namespace),
                prefix: prefix::REPOSITORY,
                newest_first: false,
                limit: i32::try_from(limit - found.len()).ok(),
                after,
            };
            let page = self.page::<Entry>(query).await?;
            found.extend(page.items.into_iter().map(|entry| (entry.repository, entry.is_public)));
            after = page.next;
            if after.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }
}
