//! Everything that is stored. Who has it locked does one thing as a whole: of several conditional writes one wins.

use std::{collections::BTreeMap, ops::Range, time::SystemTime};

use aws_sdk_s3::primitives::DateTime;
use bytes::Bytes;

use crate::{
    object::{self, Checksum, Object},
    request::Request,
    uploads::Upload,
};

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Refusal {
    NoSuchKey,
    NoSuchUpload,
    InvalidPart,
    EntityTooSmall,
    InvalidRange,
    PreconditionFailed,
    NotImplemented,
}

impl Refusal {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::NoSuchKey | Self::NoSuchUpload => 404,
            Self::InvalidPart | Self::EntityTooSmall => 400,
            Self::InvalidRange => 416,
            Self::PreconditionFailed => 412,
            Self::NotImplemented => 501,
        }
    }
}

/// Buckets, each when somebody writes to it.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Objects by bucket and key, with a slash in between.
    pub(crate) objects: BTreeMap<String, Object>,
    /// Uploads by their ids.
    pub(crate) uploads: BTreeMap<String, Upload>,
    counted: u64,
}

impl Store {
    /// Forgets all objects and uploads.
    pub(crate) fn clear(&mut self) {
        self.objects.clear();
        self.uploads.clear();
    }

    /// A number that nothing else has or has had.
    pub(crate) fn number(&mut self) -> u64 {
        self.counted += 1;
        self.counted
    }

    /// An object of these bytes, which nobody has yet.
    pub(crate) fn made(&mut self, pieces: Vec<Bytes>, checksum: Option<Checksum>) -> Object {
        let etag = format!("\"{:032x}\"", self.number());
        let modified = DateTime::from(SystemTime::now());
        Object { etag, modified, content_type: None, checksum, pieces }
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Result<&Object, Refusal> {
        self.objects.get(&path(bucket, key)).ok_or(Refusal::NoSuchKey)
    }

    /// Writes an object if it may be written.
    pub(crate) fn put(&mut self, request: &Request, object: Object) -> Result<(), Refusal> {
        self.check(request)?;
        self.objects.insert(path(&request.bucket, &request.key), object);
        Ok(())
    }

    pub(crate) fn delete(&mut self, bucket: &str, key: &str) {
        self.objects.remove(&path(bucket, key));
    }

    /// Whether what is there is what `If-Match` and `If-None-Match` ask for.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Refusal> {
        let there = self.get(&request.bucket, &request.key);
        if request.header("if-none-match") == Some("*") && there.is_ok() {
            return Err(Refusal::PreconditionFailed);
        }
        match (request.header("if-match"), there) {
            (None, _) => Ok(()),
            (Some(_), Err(missing)) => Err(missing),
            (Some(wanted), Ok(object)) if wanted == "*" || unquoted(wanted) == unquoted(&object.etag) => Ok(()),
            (Some(_), Ok(_)) => Err(Refusal::PreconditionFailed),
        }
    }

    /// The bytes of the object that a copy is made of, or of a range of it.
    pub(crate) fn copied(&self, request: &Request) -> Result<Vec<Bytes>, Refusal> {
        let (bucket, key) = request.source().ok_or(Refusal::NoSuchKey)?;
        let object = self.get(&bucket, &key)?;
        let range: Range<usize> =
            object::range(request.header("x-amz-copy-source-range"), object.size()).ok_or(Refusal::InvalidRange)?;
        Ok(object.slice(&range))
    }
}

pub(crate) fn path(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

pub(crate) fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}
