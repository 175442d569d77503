//! Pages of `ListObjectsV2`, and of the older `ListObjects`, which stock registries ask for.

use std::{fmt::Write as _, ops::Bound};

use aws_sdk_s3::primitives::DateTimeFormat;

use crate::{answer::escaped, request::Request, store::Store};

/// Entries of a page: S3's limit.
const PAGE: usize = 1_000;
/// Behind whatever begins with the same.
const LAST: char = '\u{10ffff}';

impl Store {
    /// A page of a bucket.
    pub(crate) fn list(&self, request: &Request) -> String {
        let (prefix, delimiter) = (request.asked("prefix"), request.asked("delimiter"));
        let given = ["continuation-token", "start-after", "marker"].map(|name| request.asked(name));
        let start = given.into_iter().find(|start| !start.is_empty()).unwrap_or_default();
        let most = request.asked("max-keys").parse().unwrap_or(PAGE).min(PAGE);
        let home = format!("{}/", request.bucket);
        let (mut contents, mut folders, mut count, mut last) = (String::new(), String::new(), 0, String::new());
        let mut from = if start < prefix {
            Bound::Included(format!("{home}{prefix}"))
        } else {
            Bound::Excluded(format!("{home}{start}"))
        };
        let truncated = loop {
            let next = self.objects.range((from.clone(), Bound::Unbounded)).next();
            let next = next.and_then(|(path, object)| Some((path.strip_prefix(&home)?, object)));
            let Some((key, object)) = next.filter(|(key, _)| key.starts_with(prefix)) else { break false };
            let folder = (!delimiter.is_empty()).then(|| key[prefix.len()..].find(delimiter)).flatten();
            let folder = folder.map(|at| &key[..prefix.len() + at + delimiter.len()]);
            // A folder is behind itself, with all that is in it.
            let end = folder.map_or_else(|| key.to_owned(), |folder| format!("{folder}{LAST}"));
            from = Bound::Excluded(format!("{home}{end}"));
            if folder == Some(start) {
                continue;
            }
            if count == most {
                break true;
            }
            (count, last) = (count + 1, end);
            if let Some(folder) = folder {
                let _ = write!(folders, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(folder));
                continue;
            }
            let (key, etag, size) = (escaped(key), &object.etag, object.size());
            let modified = object.modified(DateTimeFormat::DateTime);
            let _ = write!(
                contents,
                "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag><Size>{size}</Size>\
                 <StorageClass>STANDARD</StorageClass></Contents>"
            );
        };
        let token = if request.has("list-type") { "NextContinuationToken" } else { "NextMarker" };
        let token = if truncated { format!("<{token}>{}</{token}>", escaped(&last)) } else { String::new() };
        format!(
            "<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{token}<KeyCount>{count}</KeyCount>{contents}{folders}\
             </ListBucketResult>"
        )
    }
}
