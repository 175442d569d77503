//! All repositories, one after the other by name, several at a time.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    RepositoryName,
    collection::{Collection, Skip, Stage},
};

use crate::{
    clock::{Clock, SAVE_EVERY},
    collector::{CollectError, Collector},
    facts::Facts,
    prune::Outcome,
};

/// Repositories that are pruned at once.
const REPOSITORIES_IN_FLIGHT: usize = 8;
/// How many invocations may begin with the same repository before that is left alone. From the second one on it has the
/// invocation to itself. Where one was killed, that counts as much as [`KILLED`] that were not.
const TURNS: u32 = 8;
/// What an invocation counts for that did not come to its end.
pub(crate) const KILLED: u32 = 3;
/// How many repositories in a row may fail before the collection does: then it is not the repositories.
const FAILURES: usize = 20;

impl Collector {
    /// Prunes the repositories behind the last one that was done, as far as the time goes.
    pub(crate) async fn prune_all(&self, collection: &mut Collection, clock: &Clock) -> Result<(), CollectError> {
        let Stage::Prune(after) = &collection.stage else { return Ok(()) };
        let all = self.storage.all_repositories().await?.into_iter();
        let mut open: Vec<RepositoryName> = all.filter(|name| name.as_str() > after.as_str()).collect();
        if collection.turns > TURNS && !open.is_empty() {
            let first = open.remove(0);
            skip(collection, &first, Skip::TooLong);
            collection.go_to(Stage::Prune(first.into()));
        }
        let known = self.known(collection, open.first()).await?;
        let size = known.as_ref().map_or(0, Facts::size);
        let (dry, at_once) = (collection.dry_run, if collection.turns > 1 { 1 } else { REPOSITORIES_IN_FLIGHT });
        let facts = std::iter::once(known.unwrap_or_default()).chain(std::iter::repeat_with(Facts::default));
        let pruned = stream::iter(open.into_iter().zip(facts).enumerate()).map(async |(number, (name, facts))| {
            // The first one is, however long it took to list them all.
            let begins = number == 0 || !clock.is_over();
            let pruned = if begins { Some(self.prune(&name, facts, dry, clock.end).await) } else { None };
            (name, pruned)
        });
        // In their order, so that the last one says how far it is.
        let mut pruned = pruned.buffered(at_once);
        let (mut failures, mut saved) = (0, Instant::now());
        while let Some((name, outcome)) = pruned.next().await {
            let Some(outcome) = outcome else { return Ok(()) };
            match outcome {
                Ok(Outcome::Unfinished(facts)) => {
                    if self.keep(collection, &name, &facts).await? && facts.size() > size {
                        // It has got further, if not to the next repository.
                        collection.turns = collection.turns.min(1);
                    }
                    return Ok(());
                }
                Ok(Outcome::Pruned(pruned)) => {
                    failures = 0;
                    collection.counts.manifests_unlinked += pruned.manifests;
                    collection.counts.blobs_unlinked += pruned.blobs;
                }
                Ok(Outcome::Skipped(why)) => skip(collection, &name, why),
                Err(error) if failures >= FAILURES => return Err(error),
                Err(error) => {
                    failures += 1;
                    tracing::error!(repository = %name, %error, "a repository could not be pruned");
                    collection.skip(name.clone(), Skip::Failed);
                }
            }
            collection.counts.repositories += 1;
            collection.go_to(Stage::Prune(name.into()));
            if saved.elapsed() >= SAVE_EVERY {
                self.table.put_collection(collection).await?;
                saved = Instant::now();
            }
        }
        collection.go_to(Stage::Sweep(0));
        Ok(())
    }

    /// What an earlier invocation has found out of the first repository, if it had not enough time for it.
    async fn known(
        &self,
        collection: &Collection,
        first: Option<&RepositoryName>,
    ) -> Result<Option<Facts>, CollectError> {
        let Some(first) = first.filter(|_| collection.invocations > 1) else { return Ok(None) };
        let Some(kept) = self.storage.kept(collection.run_id).await? else { return Ok(None) };
        Ok(std::str::from_utf8(&kept).ok().and_then(|text| Facts::from_text(text, first)))
    }

    /// Keeps what is known of a repository for the next invocation, which begins with it; tells whether it could.
    async fn keep(
        &self,
        collection: &Collection,
        repository: &RepositoryName,
        facts: &Facts,
    ) -> Result<bool, CollectError> {
        let tags = facts.tags.len();
        tracing::info!(%repository, tags, "there was not enough time for a repository: the next invocation goes on");
        let Some(text) = facts.to_text(repository) else { return Ok(false) };
        self.storage.keep(collection.run_id, text.into_bytes()).await?;
        Ok(true)
    }
}

fn skip(collection: &mut Collection, repository: &RepositoryName, why: Skip) {
    tracing::warn!(%repository, %why, "a repository is left alone");
    collection.skip(repository.clone(), why);
}
