//! What the repository may have: found out before the bucket is asked for anything, and kept book of.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use moorage_domain::{Digest, Owner, Proven, RepositoryName, TrustDomain, plan::HeldTag};
use moorage_state::{Claim, Clue, Reads, Table, now, recorded};
use moorage_storage::Storage;

use crate::{engine::Engine, error::WorkError, transfer::follow::follow};

/// So many hints are not kept for the run's end: one batch of the table's, or more where a tag has brought more, for which
/// its publication waits.
const HINTS: usize = 25;
/// Repositories whose generation is remembered.
const MAX_HOLDERS: usize = 1_000;
/// New links that are remembered until a tag needs them, about 15 MB. What is linked beyond and then not needed is left to
/// the collector.
const MAX_LINKS: usize = 50_000;
/// Links that are taken away between two looks at the claim: one request's.
const UNLINKED_AT_ONCE: usize = 1_000;

/// Proof that the repository may have some content.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) proven: Proven,
    /// Whether it is the repository's own link.
    pub(crate) is_linked: bool,
}

impl Proof {
    /// By bytes that came just now, or by a record.
    pub(crate) fn unlinked(proven: Proven) -> Self {
        Self { proven, is_linked: false }
    }
}

/// What a link makes part of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Manifest,
    Blob,
}

/// One run's knowledge of what its repository may have.
#[derive(Debug)]
pub(crate) struct Possession {
    storage: Storage,
    table: Table,
    reads: Arc<Reads>,
    owner: Arc<Owner>,
    trust: TrustDomain,
    /// Whether the repository held nothing when the run began: then only hints can tell of links of its own.
    is_empty: bool,
    books: Mutex<Books>,
    /// Of whoever asks for clues of what is expected.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Books {
    /// Manifests that will be wanted soon, and of which nothing was asked yet.
    expected: BTreeSet<Digest>,
    /// Clues that were asked for ahead.
    clues: HashMap<Digest, Clue>,
    /// By the records of tags that are being verified.
    recorded: HashMap<Digest, Proven>,
    holders: HashMap<RepositoryName, Option<Arc<Owner>>>,
    /// Content of which there is a hint that holds.
    hinted: HashSet<Digest>,
    /// Hints that are still to be written.
    hints: BTreeSet<Digest>,
    /// Manifests that came, and are not linked yet.
    received: HashMap<Digest, Proven>,
    /// Links of this run that no tag needs yet.
    fresh: HashMap<(Kind, Digest), Fresh>,
    linked: usize,
    /// Whether there were more links than are remembered. Then a manifest may have stayed that needs its blobs.
    is_cut: bool,
    /// Links of manifests that are being written. Of those whose writer is stopped meanwhile nobody knows whether they are
    /// there.
    linking: usize,
}

/// A link that was not there before.
#[derive(Debug)]
struct Fresh {
    proven: Proven,
    /// How many were written before it.
    number: usize,
}

impl Possession {
    pub(crate) fn new(engine: &Engine, owner: Arc<Owner>, is_empty: bool, reads: Arc<Reads>) -> Self {
        Self {
            storage: engine.storage.clone(),
            table: engine.table.clone(),
            reads,
            owner,
            trust: engine.settings.trust,
            is_empty,
            books: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Each entry stays true after a panic elsewhere.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a manifest will be wanted soon: what is known of it is asked for together with others.
    pub(crate) fn expect(&self, manifest: &Digest) {
        self.books().expected.insert(manifest.clone());
    }

    /// Notes that a manifest is not expected any more.
    pub(crate) fn forget(&self, manifest: &Digest) {
        let mut books = self.books();
        books.expected.remove(manifest);
        books.clues.remove(manifest);
    }

    /// What is known of a manifest. If it is expected, it is asked for with all others that are.
    async fn clue(&self, digest: &Digest) -> Result<Clue, WorkError> {
        let is_expected = {
            let books = self.books();
            books.expected.contains(digest) || books.clues.contains_key(digest)
        };
        let _asking = if is_expected { Some(self.asking.lock().await) } else { None };
        let mut wanted = BTreeSet::from([digest.clone()]);
        {
            let mut books = self.books();
            // Somebody else has asked meanwhile.
            if let Some(clue) = books.clues.remove(digest) {
                return Ok(clue);
            }
            if is_expected {
                wanted.extend(books.expected.iter().cloned());
            }
        }
        let mut clues = self.reads.clues(&self.owner, self.trust, &wanted, now()).await?;
        let clue = clues.remove(digest).unwrap_or_default();
        let mut books = self.books();
        for asked in wanted {
            if books.expected.remove(&asked) && asked != *digest {
                let clue = clues.remove(&asked).unwrap_or_default();
                books.clues.insert(asked, clue);
            }
        }
        Ok(clue)
    }

    /// Lets the record of a tag prove its manifests, while `of` is verified.
    pub(crate) fn trust_record(&self, of: &HeldTag) {
        let proven = recorded(&self.owner, of).map(|proven| (proven.digest().clone(), proven));
        self.books().recorded.extend(proven);
    }

    /// Ends what [`Self::trust_record`] began.
    pub(crate) fn forget_record(&self, of: &HeldTag) {
        let mut books = self.books();
        for digest in std::iter::once(&of.digest).chain(&of.manifests) {
            books.recorded.remove(digest);
        }
    }

    /// Proof that the repository may have a manifest, if there is any but its bytes.
    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<Option<Proof>, WorkError> {
        if !self.is_empty
            && let Some(proven) = self.storage.links_manifest(&self.owner, digest).await?
        {
            return Ok(Some(Proof { proven, is_linked: true }));
        }
        let recorded = self.books().recorded.get(digest).cloned();
        if let Some(proven) = recorded {
            return Ok(Some(Proof::unlinked(proven)));
        }
        let clue = self.clue(digest).await?;
        if let Some(holder) = self.holder(&clue).await?
            && let Some(proven) = self.storage.proves_manifest(&holder, &self.owner, self.trust, digest).await?
        {
            self.hinted(digest, &clue);
            return Ok(Some(Proof { proven, is_linked: holder == self.owner }));
        }
        Ok(clue.receipt.map(Proof::unlinked))
    }

    /// Proof that the repository may have some blobs, as far as there is any but their bytes. `manifest` is what proves
    /// the image whose blobs they are.
    pub(crate) async fn blobs(
        &self,
        manifest: Option<&Proof>,
        blobs: &[&Digest],
    ) -> Result<HashMap<Digest, Proof>, WorkError> {
        let part = |blob: &&Digest| {
            let manifest = manifest?;
            let proven = manifest.proven.part(blob)?;
            Some(((*blob).clone(), Proof { proven, is_linked: manifest.is_linked }))
        };
        let parts: HashMap<_, _> = blobs.iter().filter_map(part).collect();
        if !parts.is_empty() || blobs.is_empty() {
            return Ok(parts);
        }
        let clues = self.reads.clues(&self.owner, self.trust, blobs.iter().copied(), now()).await?;
        let find = async |index: usize| -> Result<_, WorkError> {
            let digest: &Digest = blobs[index];
            let proof = self.blob(digest, clues.get(digest)).await?;
            Ok(proof.map(|proof| (digest.clone(), proof)))
        };
        Ok(follow(blobs.len(), find).await?.into_iter().flatten().collect())
    }

    async fn blob(&self, digest: &Digest, clue: Option<&Clue>) -> Result<Option<Proof>, WorkError> {
        let none = Clue::default();
        let clue = clue.unwrap_or(&none);
        let hinted = self.holder(clue).await?;
        let is_own = hinted.as_ref() == Some(&self.owner);
        let own = Some(Arc::clone(&self.owner)).filter(|_| !self.is_empty && !is_own);
        for holder in hinted.into_iter().chain(own) {
            if let Some(proven) = self.storage.proves_blob(&holder, &self.owner, self.trust, digest).await? {
                if clue.holder.as_ref() == Some(&holder.repository) {
                    self.hinted(digest, clue);
                }
                return Ok(Some(Proof { proven, is_linked: holder == self.owner }));
            }
        }
        Ok(clue.receipt.clone().map(Proof::unlinked))
    }

    /// The repository that a clue names, as it is now; nothing if it is gone, or trust does not reach there.
    async fn holder(&self, clue: &Clue) -> Result<Option<Arc<Owner>>, WorkError> {
        let Some(name) = &clue.holder else { return Ok(None) };
        if *name == self.owner.repository {
            return Ok(Some(Arc::clone(&self.owner)));
        }
        if !self.trust.joins(name, &self.owner.repository) {
            return Ok(None);
        }
        if let Some(known) = self.books().holders.get(name) {
            return Ok(known.clone());
        }
        let found = self.table.repository(name).await?;
        let holder = found.map(|found| Arc::new(Owner { repository: name.clone(), generation: found.id }));
        let mut books = self.books();
        if books.holders.len() < MAX_HOLDERS {
            books.holders.insert(name.clone(), holder.clone());
        }
        Ok(holder)
    }

    fn hinted(&self, digest: &Digest, clue: &Clue) {
        if !clue.is_old {
            self.books().hinted.insert(digest.clone());
        }
    }

    /// Notes that the registry has sent a manifest: it need not do so again if what is below it takes several tries.
    pub(crate) fn received(&self, manifest: &Proven) {
        let mut books = self.books();
        if books.received.len() < MAX_LINKS {
            books.received.insert(manifest.digest().clone(), manifest.clone());
        }
    }

    /// Notes that a manifest's link is about to be written; [`Self::linked`] tells of its end.
    pub(crate) fn linking(&self) {
        self.books().linking += 1;
    }

    /// Notes that content is linked; and that it was not before, if `is_new`.
    pub(crate) fn linked(&self, kind: Kind, content: &Proven, is_new: bool) {
        let mut books = self.books();
        let digest = content.digest();
        if kind == Kind::Manifest {
            books.received.remove(digest);
            books.linking = books.linking.saturating_sub(1);
        }
        if !books.hinted.remove(digest) && is_new {
            books.hints.insert(digest.clone());
        }
        if is_new && books.fresh.len() < MAX_LINKS {
            let number = books.linked;
            books.linked += 1;
            books.fresh.insert((kind, digest.clone()), Fresh { proven: content.clone(), number });
        } else if is_new {
            books.is_cut = true;
        }
    }

    /// Notes that a published tag needs content. Fails only if the claim is lost.
    pub(crate) async fn needed(&self, content: impl IntoIterator<Item = &Digest>) -> Result<(), WorkError> {
        let hints = {
            let mut books = self.books();
            if !books.fresh.is_empty() {
                for digest in content {
                    books.fresh.remove(&(Kind::Manifest, digest.clone()));
                    books.fresh.remove(&(Kind::Blob, digest.clone()));
                }
            }
            if books.hints.len() >= HINTS { std::mem::take(&mut books.hints) } else { BTreeSet::new() }
        };
        self.write(hints).await
    }

    /// Writes the hints of what published tags need: what else goes on need not be over. Fails only if the claim is lost.
    pub(crate) async fn spread(&self) -> Result<(), WorkError> {
        let hints = {
            let mut books = self.books();
            let (open, needed) = std::mem::take(&mut books.hints).into_iter().partition(|digest: &Digest| {
                [Kind::Manifest, Kind::Blob].iter().any(|kind| books.fresh.contains_key(&(*kind, digest.clone())))
            });
            books.hints = open;
            needed
        };
        self.write(hints).await
    }

    /// Writes hints. They prove nothing: without them others ask the bucket, or their registry. So what the table does not
    /// take is given up, and fails no tag and no run.
    async fn write(&self, hints: BTreeSet<Digest>) -> Result<(), WorkError> {
        let (owner, hints) = (&self.owner, hints.into_iter().collect::<Vec<_>>());
        match self.table.put_hints(owner, self.trust, &hints, now()).await.map_err(WorkError::from) {
            Err(WorkError::ClaimLost) => Err(WorkError::ClaimLost),
            Err(error) => {
                let repository = &owner.repository;
                tracing::warn!(%repository, ?error, "others learn later what the repository has");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes down what the next invocation, or the next run, need not find out again.
    async fn record(&self) -> Result<(), WorkError> {
        let (hints, received) = {
            let mut books = self.books();
            (std::mem::take(&mut books.hints), std::mem::take(&mut books.received))
        };
        let received: Vec<_> = received.into_values().collect();
        self.table.put_receipts(&received, now()).await?;
        self.write(hints).await
    }

    /// Ends a run, or an invocation of it: takes the links away that it made and no tag needs, and remembers for a while that their content came.
    pub(crate) async fn end(&self, claim: &Claim) -> Result<(), WorkError> {
        let (fresh, is_cut) = {
            let mut books = self.books();
            (std::mem::take(&mut books.fresh), books.is_cut || books.linking > 0)
        };
        // A manifest's link says that its blobs are linked: none of those goes where it may stay.
        let mut fresh: Vec<_> = fresh.into_iter().filter(|((kind, _), _)| !is_cut || *kind == Kind::Manifest).collect();
        if !fresh.is_empty() {
            claim.renew().await?;
            // Parents were linked after their children, and go before them.
            fresh.sort_unstable_by_key(|((kind, _), link)| (*kind, Reverse(link.number)));
            let of = |wanted: Kind| -> Vec<Digest> {
                fresh.iter().filter(|((kind, _), _)| *kind == wanted).map(|((_, digest), _)| digest.clone()).collect()
            };
            let repository = &self.owner.repository;
            for manifests in of(Kind::Manifest).chunks(UNLINKED_AT_ONCE) {
                claim.check()?;
                self.storage.unlink_manifests(repository, manifests).await?;
            }
            for blobs in of(Kind::Blob).chunks(UNLINKED_AT_ONCE) {
                claim.check()?;
                self.storage.unlink_blobs(repository, blobs).await?;
            }
            let mut books = self.books();
            for ((_, digest), Fresh { proven, .. }) in fresh {
                books.hints.remove(&digest);
                books.received.insert(digest, proven);
            }
        }
        self.record().await
    }
}
