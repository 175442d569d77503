//! The list of public repositories, so that whoever asks for those reads nothing of others. An entry may outlive what it is
//! of: each is looked up before it is shown.

use std::collections::{BTreeSet, HashMap};

use moorage_domain::{Generation, Namespace, RepositoryName};

use crate::{
    StateError, Table,
    key::{Key, PUBLIC, prefix},
    organizations::{generation::ADMIN, organization::Organization},
    repositories::{
        public_entry::Entry,
        repository::{Repository, RepositoryPage},
    },
    table::{Query, item},
};

/// Entries that are looked at together for whether there is a repository.
const LOOK: i32 = 10;
/// How often.
const LOOKS: usize = 5;

impl Table {
    /// Public repositories, of one namespace or of all, by name, from behind `after`.
    pub async fn public_repositories(
        &self,
        of: Option<&Namespace>,
        limit: i32,
        after: Option<&RepositoryName>,
    ) -> Result<RepositoryPage, StateError> {
        let all = of.map_or_else(|| prefix::REPOSITORY.to_owned(), |of| format!("{}{of}/", prefix::REPOSITORY));
        let query = Query {
            pk: PUBLIC.to_owned(),
            prefix: &all,
            newest_first: false,
            limit: Some(limit),
            after: after.map(|after| format!("{}{after}", prefix::REPOSITORY)),
        };
        let page = self.page::<Entry>(query).await?;
        let names: Vec<_> = page.items.into_iter().map(|entry| entry.repository).collect();
        let mut repositories = self.repositories_named(&names).await?;
        repositories.retain(|repository| repository.is_public);
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::REPOSITORY).map(str::to_owned));
        Ok(RepositoryPage { repositories, deleted: Vec::new(), next })
    }

    /// Whether a namespace has public repositories. Entries that outlived theirs are passed over, but no more than a few pages
    /// of them: the next reconciliation takes them away.
    pub async fn has_public_repositories(&self, of: &Namespace) -> Result<bool, StateError> {
        let mut after = None;
        for _ in 0..LOOKS {
            let page = self.public_repositories(Some(of), LOOK, after.as_ref()).await?;
            after = page.next.and_then(|next| next.parse().ok());
            if !page.repositories.is_empty() || after.is_none() {
                return Ok(!page.repositories.is_empty());
            }
        }
        Ok(false)
    }

    /// The repositories of these names, which are different ones, that there are, by name; as [`Table::repository`] reads them,
    /// but for what is notified of their namespaces.
    pub async fn repositories_named(&self, names: &[RepositoryName]) -> Result<Vec<Repository>, StateError> {
        let namespaces: BTreeSet<_> = names.iter().map(RepositoryName::namespace).collect();
        let keys = names.iter().map(|name| Key::Repository(name).attributes()).collect();
        let organizations = namespaces.iter().map(|name| Key::Organization(name).attributes()).collect();
        let (mut found, organizations) =
            tokio::try_join!(self.get_all::<Repository>(keys), self.get_all::<Organization>(organizations))?;
        let present: HashMap<_, _> = organizations.into_iter().map(|it| (it.name, it.id)).collect();
        let is_there = |of: &Namespace, id: Generation| of.as_str() == ADMIN || present.get(of) == Some(&id);
        found.retain(|it| !it.is_deleted && is_there(&it.repository.namespace(), it.organization_id));
        found.sort_unstable_by(|one, other| one.repository.cmp(&other.repository));
        Ok(found)
    }

    /// Lists those of these repositories that are public and not listed: they are from before there was the list.
    pub async fn list_public(&self, repositories: &[Repository]) -> Result<(), StateError> {
        let public = repositories.iter().filter(|it| it.is_public).map(|it| &it.repository);
        let mut missing: BTreeSet<_> = public.cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let keys = missing.iter().map(|name| Key::Public(name).attributes()).collect();
        for listed in self.get_all::<Entry>(keys).await? {
            missing.remove(&listed.repository);
        }
        let entries = missing.iter().map(|name| item(Key::Public(name), &Entry { repository: name.clone() }));
        self.put_all(entries.collect::<Result<_, _>>()?).await
    }
}
