//! What Moorage's own client sees of it.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata as _,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier},
};
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::store::Store;

/// S3's least for a part that is not the last.
const PART: usize = 5 * 1024 * 1024;

async fn client() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(crate::listen(listener, Arc::new(Mutex::new(Store::default()))));
    let defaults = aws_config::defaults(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let config = defaults.no_credentials().endpoint_url(url).load().await;
    Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
}

async fn put(client: &Client, key: &str, bytes: &'static [u8]) -> String {
    let put = client.put_object().bucket("b-1").key(key).body(Bytes::from_static(bytes).into());
    put.send().await.unwrap().e_tag.unwrap()
}

async fn read(client: &Client, key: &str, range: Option<&str>) -> Bytes {
    let get = client.get_object().bucket("b-1").key(key).set_range(range.map(str::to_owned));
    get.send().await.unwrap().body.collect().await.unwrap().into_bytes()
}

#[tokio::test]
async fn of_writes_with_the_same_condition_one_wins() {
    let client = client().await;
    let writes: Vec<_> = (0..16)
        .map(|_| {
            let put = client.put_object().bucket("b-1").key("new").if_none_match("*");
            tokio::spawn(put.body(Bytes::from_static(b"one").into()).send())
        })
        .collect();
    let mut won = 0;
    for write in writes {
        match write.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.code(), Some("PreconditionFailed")),
        }
    }
    assert_eq!(won, 1);
    let old = put(&client, "link", b"old").await;
    let change = |etag: &str| client.put_object().bucket("b-1").key("link").if_match(etag).send();
    change(&old).await.unwrap();
    assert_eq!(change(&old).await.unwrap_err().code(), Some("PreconditionFailed"));
}

#[tokio::test]
async fn parts_and_copies_make_one_object() {
    let client = client().await;
    let create = client.create_multipart_upload().bucket("b-1").key("whole");
    let id = create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap().upload_id.unwrap();
    let first = client.upload_part().bucket("b-1").key("whole").upload_id(&id).part_number(1);
    let first = first.checksum_algorithm(ChecksumAlgorithm::Crc32).body(vec![7; PART].into()).send().await.unwrap();
    assert!(first.checksum_crc32.is_some());
    put(&client, "source", b"abcdef").await;
    let copy = client.upload_part_copy().bucket("b-1").key("whole").upload_id(&id).part_number(2);
    let second = copy.copy_source("b-1/source").copy_source_range("bytes=2-4").send().await.unwrap();
    let listed = client.list_parts().bucket("b-1").key("whole").upload_id(&id).send().await.unwrap();
    assert_eq!(listed.parts()[0].checksum_crc32, first.checksum_crc32);
    assert_eq!(listed.parts().iter().map(|part| part.size().unwrap()).collect::<Vec<_>>(), [5 * 1024 * 1024, 3]);
    let etags = [first.e_tag, second.copy_part_result.unwrap().e_tag];
    let parts = (1..).zip(etags).map(|(n, etag)| CompletedPart::builder().part_number(n).set_e_tag(etag).build());
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
    let complete = client.complete_multipart_upload().bucket("b-1").key("whole").upload_id(&id);
    complete.clone().multipart_upload(parts.clone()).send().await.unwrap();
    assert_eq!(read(&client, "whole", Some(&format!("bytes={}-", PART - 1))).await, b"\x07cde"[..]);
    let again = complete.multipart_upload(parts).send().await.unwrap_err();
    assert_eq!(again.code(), Some("NoSuchUpload"));
    let head = client.head_object().bucket("b-1").key("whole").send().await.unwrap();
    assert_eq!(head.content_length, Some(5 * 1024 * 1024 + 3));
}

#[tokio::test]
async fn listings_come_in_pages_and_folders() {
    let client = client().await;
    for key in ["a/1", "a/2", "b/1", "b&c", "d"] {
        put(&client, key, b"x").await;
    }
    let list = || client.list_objects_v2().bucket("b-1");
    let mut found = Vec::new();
    let mut pages = list().delimiter("/").max_keys(1).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        found.extend(page.common_prefixes().iter().filter_map(|it| it.prefix().map(str::to_owned)));
        found.extend(page.contents().iter().filter_map(|it| it.key().map(str::to_owned)));
    }
    assert_eq!(found, ["a/", "b&c", "b/", "d"]);
    let behind = list().start_after("a/2").prefix("b").send().await.unwrap();
    assert_eq!(behind.contents().iter().filter_map(|it| it.key()).collect::<Vec<_>>(), ["b&c", "b/1"]);
    let named = |key| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(named("b&c")).objects(named("d")).build().unwrap();
    client.delete_objects().bucket("b-1").delete(delete).send().await.unwrap();
    assert_eq!(list().send().await.unwrap().key_count, Some(3));
}
