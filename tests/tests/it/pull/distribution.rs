//! Pulling on the wire: statuses, headers and bytes of every endpoint.

use moorage_domain::Digest;
use moorage_tests::{
    client::{Client, Reply},
    image::{Image, layer},
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What every answer has.
fn common(reply: &Reply) {
    assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0", "{reply:?}");
    assert_eq!(reply.header("x-content-type-options"), "nosniff", "{reply:?}");
}

#[tokio::test]
async fn manifests_come_as_they_are_stored_whatever_is_accepted() {
    let world = World::new("manifests").await;
    let repository = seed::repository(&world, "deep/er/app", "public").await;
    let client = Client::of(&world.stack);
    let child = || Image::docker("s390x", &[layer(3, 30)]);
    for (tag, image) in [
        ("oci", Image::oci("amd64", &[layer(1, 10)])),
        ("index", Image::index(vec![Image::oci("amd64", &[layer(2, 20)])])),
        ("docker", child()),
        ("list", Image::list(vec![child()])),
        ("artifact", Image::artifact(layer(4, 40))),
    ] {
        seed::image(&world.stack, &repository, tag, &image).await;
        let digest = image.digest().to_string();
        for reference in [tag.to_owned(), digest.clone(), digest.replace(':', "%3A")] {
            let path = format!("/v2/{repository}/manifests/{reference}");
            for accept in ["", "*/*", "application/json", "application/vnd.docker.distribution.manifest.v1+prettyjws"] {
                for method in [Method::GET, Method::HEAD] {
                    let headers = [("accept", accept)];
                    let headers = if accept.is_empty() { &headers[1..] } else { &headers[..] };
                    let reply = client.send(method.clone(), &format!("{path}?other=docker.io&x"), headers).await;
                    common(&reply);
                    assert_eq!(reply.status, 200, "{method} {path} {reply:?}");
                    assert_eq!(reply.header("content-type"), image.media_type, "{method} {path}");
                    assert_eq!(reply.header("content-length"), image.manifest.len().to_string(), "{method} {path}");
                    assert_eq!(reply.header("docker-content-digest"), digest);
                    assert_eq!(reply.header("etag"), format!("\"{digest}\""));
                    let expected = if method == Method::GET { image.manifest.as_slice() } else { b"" };
                    assert_eq!(reply.body, expected, "{method} {path}");
                }
            }
            let held = client.send(Method::GET, &path, &[("if-none-match", &format!("\"{digest}\""))]).await;
            assert_eq!((held.status, held.body.len()), (304, 0));
        }
    }
    // A tag that moves is seen at once.
    let new = Image::oci("amd64", &[layer(5, 50)]);
    seed::image(&world.stack, &repository, "oci", &new).await;
    assert_eq!(client.get(&format!("/v2/{repository}/manifests/oci")).await.body, new.manifest);
}

#[tokio::test]
async fn content_belongs_to_its_repository() {
    let world = World::new("belongs").await;
    let one = seed::repository(&world, "one", "public").await;
    let two = seed::repository(&world, "two", "public").await;
    let image = Image::oci("amd64", &[layer(1, 11)]);
    seed::image(&world.stack, &one, "v1", &image).await;
    let client = Client::of(&world.stack);
    let (manifest, blob) = (image.digest(), Digest::sha256(&image.blobs[1]));
    for (path, code) in [
        (format!("/v2/{two}/manifests/v1"), "MANIFEST_UNKNOWN"),
        (format!("/v2/{two}/manifests/{manifest}"), "MANIFEST_UNKNOWN"),
        (format!("/v2/{two}/blobs/{blob}"), "BLOB_UNKNOWN"),
        (format!("/v2/{one}/manifests/v2"), "MANIFEST_UNKNOWN"),
        (format!("/v2/{one}/manifests/{EMPTY}"), "MANIFEST_UNKNOWN"),
        (format!("/v2/{one}/manifests/{blob}"), "MANIFEST_UNKNOWN"),
        (format!("/v2/{one}/blobs/{EMPTY}"), "BLOB_UNKNOWN"),
        (format!("/v2/{one}/blobs/{manifest}"), "BLOB_UNKNOWN"),
    ] {
        // Twice, because what is found is remembered.
        for _ in 0..2 {
            let reply = client.get(&path).await;
            common(&reply);
            assert_eq!((reply.status, reply.code().as_str()), (404, code), "{path}");
            assert_eq!(client.head(&path).await.status, 404, "{path}");
        }
    }
    assert_eq!(client.get(&format!("/v2/{one}/manifests/{manifest}")).await.status, 200);
    assert_eq!(client.get(&format!("/v2/{two}/manifests/{manifest}")).await.status, 404, "although it was just read");
    // A layer that another repository has is linked, not copied.
    seed::blob(&world.stack, &two, image.blobs[1].clone()).await;
    assert_eq!(client.get(&format!("/v2/{two}/blobs/{blob}")).await.status, 307);
}

#[tokio::test]
async fn malformed_requests_are_the_clients_fault() {
    let world = World::new("malformed").await;
    let name = seed::repository(&world, "open", "public").await;
    let client = Client::of(&world.stack);
    for (path, status, code) in [
        (format!("/v2/{name}/manifests/sha256:abc"), 400, "DIGEST_INVALID"),
        (format!("/v2/{name}/manifests/md5:d41d8cd98f00b204e9800998ecf8427e"), 400, "DIGEST_INVALID"),
        (format!("/v2/{name}/blobs/sha256:ABC"), 400, "DIGEST_INVALID"),
        (format!("/v2/{name}/blobs/latest"), 400, "DIGEST_INVALID"),
        (format!("/v2/{name}/referrers/latest"), 400, "DIGEST_INVALID"),
        (format!("/v2/{name}/manifests/.hidden"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/{name}/manifests/{}", "a".repeat(129)), 404, "MANIFEST_UNKNOWN"),
        ("/v2/Upper/case/manifests/v1".into(), 400, "NAME_INVALID"),
        ("/v2/single/manifests/v1".into(), 400, "NAME_INVALID"),
        (format!("/v2/{name}/tags/list?n=-1"), 400, "PAGINATION_NUMBER_INVALID"),
        (format!("/v2/{name}/tags/list?last=%2F"), 400, "PAGINATION_NUMBER_INVALID"),
        (format!("/v2/{name}/unknown"), 404, "UNSUPPORTED"),
        ("/v3/".into(), 404, "UNSUPPORTED"),
    ] {
        let reply = client.get(&path).await;
        common(&reply);
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}");
        assert_eq!(reply.header("content-type"), "application/json", "{path}");
    }
}

#[tokio::test]
async fn nothing_is_pushed_or_deleted() {
    let world = World::new("readonly").await;
    let repository = world.repository.clone();
    world.grant("admin").await;
    let robot = world.robot().await;
    let token = robot.token(&[&format!("repository:{repository}:pull,push,delete")]).await;
    let admin = Client::of(&world.stack).basic("$oauthtoken", &world.stack.token);
    let clients = [robot.clone(), robot.bearer(&token), admin];
    for (method, path) in [
        (Method::POST, format!("/v2/{repository}/blobs/uploads/")),
        (Method::POST, format!("/v2/{repository}/blobs/uploads/?digest={EMPTY}")),
        (Method::POST, format!("/v2/{repository}/blobs/uploads/?mount={EMPTY}&from=a/b")),
        (Method::PATCH, format!("/v2/{repository}/blobs/uploads/b0ef4b6c")),
        (Method::PUT, format!("/v2/{repository}/blobs/uploads/b0ef4b6c?digest={EMPTY}")),
        (Method::PUT, format!("/v2/{repository}/manifests/v1")),
        (Method::DELETE, format!("/v2/{repository}/manifests/v1")),
        (Method::DELETE, format!("/v2/{repository}/manifests/{EMPTY}")),
        (Method::DELETE, format!("/v2/{repository}/blobs/{EMPTY}")),
        (Method::POST, "/v2/token".into()),
    ] {
        for client in &clients {
            let reply = client.send(method.clone(), &path, &[("content-type", "application/json")]).await;
            common(&reply);
            assert_eq!((reply.status, reply.code().as_str()), (405, "UNSUPPORTED"), "{method} {path}");
            assert_eq!(reply.header("allow"), "GET, HEAD", "{method} {path}");
        }
        let nobody = Client::of(&world.stack).send(method.clone(), &path, &[]).await;
        common(&nobody);
        let expected = if path == "/v2/token" { 405 } else { 401 };
        assert_eq!(nobody.status, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn blobs_come_from_s3_by_any_range_and_head_is_answered() {
    let world = World::new("blobs").await;
    let repository = seed::repository(&world, "open", "public").await;
    let client = Client::of(&world.stack);
    let bytes = layer(1, 100_000);
    let digest = seed::blob(&world.stack, &repository, bytes.clone()).await;
    let path = format!("/v2/{repository}/blobs/{digest}");
    let head = client.head(&path).await;
    common(&head);
    assert_eq!((head.status, head.header("content-length")), (200, "100000"));
    assert_eq!(head.header("docker-content-digest"), digest.to_string());
    assert_eq!((head.header("accept-ranges"), head.header("content-type")), ("bytes", "application/octet-stream"));

    let redirect = client.get(&path).await;
    common(&redirect);
    assert_eq!((redirect.status, redirect.body.len()), (307, 0));
    assert_eq!(redirect.header("docker-content-digest"), digest.to_string());
    assert_eq!(redirect.header("cache-control"), "no-store");
    let location = redirect.header("location");
    assert!(location.contains("X-Amz-Expires=1200") && location.contains("X-Amz-SignedHeaders=host"), "{location}");
    assert_eq!(client.fetch(&path, &[]).await.body, bytes);
    for (range, status, expected, content_range) in [
        ("bytes=0-9", 206, &bytes[..10], "bytes 0-9/100000"),
        ("bytes=99990-", 206, &bytes[99_990..], "bytes 99990-99999/100000"),
        ("bytes=-5", 206, &bytes[99_995..], "bytes 99995-99999/100000"),
        ("bytes=100000-", 416, b"", ""),
    ] {
        let part = client.fetch(&path, &[("range", range)]).await;
        assert_eq!(part.status, status, "{range}");
        if status == 206 {
            assert_eq!((part.body.as_slice(), part.header("content-range")), (expected, content_range), "{range}");
        }
    }
    // The signature is for this object and for reading.
    let other = location.replace(&*digest.hex(), &"0".repeat(64));
    assert_eq!(client.get(&other).await.status, 403);
    assert_eq!(client.send(Method::PUT, location, &[]).await.status, 403);
    let empty = seed::blob(&world.stack, &repository, Vec::new()).await;
    let path = format!("/v2/{repository}/blobs/{empty}");
    assert_eq!((client.fetch(&path, &[]).await.status, client.fetch(&path, &[]).await.body.len()), (200, 0));
    assert_eq!(client.head(&path).await.header("content-length"), "0");
}

#[tokio::test]
async fn tags_are_listed_in_the_order_of_their_bytes_and_in_pages() {
    let world = World::new("tags").await;
    let repository = seed::repository(&world, "open", "public").await;
    let client = Client::of(&world.stack);
    let path = format!("/v2/{repository}/tags/list");
    let none = client.get(&path).await;
    assert_eq!((none.status, none.json()), (200, json!({"name": repository, "tags": []})));
    let digest = seed::manifest(&world.stack, &repository, br#"{"schemaVersion":2,"manifests":[]}"#.to_vec()).await;
    let sorted = ["1", "1-alpine", "1.2", "1.2.3", "10", "1_x", "A", "_", "latest", "latest2", "v1", "v1-a", "v10"];
    for tag in sorted {
        seed::tag(&world.stack, &repository, tag, &digest).await;
    }
    let all = client.get(&path).await;
    common(&all);
    assert_eq!((all.json(), all.header("link")), (json!({"name": repository, "tags": sorted}), ""));
    for n in [1, 2, 3, 5, 12, 13, 14] {
        let (mut seen, mut next) = (Vec::new(), format!("{path}?n={n}"));
        loop {
            let page = client.get(&next).await;
            let tags: Vec<String> = serde_json::from_value(page.json()["tags"].clone()).unwrap();
            assert!(tags.len() <= n, "{n}");
            seen.extend(tags);
            let link = page.header("link");
            if link.is_empty() {
                break;
            }
            let last = seen.last().unwrap();
            assert_eq!(link, format!("<{path}?n={n}&last={last}>; rel=\"next\""));
            next = link[1..link.find('>').unwrap()].to_owned();
        }
        assert_eq!(seen, sorted, "{n}");
    }
    let page = async |query: &str| {
        let reply = client.get(&format!("{path}{query}")).await;
        (reply.json()["tags"].clone(), reply.header("link").is_empty())
    };
    assert_eq!(page("?n=0").await, (json!([]), true));
    assert_eq!(page("?last=v").await, (json!(["v1", "v1-a", "v10"]), true), "behind what is no tag");
    assert_eq!(page("?last=v10").await, (json!([]), true));
    assert_eq!(page("?n=2&last=1.2&unknown=1").await, (json!(["1.2.3", "10"]), false));
    assert_eq!(client.head(&path).await.status, 200);
}

#[tokio::test]
async fn what_refers_to_an_image_is_listed_and_filtered() {
    let world = World::new("refer").await;
    let repository = seed::repository(&world, "open", "public").await;
    let client = Client::of(&world.stack);
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &repository, "v1", &image).await;
    let list = |filter: &str| format!("/v2/{repository}/referrers/{}{filter}", image.digest());
    let index = |manifests: Value| json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    for subject in [image.digest().to_string(), EMPTY.to_owned()] {
        let none = client.get(&format!("/v2/{repository}/referrers/{subject}")).await;
        common(&none);
        assert_eq!((none.status, none.header("content-type")), (200, OCI_INDEX));
        assert_eq!(none.json(), index(json!([])));
    }
    let referrers = vec![Image::referrer(&image, layer(2, 20)), Image::referrer(&image, layer(3, 30))];
    let fallback = image.referrers_tag();
    seed::image(&world.stack, &repository, &fallback, &Image::referrers(referrers.clone())).await;
    let mut expected: Vec<Value> = referrers.iter().map(Image::referrer_descriptor).collect();
    expected.sort_by_key(|descriptor| descriptor["digest"].to_string());
    let all = client.get(&list("")).await;
    assert_eq!((all.status, all.header("content-type")), (200, OCI_INDEX));
    assert_eq!((all.json(), all.header("oci-filters-applied")), (index(json!(expected)), ""));
    let filtered = client.get(&list("?artifactType=application%2Fvnd.example.sbom")).await;
    let applied = filtered.header("oci-filters-applied");
    assert_eq!((filtered.json(), applied), (index(json!(expected)), "artifactType"));
    let others = client.get(&list("?artifactType=application/other")).await;
    assert_eq!((others.json(), others.header("oci-filters-applied")), (index(json!([])), "artifactType"));
    // An index that a client wrote carelessly, and one entry that belongs to somebody else.
    let config = Digest::sha256(&image.blobs[0]);
    let plain =
        |image: &Image| json!({"mediaType": image.media_type, "digest": image.digest(), "size": image.manifest.len()});
    let foreign = Image::artifact(layer(9, 90));
    seed::image(&world.stack, &seed::repository(&world, "other", "private").await, "v1", &foreign).await;
    let bare = index(json!([plain(&image), plain(&referrers[0]), plain(&foreign)])).to_string().into_bytes();
    let bare = seed::manifest(&world.stack, &repository, bare).await;
    seed::tag(&world.stack, &repository, &format!("sha256-{}", config.hex()), &bare).await;
    let completed = client.get(&format!("/v2/{repository}/referrers/{config}")).await.json();
    let find = |image: &Image| {
        let manifests = completed["manifests"].as_array().unwrap();
        manifests.iter().find(|entry| entry["digest"] == json!(image.digest())).unwrap()
    };
    assert_eq!(find(&image)["artifactType"], "application/vnd.oci.image.config.v1+json", "the config's media type");
    assert_eq!(*find(&referrers[0]), referrers[0].referrer_descriptor());
    assert_eq!(*find(&foreign), plain(&foreign), "nothing of another repository's");
    // They can be pulled.
    for referrer in &referrers {
        let pulled = client.get(&format!("/v2/{repository}/manifests/{}", referrer.digest())).await;
        assert_eq!(pulled.body, referrer.manifest);
    }
}
