//! Uploads in parts.

use std::{collections::BTreeMap, fmt::Write as _};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;

use crate::{
    answer::escaped,
    object::Object,
    request::Request,
    store::{Refusal, Store},
};

/// The least that a part has which is not the last: S3's limit.
const SMALLEST_PART: usize = 5 * 1024 * 1024;

/// An upload that has begun.
#[derive(Debug)]
pub(crate) struct Upload {
    bucket: String,
    key: String,
    began: DateTime,
    content_type: Option<String>,
    parts: BTreeMap<u32, Object>,
}

impl Store {
    /// Begins an upload, and gives its id.
    pub(crate) fn begin(&mut self, request: &Request) -> String {
        let (id, began) = (format!("upload-{:016x}", self.number()), DateTime::from(std::time::SystemTime::now()));
        let (bucket, key) = (request.bucket.clone(), request.key.clone());
        let content_type = request.header("content-type").map(str::to_owned);
        self.uploads.insert(id.clone(), Upload { bucket, key, began, content_type, parts: BTreeMap::new() });
        id
    }

    /// Takes in a part, and gives it back.
    pub(crate) fn part(&mut self, request: &Request, pieces: Vec<Bytes>) -> Result<Object, Refusal> {
        let number = request.asked("partNumber").parse().map_err(|_| Refusal::InvalidPart)?;
        let part = self.made(pieces, request.checksum.clone());
        self.upload_mut(request)?.parts.insert(number, part.clone());
        Ok(part)
    }

    /// Makes an object of the parts that are named.
    pub(crate) fn complete(&mut self, request: &Request) -> Result<Object, Refusal> {
        self.check(request)?;
        let body = request.body.concat();
        let named: Vec<u32> = numbers(&String::from_utf8_lossy(&body));
        let upload = self.upload_mut(request)?;
        let parts: Option<Vec<&Object>> = named.iter().map(|number| upload.parts.get(number)).collect();
        let parts = parts.filter(|parts| !parts.is_empty()).ok_or(Refusal::InvalidPart)?;
        if parts[..parts.len() - 1].iter().any(|part| part.size() < SMALLEST_PART) {
            return Err(Refusal::EntityTooSmall);
        }
        let pieces = parts.iter().flat_map(|part| part.pieces.iter().cloned()).collect();
        let (count, content_type) = (parts.len(), upload.content_type.clone());
        let object = self.made(pieces, None);
        let etag = format!("{}-{count}\"", object.etag.trim_end_matches('"'));
        let object = Object { etag, content_type, ..object };
        self.put(request, object.clone())?;
        self.uploads.remove(request.asked("uploadId"));
        Ok(object)
    }

    pub(crate) fn abort(&mut self, request: &Request) -> Result<(), Refusal> {
        self.upload_mut(request)?;
        self.uploads.remove(request.asked("uploadId"));
        Ok(())
    }

    /// The parts of an upload, in one page: S3 gives a thousand at a time, which no upload here goes beyond.
    pub(crate) fn parts(&mut self, request: &Request) -> Result<String, Refusal> {
        let mut xml = String::new();
        for (number, part) in &self.upload_mut(request)?.parts {
            let (etag, size) = (&part.etag, part.size());
            let modified = part.modified(DateTimeFormat::DateTime);
            let checksum = part.checksum.iter().map(|it| {
                let name = it.algorithm.to_uppercase();
                format!("<Checksum{name}>{}</Checksum{name}>", it.value)
            });
            let checksum: String = checksum.collect();
            let _ = write!(
                xml,
                "<Part><PartNumber>{number}</PartNumber><LastModified>{modified}</LastModified><ETag>{etag}</ETag>\
                 <Size>{size}</Size>{checksum}</Part>"
            );
        }
        let (key, id) = (escaped(&request.key), request.asked("uploadId"));
        Ok(format!(
            "<ListPartsResult><Key>{key}</Key><UploadId>{id}</UploadId><IsTruncated>false</IsTruncated>{xml}\
             </ListPartsResult>"
        ))
    }

    /// The uploads below a prefix, in one page.
    pub(crate) fn begun(&self, request: &Request) -> String {
        let here =
            |upload: &&Upload| upload.bucket == request.bucket && upload.key.starts_with(request.asked("prefix"));
        let mut xml = String::new();
        for (id, upload) in self.uploads.iter().filter(|(_, upload)| here(upload)) {
            let (key, began) = (escaped(&upload.key), upload.began.fmt(DateTimeFormat::DateTime).unwrap_or_default());
            let _ =
                write!(xml, "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{began}</Initiated></Upload>");
        }
        format!("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{xml}</ListMultipartUploadsResult>")
    }

    fn upload_mut(&mut self, request: &Request) -> Result<&mut Upload, Refusal> {
        let upload = self.uploads.get_mut(request.asked("uploadId"));
        upload.filter(|it| it.bucket == request.bucket && it.key == request.key).ok_or(Refusal::NoSuchUpload)
    }
}

/// The parts' numbers that a body names.
fn numbers(xml: &str) -> Vec<u32> {
    let found = xml.split("<PartNumber>").skip(1).filter_map(|rest| rest.split_once("</PartNumber>"));
    found.filter_map(|(number, _)| number.trim().parse().ok()).collect()
}
