//! Large content and many clients.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
};

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use moorage_domain::Digest;
use moorage_tests::{
    bucket::{ROOT, blob_key},
    client::Client,
    http,
    image::{Image, layer},
    seed,
    world::World,
};

const MIB: usize = 1024 * 1024;
/// The length of the large blob's parts, and their number: 1 GiB.
const PART: usize = 16 * MIB;
const PARTS: usize = 64;
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A manifest of exactly this length.
fn manifest(length: usize) -> Vec<u8> {
    let frame = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[],"annotations":{{"a":""}}}}"#);
    frame.replace(r#""a":"""#, &format!(r#""a":"{}""#, "x".repeat(length - frame.len()))).into_bytes()
}

#[tokio::test]
async fn large_manifests_come_from_s3_with_their_media_type() {
    let world = World::new("large").await;
    let repository = seed::repository(&world, "open", "public").await;
    let client = Client::of(&world.stack);
    for (length, is_large) in [(3_000_000, false), (3_000_001, true), (4 * MIB, true)] {
        let bytes = manifest(length);
        let digest = seed::manifest(&world.stack, &repository, bytes.clone()).await;
        seed::tag(&world.stack, &repository, "v1", &digest).await;
        for reference in ["v1".to_owned(), digest.to_string()] {
            let path = format!("/v2/{repository}/manifests/{reference}");
            let reply = client.get(&path).await;
            assert_eq!(reply.status, if is_large { 307 } else { 200 }, "{length}");
            assert_eq!(reply.header("docker-content-digest"), digest.to_string());
            let fetched = client.fetch(&path, &[]).await;
            assert_eq!((fetched.status, fetched.header("content-type")), (200, OCI_INDEX), "{length}");
            assert!(fetched.body == bytes, "{length}");
            // A URL for GET would be refused for HEAD.
            let mut head = client.head(&path).await;
            if is_large {
                assert_eq!(head.status, 307);
                let location = head.header("location").to_owned();
                // The emulator does not know this parameter of HEAD.
                assert!(location.contains("response-content-type=application%2Fvnd.oci.image.index.v1%2Bjson"));
                head = client.head(&location).await;
            } else {
                assert_eq!(head.header("content-type"), OCI_INDEX);
            }
            assert_eq!((head.status, head.header("content-length")), (200, length.to_string().as_str()));
        }
    }
    // More than any registry serves.
    let digest = seed::manifest(&world.stack, &repository, manifest(4 * MIB + 1)).await;
    assert_eq!(client.get(&format!("/v2/{repository}/manifests/{digest}")).await.status, 500);
}

/// Part `n` of the large blob: no two are equal.
fn part(block: &[u8], n: usize) -> Vec<u8> {
    let mut part = block.to_vec();
    part[..8].copy_from_slice(&n.to_be_bytes());
    part
}

/// Hashes as it is written to; faster than a test's own unoptimized code.
struct Hash(Child);

impl Hash {
    fn new() -> Self {
        Self(Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn digest(mut self) -> Digest {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap().stdout;
        format!("sha256:{}", std::str::from_utf8(&output[..64]).unwrap()).parse().unwrap()
    }
}

/// Stores the large blob, and returns its digest.
async fn store(world: &World, block: &[u8]) -> Digest {
    let mut hash = Hash::new();
    (0..PARTS).for_each(|n| hash.write(&part(block, n)));
    let digest = hash.digest();
    let (s3, bucket, key) = (world.stack.s3(), &world.stack.bucket, blob_key(&digest));
    let upload = s3.create_multipart_upload().bucket(bucket).key(&key).send().await.unwrap().upload_id.unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for n in 0..PARTS {
        let number = i32::try_from(n + 1).unwrap();
        let put = s3.upload_part().bucket(bucket).key(&key).upload_id(&upload).part_number(number);
        let put = put.body(part(block, n).into()).customize().disable_payload_signing().send().await.unwrap();
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(put.e_tag).build());
    }
    let complete = s3.complete_multipart_upload().bucket(bucket).key(&key).upload_id(upload);
    complete.multipart_upload(parts.build()).send().await.unwrap();
    let link = format!("{ROOT}/repositories/{}/_layers/sha256/{}/link", world.repository, digest.hex());
    seed::put(&world.stack, &link, digest.to_string().into_bytes()).await;
    digest
}

#[tokio::test]
async fn a_large_blob_arrives_in_pieces() {
    let world = World::new("gigabyte").await;
    world.grant("read").await;
    let client = world.robot().await;
    let block = layer(1, PART);
    let digest = store(&world, &block).await;
    let path = format!("/v2/{}/blobs/{digest}", world.repository);
    assert_eq!(client.head(&path).await.header("content-length"), (PARTS * PART).to_string());
    let middle = 40 * PART - 8;
    let piece = client.fetch(&path, &[("range", &format!("bytes={middle}-{}", middle + 15))]).await;
    assert_eq!(piece.status, 206);
    assert_eq!(piece.body, [&block[PART - 8..], &40_usize.to_be_bytes()].concat());

    // A download that breaks off goes on where it was, as clients do it.
    let (mut hash, mut length) = (Hash::new(), 0);
    for breaks_off in [true, true, false] {
        let location = client.get(&path).await.header("location").to_owned();
        let request = http().get(location).header("range", format!("bytes={length}-"));
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 206);
        let range = response.headers()["content-range"].to_str().unwrap().to_owned();
        assert_eq!(range, format!("bytes {length}-{}/{}", PARTS * PART - 1, PARTS * PART));
        let end = if breaks_off { length + 300 * MIB } else { PARTS * PART };
        while length < end {
            let chunk = response.chunk().await.unwrap().expect("more");
            hash.write(&chunk);
            length += chunk.len();
        }
    }
    assert_eq!((hash.digest(), length), (digest.clone(), PARTS * PART));
    forget(&world, &digest).await;
}

/// Deletes all versions of a blob: the emulator keeps them in memory.
async fn forget(world: &World, digest: &Digest) {
    let (s3, bucket, key) = (world.stack.s3(), &world.stack.bucket, blob_key(digest));
    let listed = s3.list_object_versions().bucket(bucket).prefix(&key).send().await.unwrap();
    for version in listed.versions() {
        let delete = s3.delete_object().bucket(bucket).key(&key);
        delete.set_version_id(version.version_id.clone()).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_clients_pull_at_once() {
    let world = World::new("thousand").await;
    world.grant("read").await;
    let image = Image::oci("amd64", &[layer(1, 1_000)]);
    seed::image(&world.stack, &world.repository, "v1", &image).await;
    let robot = world.robot().await;
    let token = robot.token(&[&format!("repository:{}:pull", world.repository)]).await;
    let clients = [robot.clone(), robot.bearer(&token)];
    let paths = ["v1".to_owned(), image.digest().to_string()];
    let paths = paths.map(|reference| format!("/v2/{}/manifests/{reference}", world.repository));
    let pulls = (0..1_000).map(|n| {
        let (client, path, expected) = (clients[n % 2].clone(), paths[n / 2 % 2].clone(), image.manifest.clone());
        tokio::spawn(async move {
            let reply = client.get(&path).await;
            assert_eq!((reply.status, &reply.body), (200, &expected), "{reply:?}");
        })
    });
    for pull in pulls.collect::<Vec<_>>() {
        pull.await.unwrap();
    }
}
