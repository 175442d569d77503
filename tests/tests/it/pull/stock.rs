//! Our registry and a stock one over the same mirrored bucket: the same content, byte for byte, and the differences that
//! we want.

use std::collections::BTreeSet;

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    client::{Client, Reply},
    image::{Image, layer},
    registry::Registry,
    world::World,
};
use reqwest::Method;
use serde_json::json;

const ACCEPT: [(&str, &str); 1] = [(
    "accept",
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json",
)];

/// A repository mirrored with one image of each kind.
async fn mirrored(name: &str) -> World {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    let oci = |seed| Image::oci("amd64", &[layer(1, 20_000), layer(seed, 300)]);
    let subject = oci(10);
    for (tag, image) in [
        ("1", subject.clone()),
        ("1-alpine", oci(11)),
        ("1.2", Image::index(vec![oci(12), Image::oci("arm64", &[layer(13, 30)])])),
        ("10", Image::docker("amd64", &[layer(14, 300)])),
        ("list", Image::list(vec![Image::docker("amd64", &[layer(15, 9)]), Image::docker("s390x", &[layer(16, 8)])])),
        ("artifact", Image::artifact(layer(17, 50))),
        ("nested", Image::index(vec![Image::index(vec![oci(18)]), Image::index(vec![])])),
        ("empty-layer", Image::oci("amd64", &[vec![]])),
        (&subject.referrers_tag(), Image::referrers(vec![Image::referrer(&subject, layer(19, 9))])),
    ] {
        image.push(&upstream, &world.path, tag).await;
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    world
}

/// What of an answer has to be the same.
fn essence(reply: &Reply) -> (u16, [String; 4], Vec<u8>) {
    let names = ["content-type", "content-length", "docker-content-digest", "etag"];
    (reply.status, names.map(|name| reply.header(name).to_owned()), reply.body.clone())
}

async fn compare(world: &World, stock: &Registry) {
    let (stock, ours) = (Client::new(&stock.url), world.robot().await);
    let name = &world.repository;
    let held = bucket::check(&world.stack, name).await;
    let references = held.tags.keys().cloned().chain(held.revisions.iter().map(Digest::to_string));
    for reference in references {
        let path = format!("/v2/{name}/manifests/{reference}");
        for method in [Method::GET, Method::HEAD] {
            // A stock registry gives by tag a child of a Docker list, or nothing, to clients that do not accept the list.
            let theirs = stock.send(method.clone(), &path, &ACCEPT).await;
            let ours = ours.send(method.clone(), &path, &ACCEPT).await;
            assert_eq!(essence(&ours), essence(&theirs), "{method} {path}");
            assert_eq!(ours.status, 200);
        }
    }
    for digest in &held.layers {
        let path = format!("/v2/{name}/blobs/{digest}");
        let (theirs, our) = (stock.get(&path).await, ours.get(&path).await);
        assert_eq!((our.status, theirs.status), (307, 307), "{path}");
        let (theirs, our) = (stock.fetch(&path, &[]).await, ours.fetch(&path, &[]).await);
        assert_eq!((our.status, &our.body), (theirs.status, &theirs.body), "{path}");
        assert_eq!(Digest::sha256(&our.body), *digest);
        // A stock registry redirects HEAD, too, which not every client can follow.
        assert_eq!(ours.head(&path).await.header("content-length"), our.body.len().to_string(), "{path}");
        assert_eq!(stock.head(&path).await.status, 307);
    }
    // The same tags; the order of a stock 2.8 is S3's.
    let tags = |reply: &Reply| serde_json::from_value::<Vec<String>>(reply.json()["tags"].clone()).unwrap();
    let path = format!("/v2/{name}/tags/list");
    let (theirs, our) = (tags(&stock.get(&path).await), tags(&ours.get(&path).await));
    assert_eq!(our, held.tags.keys().cloned().collect::<Vec<_>>());
    assert_eq!(theirs.into_iter().collect::<BTreeSet<_>>(), our.iter().cloned().collect());
    for (path, status, code) in [
        (format!("/v2/{name}/manifests/none"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/{name}/manifests/{}", Digest::sha256(b"none")), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/{name}/blobs/{}", Digest::sha256(b"none")), 404, "BLOB_UNKNOWN"),
        (format!("/v2/{name}/blobs/{}", held.revisions.first().unwrap()), 404, "BLOB_UNKNOWN"),
        (format!("/v2/{name}/blobs/sha256:abc"), 400, "DIGEST_INVALID"),
    ] {
        for client in [&stock, &ours] {
            let reply = client.send(Method::GET, &path, &ACCEPT).await;
            assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}");
        }
    }
    let differences = [
        // The spec wants 400 or 404.
        (Method::GET, format!("/v2/{name}/manifests/sha256:abc"), 400, 500),
        // No stock registry has it.
        (Method::GET, format!("/v2/{name}/referrers/{}", held.tags["1"]), 200, 404),
        // Without a login there is a repository for nobody, and a stock registry has no logins.
        (Method::GET, "/v2/none/none/manifests/v1".into(), 403, 404),
        // The same answer, but that ours is JSON.
        (Method::DELETE, format!("/v2/{name}/manifests/1"), 405, 405),
        (Method::POST, format!("/v2/{name}/blobs/uploads/"), 405, 405),
    ];
    for (method, path, our, theirs) in differences {
        assert_eq!(ours.send(method.clone(), &path, &ACCEPT).await.status, our, "{method} {path}");
        assert_eq!(stock.send(method.clone(), &path, &ACCEPT).await.status, theirs, "{method} {path}");
    }
}

#[tokio::test]
async fn a_stock_registry_serves_the_same() {
    let world = mirrored("stock").await;
    compare(&world, &Registry::configured(&world.stack, "registry-2.8.yml")).await;
}

#[tokio::test]
async fn so_does_one_with_the_configuration_for_version_3() {
    let world = mirrored("stock-3").await;
    compare(&world, &Registry::configured(&world.stack, "registry-3.yml")).await;
}
