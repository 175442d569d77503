//! New trusted roots, as TUF distributes them: the client's workflow of its specification, 5.3 to 5.7, over bytes that
//! somebody else fetches. What is signed, expired and named by hash the library judges; whether it is older than what was
//! seen before we do, because the library does so only with the files of then.

mod anchor;
mod chain;
mod error;
mod repository;
mod target;
#[cfg(test)]
mod tests;

use moorage_domain::Timestamp;

use crate::trust::{MAX_TRUST_ROOT, TrustRoot};
use chain::{Chain, SNAPSHOT, TARGETS, TIMESTAMP};

pub use anchor::{Anchor, MAX_ROOT};
pub use error::{Defect, RefreshError};
pub use repository::Repository;

/// The most roots that are walked at once: Sigstore has had 16 in five years.
pub const MAX_ROOTS: usize = 64;
/// The largest `timestamp.json`, in bytes: it names one file, and Sigstore's has half a kB.
pub const MAX_TIMESTAMP: usize = 16 * 1024;
/// The largest `snapshot.json`, in bytes: it names some files, and Sigstore's has 2 kB.
pub const MAX_SNAPSHOT: usize = 256 * 1024;
/// The largest `targets.json`, in bytes: it names some dozens of files, and Sigstore's has 5 kB.
pub const MAX_TARGETS: usize = 1024 * 1024;

/// The target. Sigstore has it in its topmost list, so that it does not matter whom that delegates to.
const TRUSTED_ROOT: &str = "trusted_root.json";

/// What a fetch has: the bytes of a file, or nothing if there is no such file.
pub type Fetched<E> = Result<Option<Vec<u8>>, E>;

/// What a refresh has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// What the next refresh starts from.
    pub anchor: Anchor,
    /// The trusted root, which [`TrustRoot::parse`] takes.
    pub trust_root: Vec<u8>,
    /// When the first of the metadata expires that vouch for it. Sigstore's timestamp is good for a week.
    pub good_until: Timestamp,
}

/// Looks for the trusted root that is current. It asks for some files, one after the other, and keeps nothing of what came
/// before one that cannot be had or is refused.
///
/// `fetch` gets the file of a path in the repository. That there is none object stores say by 403 as well as by 404. Of a file
/// that is larger than the size that it is given it need not read more than one byte beyond that.
pub async fn refresh<E, F: Future<Output = Fetched<E>>>(
    anchor: &Anchor,
    fetch: impl Fn(String, usize) -> F,
    now: Timestamp,
) -> Result<Refreshed, RefreshError<E>> {
    let mut chain = latest(anchor, &fetch, now).await?;
    let snapshot = needed(&fetch, TIMESTAMP, MAX_TIMESTAMP, |bytes| chain.timestamp(&bytes)).await?;
    let file = chain.file(snapshot, SNAPSHOT);
    let targets = needed(&fetch, &file, MAX_SNAPSHOT, |bytes| chain.snapshot(&bytes)).await?;
    let file = chain.file(targets, TARGETS);
    let target = needed(&fetch, &file, MAX_TARGETS, |bytes| chain.targets(&bytes, TRUSTED_ROOT)).await?;
    let good_until = chain.good_until();
    let usable = |bytes: Vec<u8>| {
        target.check(&bytes)?;
        TrustRoot::parse(&bytes, good_until).map_err(Defect::NoTrustRoot)?;
        Ok(bytes)
    };
    let trust_root = needed(&fetch, &target.path(chain.is_consistent()), MAX_TRUST_ROOT, usable).await?;
    Ok(Refreshed { anchor: chain.anchor(), trust_root, good_until })
}

/// Walks to the last root.
async fn latest<E, F: Future<Output = Fetched<E>>>(
    anchor: &Anchor,
    fetch: &impl Fn(String, usize) -> F,
    now: Timestamp,
) -> Result<Chain, RefreshError<E>> {
    let mut file = "root.json".to_owned();
    let mut chain = Chain::begin(anchor, now).map_err(|defect| defect.of(&file))?;
    for _ in 0..=MAX_ROOTS {
        let next = format!("{}.root.json", chain.next_root());
        if optional(fetch, &next, MAX_ROOT, |bytes| chain.root(&bytes)).await?.is_none() {
            chain.end_roots().map_err(|defect| defect.of(&file))?;
            return Ok(chain);
        }
        file = next;
    }
    Err(RefreshError::TooManyRoots)
}

/// Fetches a file and takes it.
async fn needed<T, E, F: Future<Output = Fetched<E>>>(
    fetch: &impl Fn(String, usize) -> F,
    file: &str,
    max: usize,
    take: impl FnOnce(Vec<u8>) -> Result<T, Defect>,
) -> Result<T, RefreshError<E>> {
    optional(fetch, file, max, take).await?.ok_or_else(|| Defect::Missing.of(file))
}

/// Fetches a file and takes it, if it is there.
async fn optional<T, E, F: Future<Output = Fetched<E>>>(
    fetch: &impl Fn(String, usize) -> F,
    file: &str,
    max: usize,
    take: impl FnOnce(Vec<u8>) -> Result<T, Defect>,
) -> Result<Option<T>, RefreshError<E>> {
    let fetched =
        fetch(file.to_owned(), max).await.map_err(|cause| RefreshError::Fetch { file: file.to_owned(), cause })?;
    let Some(bytes) = fetched else { return Ok(None) };
    let taken = if bytes.len() > max { Err(Defect::TooLarge(max)) } else { take(bytes) };
    taken.map(Some).map_err(|defect| defect.of(file))
}
