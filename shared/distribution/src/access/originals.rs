//! Which mirrors there are of an original, as whoever asks could see them: what the table finds them by is gone through until
//! there are enough that can be seen, and believed only where the mirror itself says the same. So neither mirrors that nobody
//! may read nor entries that outlived theirs take a place.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Digest, NameError, Namespace, Origin, RepositoryName, Timestamp};
use moorage_state::{Mirror, Repository, Table};

use crate::{
    cache::{Cache, KEPT},
    error::PullError,
};

#[cfg(test)]
mod tests;

/// How many mirrors are asked for what they hold, one after the other: people have one, or one for each stage of a release.
pub(crate) const MAX_ASKED: usize = 8;
/// How many of one's own namespace are looked at, for whoever may read only some of them.
const MAX_OWN: usize = 32;
/// Repositories that are read at once: DynamoDB's limit of one request.
const CHUNK: usize = 100;
/// How often that is done for one original, if there are never enough to be seen. Then clients go to the original.
const MAX_CHUNKS: usize = 10;
/// Namespaces that are asked at once.
const AT_ONCE: usize = 8;
/// For how many views of originals it is kept which mirrors they have.
const CAPACITY: usize = 1_000;
/// In whose namespace a mirror is looked for that there is not.
pub(crate) const NOBODY: &str = "nobody";

/// The namespaces whose mirrors answer everybody for what they mirror. A public one speaks for its original to all nodes, so
/// whoever may make one has to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeNamespaces {
    /// All.
    All,
    /// These. Each is a request to the table for each original, every half a minute.
    Only(BTreeSet<Namespace>),
}

impl Default for NodeNamespaces {
    /// None.
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

impl FromStr for NodeNamespaces {
    type Err = NameError;

    /// `*`, or names with commas between.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.trim() == "*" {
            return Ok(Self::All);
        }
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::parse).collect::<Result<_, _>>().map(Self::Only)
    }
}

/// What is to be seen of the mirrors of an original.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// Those of a namespace.
    Own(Namespace),
    /// Public ones of the namespaces that answer everybody.
    Public,
    /// All of those.
    All,
}

impl View {
    fn has(&self, repository: &Repository) -> bool {
        repository.state.is_mirror() && (repository.is_public || *self != Self::Public)
    }

    const fn most(&self) -> usize {
        match self {
            Self::Own(_) => MAX_OWN,
            Self::Public | Self::All => MAX_ASKED,
        }
    }
}

/// The mirrors of originals, as they were a moment ago.
pub(crate) struct Originals {
    table: Table,
    nodes: NodeNamespaces,
    /// Also that there are none.
    known: Cache<(View, Origin), Arc<[RepositoryName]>>,
}

impl Originals {
    pub(crate) fn new(table: Table, nodes: NodeNamespaces) -> Self {
        Self { table, nodes, known: Cache::new(CAPACITY, KEPT) }
    }

    /// The mirrors of a repository that this view has, by name, [`MAX_ASKED`] at most, and [`MAX_OWN`] of a namespace. What was
    /// read of their repositories is put into `repositories`.
    pub(crate) async fn seen(
        &self,
        view: View,
        origin: &Origin,
        repositories: &Cache<RepositoryName, Option<Repository>>,
        now: Timestamp,
    ) -> Result<Arc<[RepositoryName]>, PullError> {
        let key = (view, origin.clone());
        if let Some(known) = self.known.get(&key, now) {
            return Ok(known);
        }
        let view = &key.0;
        let names = self.names(view, origin).await?;
        let mut seen = Vec::new();
        if names.is_empty() {
            // Time must not tell whether somebody else has one.
            let nobodys: Vec<_> = stand_in(NOBODY, origin).into_iter().collect();
            self.look(view, origin, &nobodys).await?;
        }
        for chunk in names.chunks(CHUNK).take(MAX_CHUNKS) {
            seen.extend(self.look(view, origin, chunk).await?);
            if seen.len() >= view.most() {
                break;
            }
        }
        seen.truncate(view.most());
        for repository in &seen {
            repositories.insert(repository.repository.clone(), Some(repository.clone()), now);
        }
        let seen: Arc<[_]> = seen.into_iter().map(|it| it.repository).collect();
        self.known.insert(key, Arc::clone(&seen), now);
        Ok(seen)
    }

    /// The repositories that are found by the original, by name, whether they can be seen or not.
    async fn names(&self, view: &View, origin: &Origin) -> Result<Vec<RepositoryName>, PullError> {
        let these = match (view, &self.nodes) {
            (View::Own(home), _) => vec![Some(home.clone())],
            (View::Public | View::All, NodeNamespaces::All) => vec![None],
            (View::Public | View::All, NodeNamespaces::Only(these)) => these.iter().cloned().map(Some).collect(),
        };
        let queries = stream::iter(these)
            .map(async |of: Option<Namespace>| self.table.mirrors_of_origin(origin, of.as_ref()).await);
        let found: Vec<_> = queries.buffered(AT_ONCE).try_collect().await?;
        let mut names = found.concat();
        names.sort_unstable();
        Ok(names)
    }

    /// Those of some repositories, by name, that the view has, and whose mirrors copy from the original indeed. It is read as much
    /// if there are none.
    async fn look(&self, view: &View, origin: &Origin, names: &[RepositoryName]) -> Result<Vec<Repository>, PullError> {
        let mut found = self.table.repositories_named(names).await?;
        found.retain(|it| view.has(it));
        let mut seen: Vec<_> = found.iter().map(|it| it.repository.clone()).collect();
        if seen.is_empty() {
            seen.extend(names.first().cloned());
        }
        let mirrors = self.table.mirrors_of(&seen).await?;
        let is_its = |mirror: &Mirror| Origin::of(&mirror.config.external_reference) == *origin;
        let its: BTreeSet<_> = mirrors.into_iter().filter(is_its).map(|it| it.config.repository).collect();
        found.retain(|it| its.contains(&it.repository));
        Ok(found)
    }
}

/// What is looked for in place of a mirror that there is not. It is another name for each origin, so that it is remembered as one
/// would be.
pub(crate) fn stand_in(namespace: &str, origin: &Origin) -> Option<RepositoryName> {
    RepositoryName::new(namespace, &Digest::sha256(origin.to_string().as_bytes()).hex()).ok()
}
