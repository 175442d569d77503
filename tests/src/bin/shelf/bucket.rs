//! The bucket: keys and what is behind them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    ops::Bound,
};

use bytes::Bytes;
use moorage_domain::Digest;
use serde_json::json;

/// Where the layout begins.
const ROOT: &str = "docker/registry/v2";
/// When everything was written: long ago.
const WRITTEN: &str = "2026-01-01T00:00:00.000Z";
/// Entries of a page: S3's limit.
const PAGE: usize = 1_000;
/// The media types of an image and of its parts.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A blob. Nobody asks for its bytes, only for how many there are.
const BLOB: &[u8] = b"some blob";

/// Objects by their keys.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    objects: BTreeMap<String, Bytes>,
}

impl Bucket {
    /// So many repositories of so many tags each.
    pub(crate) fn seeded(namespace: &str, repositories: usize, tags: usize) -> Self {
        let mut bucket = Self::default();
        for repository in 0..repositories {
            let home = format!("{ROOT}/repositories/{namespace}/r{repository:05}");
            for tag in 0..tags {
                let digest = bucket.image(&home, repository, tag);
                bucket.link(&format!("{home}/_manifests/tags/v{tag}/current"), &digest);
                bucket.link(&format!("{home}/_manifests/tags/v{tag}/index/sha256/{}", digest.hex()), &digest);
            }
            bucket.image(&home, repository, tags);
        }
        bucket
    }

    /// An image of two layers, one of which the repository's others have, too.
    fn image(&mut self, home: &str, repository: usize, number: usize) -> Digest {
        let blob = |part: &str| Digest::sha256(format!("{repository} {part}").as_bytes());
        let (config, layer, base) = (blob(&format!("config {number}")), blob(&format!("layer {number}")), blob("base"));
        let descriptor =
            |media_type: &str, digest: &Digest| json!({"mediaType": media_type, "digest": digest, "size": BLOB.len()});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &base), descriptor(LAYER, &layer)],
        });
        let bytes = Bytes::from(manifest.to_string());
        let digest = Digest::sha256(&bytes);
        for blob in [&config, &layer, &base] {
            self.link(&format!("{home}/_layers/sha256/{}", blob.hex()), blob);
            self.objects.insert(blob_key(blob), Bytes::from_static(BLOB));
        }
        self.link(&format!("{home}/_manifests/revisions/sha256/{}", digest.hex()), &digest);
        self.objects.insert(blob_key(&digest), bytes);
        digest
    }

    fn link(&mut self, folder: &str, digest: &Digest) {
        self.objects.insert(format!("{folder}/link"), digest.to_string().into());
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// An object, and its entity tag.
    pub(crate) fn get(&self, key: &str) -> Option<(String, Bytes)> {
        let bytes = self.objects.get(key)?;
        Some((etag(bytes), bytes.clone()))
    }

    /// The first tags of a repository behind one, at most so many.
    pub(crate) fn tags(&self, name: &str, after: &str, most: usize) -> Vec<&str> {
        let folder = format!("{ROOT}/repositories/{name}/_manifests/tags/");
        let keys = self.objects.range(folder.clone()..).map(|(key, _)| key);
        let tags =
            keys.map_while(|key| key.strip_prefix(&folder)).filter_map(|rest| rest.strip_suffix("/current/link"));
        let mut tags: Vec<&str> = tags.collect();
        // S3 has another order.
        tags.sort_unstable();
        tags.into_iter().filter(|tag| *tag > after).take(most).collect()
    }

    /// A manifest by a tag or its digest, and the digest.
    pub(crate) fn manifest(&self, name: &str, reference: &str) -> Option<(String, Bytes)> {
        let link = format!("{ROOT}/repositories/{name}/_manifests/tags/{reference}/current/link");
        let by_tag = self.objects.get(&link).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        let digest = by_tag.unwrap_or_else(|| reference.to_owned());
        let bytes = self.objects.get(&blob_key(&digest.parse().ok()?))?;
        Some((digest, bytes.clone()))
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.objects.remove(key);
    }

    /// Deletes what a `DeleteObjects` names.
    pub(crate) fn delete_all(&mut self, xml: &str) {
        for key in xml.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")) {
            self.objects.remove(key.0);
        }
    }

    /// A page of `ListObjectsV2`.
    pub(crate) fn list(&self, query: &BTreeMap<String, String>) -> String {
        let of = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (of("prefix"), of("delimiter"));
        let start = if of("continuation-token").is_empty() { of("start-after") } else { of("continuation-token") };
        let mut folders = BTreeSet::new();
        let (mut contents, mut count, mut last) = (String::new(), 0, String::new());
        let mut from =
            if start > prefix { Bound::Excluded(start.to_owned()) } else { Bound::Included(prefix.to_owned()) };
        let truncated = loop {
            let next = self.objects.range((from.clone(), Bound::Unbounded)).next();
            let Some((key, bytes)) = next.filter(|(key, _)| key.starts_with(prefix)) else { break false };
            let folder = (!delimiter.is_empty()).then(|| key[prefix.len()..].find(delimiter)).flatten();
            let folder = folder.map(|at| key[..prefix.len() + at + delimiter.len()].to_owned());
            if count == PAGE {
                break true;
            }
            if let Some(folder) = folder {
                // Behind everything that is in it.
                from = Bound::Excluded(format!("{folder}\u{10ffff}"));
                last = format!("{folder}\u{10ffff}");
                count += usize::from(folders.insert(folder));
                continue;
            }
            let (size, etag) = (bytes.len(), etag(bytes));
            let _ = write!(
                contents,
                "<Contents><Key>{key}</Key><LastModified>{WRITTEN}</LastModified><ETag>{etag}</ETag><Size>{size}</Size>\
                 </Contents>"
            );
            count += 1;
            last.clone_from(key);
            from = Bound::Excluded(key.clone());
        };
        for folder in &folders {
            let _ = write!(contents, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
        }
        let token =
            if truncated { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
        format!(
            "<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{token}<KeyCount>{count}</KeyCount>{contents}\
             </ListBucketResult>"
        )
    }
}

fn blob_key(digest: &Digest) -> String {
    format!("{ROOT}/blobs/sha256/{}/{}/data", &digest.hex()[..2], digest.hex())
}

/// As good as any: the same bytes have the same.
fn etag(bytes: &Bytes) -> String {
    format!("\"{}\"", &Digest::sha256(bytes).hex()[..32])
}
