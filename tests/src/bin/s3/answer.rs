//! Which operation a request is, and what is answered.

use aws_sdk_s3::primitives::DateTimeFormat;
use hyper::{Method, Response, http::response::Builder};

use crate::{
    body::Body,
    object::{self, Checksum, Object},
    request::Request,
    store::{Refusal, Store},
};

/// Answers one request.
pub(crate) fn answer(store: &mut Store, request: &Request) -> Response<Body> {
    if request.bucket == "_empty" {
        store.clear();
        return empty(200);
    }
    operation(store, request).unwrap_or_else(|refusal| {
        let builder = Response::builder().status(refusal.status());
        let text = format!("<Error><Code>{refusal:?}</Code><Message>{refusal:?}</Message></Error>");
        if request.method == Method::HEAD { finished(builder, Body::default()) } else { xml(builder, &text) }
    })
}

fn operation(store: &mut Store, request: &Request) -> Result<Response<Body>, Refusal> {
    let has = |name| request.has(name);
    let ok = Response::builder;
    let is_copy = request.header("x-amz-copy-source").is_some();
    Ok(match request.method.as_str() {
        "PUT" | "HEAD" | "DELETE" if request.key.is_empty() => empty(200),
        "GET" if request.bucket.is_empty() => xml(ok(), "<ListAllMyBucketsResult/>"),
        "GET" if request.key.is_empty() && has("uploads") => xml(ok(), &store.begun(request)),
        "GET" if request.key.is_empty() => xml(ok(), &store.list(request)),
        "GET" if has("uploadId") => xml(ok(), &store.parts(request)?),
        "GET" => read(store, request)?,
        "HEAD" => {
            let object = store.get(&request.bucket, &request.key)?;
            finished(described(object, request, true).header("content-length", object.size()), Body::default())
        }
        "PUT" if has("partNumber") && is_copy => {
            let pieces = store.copied(request)?;
            xml(ok(), &copied("CopyPartResult", &store.part(request, pieces)?))
        }
        "PUT" if has("partNumber") => {
            let part = store.part(request, request.body.clone())?;
            finished(summed(ok().header("etag", &part.etag), part.checksum.as_ref()), Body::default())
        }
        "PUT" if is_copy => {
            let pieces = store.copied(request)?;
            let object = store.made(pieces, None);
            store.put(request, object.clone())?;
            xml(ok(), &copied("CopyObjectResult", &object))
        }
        "PUT" => {
            let object = store.made(request.body.clone(), request.checksum.clone());
            let object = Object { content_type: request.header("content-type").map(str::to_owned), ..object };
            let builder = summed(ok().header("etag", &object.etag), object.checksum.as_ref());
            store.put(request, object)?;
            finished(builder, Body::default())
        }
        "POST" if request.key.is_empty() && has("delete") => xml(ok(), &delete_all(store, request)),
        "POST" if has("uploads") => {
            let (id, bucket, key) = (store.begin(request), &request.bucket, escaped(&request.key));
            let text = format!("<Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>");
            xml(ok(), &format!("<InitiateMultipartUploadResult>{text}</InitiateMultipartUploadResult>"))
        }
        "POST" if has("uploadId") => {
            let (object, bucket, key) = (store.complete(request)?, &request.bucket, escaped(&request.key));
            let text = format!("<Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>{}</ETag>", object.etag);
            xml(ok(), &format!("<CompleteMultipartUploadResult>{text}</CompleteMultipartUploadResult>"))
        }
        "DELETE" if has("uploadId") => {
            store.abort(request)?;
            empty(204)
        }
        "DELETE" => {
            if request.header("if-match").is_some() {
                store.check(request)?;
            }
            store.delete(&request.bucket, &request.key);
            empty(204)
        }
        _ => return Err(Refusal::NotImplemented),
    })
}

fn read(store: &Store, request: &Request) -> Result<Response<Body>, Refusal> {
    let object = store.get(&request.bucket, &request.key)?;
    let (asked, size) = (request.header("range"), object.size());
    let range = object::range(asked, size).or((size == 0 && asked.is_none()).then_some(0..0));
    let range = range.ok_or(Refusal::InvalidRange)?;
    let mut builder = described(object, request, asked.is_none());
    if asked.is_some() {
        let last = range.end.saturating_sub(1);
        builder = builder.status(206).header("content-range", format!("bytes {}-{last}/{size}", range.start));
    }
    Ok(finished(builder, object.slice(&range).into_iter().collect()))
}

/// The headers of an object; with its checksum, if it is asked for and is of all of it.
fn described(object: &Object, request: &Request, whole: bool) -> Builder {
    let asked = Some(request.asked("response-content-type")).filter(|asked| !asked.is_empty());
    let content_type = asked.or(object.content_type.as_deref()).unwrap_or("binary/octet-stream");
    let builder = Response::builder().header("etag", &object.etag).header("content-type", content_type);
    let builder = builder.header("last-modified", object.modified(DateTimeFormat::HttpDate));
    let is_asked = request.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    let checksum = object.checksum.as_ref().filter(|_| whole && is_asked);
    summed(builder.header("accept-ranges", "bytes"), checksum)
}

fn summed(builder: Builder, checksum: Option<&Checksum>) -> Builder {
    match checksum {
        Some(it) => builder.header(format!("x-amz-checksum-{}", it.algorithm), &it.value),
        None => builder,
    }
}

/// Deletes what a `DeleteObjects` names.
fn delete_all(store: &mut Store, request: &Request) -> String {
    let body = request.body.concat();
    let body = String::from_utf8_lossy(&body);
    for key in body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")) {
        store.delete(&request.bucket, &plain(key.0));
    }
    "<DeleteResult></DeleteResult>".to_owned()
}

fn copied(name: &str, object: &Object) -> String {
    let (etag, modified) = (&object.etag, object.modified(DateTimeFormat::DateTime));
    format!("<{name}><ETag>{etag}</ETag><LastModified>{modified}</LastModified></{name}>")
}

fn xml(builder: Builder, text: &str) -> Response<Body> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{text}");
    finished(builder.header("content-type", "application/xml"), text.into())
}

fn empty(status: u16) -> Response<Body> {
    finished(Response::builder().status(status), Body::default())
}

fn finished(builder: Builder, body: Body) -> Response<Body> {
    builder.header("x-amz-request-id", "0").body(body).unwrap()
}

/// Text as XML has it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn plain(xml: &str) -> String {
    xml.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
