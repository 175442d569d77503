//! What an image is for, and how large it is, by its manifests.

use std::collections::BTreeMap;

use bytes::Bytes;
use moorage_domain::{
    Digest, FailureReason,
    failure::Failure,
    gate::Facts,
    manifest::{Content, Descriptor, MAX_MANIFEST_SIZE, Manifest, inline},
    plan::MAX_MANIFESTS,
    platform::{self, Platform},
    selection::{self, Needs},
};

use crate::error::WorkError;

/// How deep indexes are looked into: an index of indexes.
const DEPTH: usize = 2;

/// What stands for a platform whose name is none.
const UNKNOWN: &str = "unknown";

/// What has to be read of an image.
pub(crate) enum Document<'a> {
    /// A manifest.
    Manifest(&'a Digest),
    /// An image's config.
    Config(&'a Descriptor),
}

/// Finds out what `needs` asks for, by no more documents than that takes.
pub(crate) async fn look(
    image: &Digest,
    needs: Needs,
    read: impl AsyncFn(Document<'_>) -> Result<Bytes, WorkError>,
) -> Result<Facts, WorkError> {
    let bytes = read(Document::Manifest(image)).await?;
    let top = Manifest::parse(&bytes)?;
    let platforms = match &top.content {
        _ if !needs.platforms => None,
        Content::Index(_) => Some(platform::of_index(&bytes)),
        Content::Image(blobs) => Some(of_config(image, &bytes, blobs, &read).await?),
    };
    let size = if needs.size { Some(size(image, bytes.len(), top.content, &read).await?) } else { None };
    let parse =
        |platforms: Vec<Platform>| platforms.iter().map(|platform| parsed(&platform.name)).collect::<Option<_>>();
    Ok(Facts { size, platforms: platforms.and_then(parse) })
}

/// A platform by its name. One that is none that can be wanted is no other's, and not none at all.
fn parsed(name: &str) -> Option<selection::Platform> {
    name.parse().ok().or_else(|| selection::Platform::new(UNKNOWN, UNKNOWN, None))
}

/// What was not added up would let in what is too large.
fn too_much() -> WorkError {
    let message = format!("the image lists more than {MAX_MANIFESTS} manifests, or indexes deeper than {DEPTH}");
    WorkError::Failed(Failure::new(FailureReason::ContentRefused, message))
}

/// Nothing in it for what has no config of an image.
async fn of_config(
    image: &Digest,
    manifest: &[u8],
    blobs: &[Descriptor],
    read: impl AsyncFn(Document<'_>) -> Result<Bytes, WorkError>,
) -> Result<Vec<Platform>, WorkError> {
    let Some(config) = blobs.first().filter(|config| config.size <= MAX_MANIFEST_SIZE as u64) else {
        return Ok(Vec::new());
    };
    let inlined = if config.has_data() { inline(manifest, &config.digest) } else { None };
    let config = match inlined {
        Some(data) => data.into(),
        None => read(Document::Config(config)).await?,
    };
    Ok(platform::of_config(image, &config).into_iter().collect())
}

/// Each digest once, as what is held of a tag is counted.
async fn size(
    image: &Digest,
    length: usize,
    content: Content,
    read: impl AsyncFn(Document<'_>) -> Result<Bytes, WorkError>,
) -> Result<u64, WorkError> {
    let mut sizes = BTreeMap::from([(image.clone(), length as u64)]);
    let (mut open, mut depth, mut manifests) = (vec![content], 0, 0_usize);
    while !open.is_empty() && depth <= DEPTH {
        let mut below = Vec::new();
        for content in open {
            match content {
                Content::Image(blobs) => sizes.extend(blobs.into_iter().map(|blob| (blob.digest, blob.size))),
                Content::Index(children) => {
                    for child in children {
                        if sizes.contains_key(&child.digest) {
                            continue;
                        }
                        manifests += 1;
                        if manifests > MAX_MANIFESTS {
                            return Err(too_much());
                        }
                        let bytes = read(Document::Manifest(&child.digest)).await?;
                        sizes.insert(child.digest, bytes.len() as u64);
                        below.push(Manifest::parse(&bytes)?.content);
                    }
                }
            }
        }
        open = below;
        depth += 1;
    }
    if !open.is_empty() {
        return Err(too_much());
    }
    Ok(sizes.into_values().fold(0, u64::saturating_add))
}
