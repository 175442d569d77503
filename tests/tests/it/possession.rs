//! Who may have what: content comes by its bytes, or from a repository of the same namespace, and in no other way.

use std::collections::BTreeSet;

use moorage_domain::{Digest, RepositoryName};
use moorage_tests::{
    bucket::{self, ROOT, blob_key},
    image::{self, Image, layer},
    proxy::{Fault, Proxy, count},
    seed,
    world::{World, outcome},
};
use serde_json::{Value, json};

const ALWAYS: usize = 1_000_000;
const MIB: usize = 1024 * 1024;

fn random() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 5_000)])
}

/// A manifest or index with one entry changed.
fn changed(image: &Image, list: &str, key: &str, value: Value) -> Vec<u8> {
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    let entry = if list == "config" { &mut manifest["config"] } else { &mut manifest[list][0] };
    entry[key] = value;
    manifest.to_string().into_bytes()
}

/// Lets the registry say that a tag points to a manifest, and send it if there is one, by either name.
fn announce(proxy: &Proxy, tag: &str, digest: &Digest, manifest: Option<Vec<u8>>) {
    let announced = vec![("docker-content-digest", digest.to_string())];
    proxy.fault("HEAD", &format!("manifests/{tag}"), ALWAYS, Fault::Status(200, announced));
    let sent = manifest.map_or_else(|| Fault::Status(404, vec![]), |manifest| Fault::Body(manifest.into()));
    for name in [tag, &digest.to_string()] {
        proxy.fault("GET", &format!("manifests/{name}"), ALWAYS, sent.clone());
    }
}

fn refer(proxy: &Proxy, subject: &Image, target: &Digest) {
    let entry = json!({"mediaType": subject.media_type, "digest": target, "size": subject.manifest.len()});
    let index =
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]});
    let path = format!("referrers/{}", subject.digest());
    proxy.fault("GET", &path, ALWAYS, Fault::Body(index.to_string().into_bytes().into()));
}

/// What the bucket says that a repository has of these digests.
async fn links(world: &World, digests: &[Digest]) -> Vec<String> {
    let keys = bucket::keys(&world.stack, &format!("{ROOT}/repositories/{}/", world.repository)).await;
    keys.into_iter().filter(|key| digests.iter().any(|digest| key.contains(&*digest.hex()))).collect()
}

/// Every digest of an image.
fn digests(image: &Image) -> Vec<Digest> {
    image.all().iter().flat_map(|part| part.blobs.iter().chain([&part.manifest])).map(|it| Digest::sha256(it)).collect()
}

/// The statuses with which a repository's own robot gets a digest, as a manifest and as a blob.
async fn pulled(world: &World, digest: &Digest) -> [u16; 2] {
    let robot = world.robot().await;
    let path = format!("/v2/{}", world.repository);
    let manifest = robot.fetch(&format!("{path}/manifests/{digest}"), &[]).await.status;
    [manifest, robot.fetch(&format!("{path}/blobs/{digest}"), &[]).await.status]
}

async fn pulls(world: &World, image: &Image) {
    assert_eq!(pulled(world, &image.digest()).await[0], 200);
    for blob in &image.blobs {
        assert_eq!(pulled(world, &Digest::sha256(blob)).await[1], 200);
    }
}

#[tokio::test]
async fn a_registry_that_only_names_content_gets_nothing_and_learns_nothing() {
    let (victim, thief) = (World::new("victim").await, World::new("thief").await);
    let upstream = format!("http://{}", victim.stack.upstream);
    let secret = random();
    secret.push(&upstream, &victim.path, "v1").await;
    victim.create_mirror(&victim.stack.upstream, json!({})).await;
    assert_eq!(victim.sync().await["status"], "SUCCESS");

    // Each attack twice: on what somebody has, and on what nobody has.
    let (mine, other) = (random(), random());
    let nobodys = Image::oci("amd64", &[layer(rand::random(), 5_000)]);
    let proxy = Proxy::start(&upstream).await;
    let mut attacks = Vec::new();
    for (whose, target) in [("secret", &secret), ("nobody", &nobodys)] {
        let [config, blob] = [0, 1].map(|n| Digest::sha256(&target.blobs[n]));
        let subject = if whose == "secret" { &mine } else { &other };
        let index = Image::index(vec![mine.clone()]);
        let named = [
            ("head", target.digest(), None),
            ("layer", blob.clone(), Some(changed(&mine, "layers", "digest", json!(blob)))),
            ("config", config.clone(), Some(changed(&mine, "config", "digest", json!(config)))),
            ("child", target.digest(), Some(changed(&index, "manifests", "digest", json!(target.digest())))),
        ];
        for (attack, wanted, manifest) in named {
            let tag = format!("{attack}-{whose}");
            mine.push(&upstream, &thief.path, &tag).await;
            let digest = manifest.as_ref().map_or_else(|| wanted.clone(), |manifest| Digest::sha256(manifest));
            announce(&proxy, &tag, &digest, manifest);
            attacks.push((attack, whose, tag, wanted));
        }
        subject.push(&upstream, &thief.path, &format!("honest-{whose}")).await;
        refer(&proxy, subject, &target.digest());
    }
    thief.create_mirror(&proxy.address, json!({})).await;
    let run = thief.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("FAIL"), &json!(2)), "{run}");
    let told = |attack: &str, of: &str| {
        let (_, _, tag, wanted) = attacks.iter().find(|it| it.0 == attack && it.1 == of).unwrap();
        let failure = &outcome(&run, tag)["failure"];
        let message = failure["message"].as_str().unwrap_or_else(|| panic!("{tag} did not fail: {run}"));
        (failure["reason"].clone(), message.replace(&wanted.to_string(), "DIGEST"))
    };
    for attack in ["head", "layer", "config", "child"] {
        assert_eq!(told(attack, "secret"), told(attack, "nobody"), "{attack} tells whether somebody has it");
    }
    // What cannot be had of referrers is counted, whoever has it.
    assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("attachments_incomplete"), &json!(2)));
    let theirs = digests(&secret);
    assert_eq!(links(&thief, &theirs).await, Vec::<String>::new());
    for digest in &theirs {
        assert_eq!(pulled(&thief, digest).await, [404, 404], "{digest}");
    }
    // What came for the tags that failed is gone, too.
    let held = bucket::check(&thief.stack, &thief.repository).await;
    let honest: BTreeSet<Digest> = digests(&mine).into_iter().chain(digests(&other)).collect();
    assert_eq!(held.layers.union(&held.revisions).cloned().collect::<BTreeSet<_>>(), honest);
    pulls(&victim, &secret).await;
}

#[tokio::test]
async fn true_bytes_with_false_sizes_fail_their_tag_and_leave_no_link() {
    let (victim, thief) = (World::new("truth").await, World::new("sizes").await);
    let upstream = format!("http://{}", victim.stack.upstream);
    let secret = random();
    secret.push(&upstream, &victim.path, "v1").await;
    victim.create_mirror(&victim.stack.upstream, json!({})).await;
    assert_eq!(victim.sync().await["status"], "SUCCESS");
    let proxy = Proxy::start(&upstream).await;
    for (tag, image) in [("layer", secret.clone()), ("child", Image::index(vec![secret.clone()]))] {
        image.push(&upstream, &thief.path, tag).await;
        let list = if tag == "child" { "manifests" } else { "layers" };
        let manifest = changed(&image, list, "size", json!(7));
        announce(&proxy, tag, &Digest::sha256(&manifest), Some(manifest));
    }
    thief.create_mirror(&proxy.address, json!({})).await;
    let run = thief.sync().await;
    assert_eq!((&run["status"], &run["tags_failed"]), (&json!("FAIL"), &json!(2)), "{run}");
    for tag in ["layer", "child"] {
        assert_eq!(outcome(&run, tag)["failure"]["reason"], "digest_mismatch", "{run}");
    }
    assert_eq!(links(&thief, &digests(&secret)).await, Vec::<String>::new());
    pulls(&victim, &secret).await;
}

#[tokio::test]
async fn who_sends_content_gets_it_and_it_is_stored_once() {
    let (one, two) = (World::new("first").await, World::new("second").await);
    let upstream = format!("http://{}", one.stack.upstream);
    let (small, large) = (layer(rand::random(), 5_000), layer(rand::random(), 17 * MIB));
    let image = Image::oci("amd64", &[small, large]);
    let mut run = Value::Null;
    let proxy = Proxy::start(&upstream).await;
    for world in [&one, &two] {
        image.push(&upstream, &world.path, "v1").await;
        world.create_mirror(&proxy.address, json!({})).await;
        run = world.sync().await;
        assert_eq!(run["status"], "SUCCESS", "{run}");
        let requests = count(&proxy.take_seen());
        assert_eq!((requests["GET manifests"], requests["GET blobs"]), (1, 5), "all of it was sent: {requests:?}");
        assert_eq!(run["bytes_copied"], run["bytes_total"], "{run}");
    }
    assert!(run["bytes_copied"].as_u64().unwrap() > 17 * MIB as u64, "{run}");
    for digest in digests(&image) {
        let versions = one.stack.s3().list_object_versions().bucket(&one.stack.bucket).prefix(blob_key(&digest));
        assert_eq!(versions.send().await.unwrap().versions().len(), 1, "{digest}");
        assert_eq!(bucket::uploads(&one.stack, &digest).await, 0);
    }
    pulls(&two, &image).await;

    // Within a namespace it need not be sent again.
    let repository = seed::repository(&two, "again", "private").await;
    let again = World { repository, ..two.clone() };
    again.create_mirror(&proxy.address, json!({})).await;
    let run = again.sync().await;
    assert_eq!((&run["status"], &run["bytes_copied"]), (&json!("SUCCESS"), &json!(0)), "{run}");
    let requests = count(&proxy.take_seen());
    assert!(!requests.contains_key("GET blobs") && !requests.contains_key("GET manifests"), "{requests:?}");
    assert_eq!(bucket::check(&again.stack, &again.repository).await.tags["v1"], image.digest());
}

#[tokio::test]
async fn a_digest_that_was_claimed_ahead_of_time_is_not_served_later() {
    let (owner, thief) = (World::new("later").await, World::new("ahead").await);
    let upstream = format!("http://{}", owner.stack.upstream);
    let (planned, mine) = (random(), random());
    let blob = Digest::sha256(&planned.blobs[1]);
    let proxy = Proxy::start(&upstream).await;
    for tag in ["head", "layer"] {
        mine.push(&upstream, &thief.path, tag).await;
    }
    announce(&proxy, "head", &planned.digest(), None);
    let manifest = changed(&mine, "layers", "digest", json!(blob));
    announce(&proxy, "layer", &Digest::sha256(&manifest), Some(manifest));
    thief.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(thief.sync().await["tags_failed"], 2);
    planned.push(&upstream, &owner.path, "v1").await;
    owner.create_mirror(&owner.stack.upstream, json!({})).await;
    assert_eq!(owner.sync().await["status"], "SUCCESS");
    for digest in digests(&planned) {
        assert_eq!(pulled(&thief, &digest).await, [404, 404], "{digest}");
    }
    pulls(&owner, &planned).await;
}

#[tokio::test]
async fn links_of_an_earlier_repository_of_the_name_are_not_served() {
    let world = World::new("ghosts").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (image, ghost) = (random(), random());
    image.push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let other: RepositoryName = seed::repository(&world, "other", "private").await;
    seed::image(&world.stack, &other, "v1", &ghost).await;
    let below = |path: String| format!("{ROOT}/repositories/{}/{path}", world.repository);
    let (digest, blob) = (ghost.digest(), Digest::sha256(&ghost.blobs[1]));
    let tag = below("_manifests/tags/ghost/current/link".into());
    for (key, digest) in [
        (tag.clone(), &digest),
        (below(format!("_manifests/revisions/sha256/{}/link", digest.hex())), &digest),
        (below(format!("_layers/sha256/{}/link", blob.hex())), &blob),
    ] {
        let put = world.stack.s3().put_object().bucket(&world.stack.bucket).key(key);
        let put = put.metadata("moorage-generation", "0123456789abcdef0123456789abcdef");
        put.body(digest.to_string().into_bytes().into()).send().await.unwrap();
    }
    assert_eq!(pulled(&world, &digest).await[0], 404);
    assert_eq!(pulled(&world, &blob).await[1], 404);
    let robot = world.robot().await;
    assert_eq!(robot.fetch(&format!("/v2/{}/manifests/ghost", world.repository), &[]).await.status, 404);
    pulls(&world, &image).await;
    // A verify takes the tag for nobody's.
    let verify = world.call(reqwest::Method::POST, &world.mirror_path("/verify"), None).await;
    assert_eq!(verify.0, 202, "{verify:?}");
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    assert_eq!(bucket::get(&world.stack, &tag).await, None);
    assert_eq!(robot.fetch(&format!("/v2/{}/manifests/v1", world.repository), &[]).await.status, 200);
}

#[tokio::test]
async fn tags_by_hand_and_indexes_reach_only_what_the_repository_links() {
    let (victim, world) = (World::new("owned").await, World::new("byhand").await);
    let upstream = format!("http://{}", world.stack.upstream);
    let (secret, mine) = (random(), random());
    for (world, image) in [(&victim, &secret), (&world, &mine)] {
        image.push(&upstream, &world.path, "v1").await;
        world.create_mirror(&world.stack.upstream, json!({})).await;
        assert_eq!(world.sync().await["status"], "SUCCESS");
    }
    // A tag in the bucket that nobody published is not taken in.
    seed::tag(&world.stack, &world.repository, "planted", &secret.digest()).await;
    let verify = world.call(reqwest::Method::POST, &world.mirror_path("/verify"), None).await;
    assert_eq!(verify.0, 202, "{verify:?}");
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.into_keys().collect::<Vec<_>>(), ["v1"]);

    assert_eq!(world.call(reqwest::Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    let put = async |tag: &str, digest: Digest| {
        let path = format!("repository/{}/tag/{tag}", world.repository);
        world.call(reqwest::Method::PUT, &path, Some(json!({"manifest_digest": digest}))).await
    };
    let (theirs, nobodys) = (put("stolen", secret.digest()).await, put("stolen", Digest::sha256(b"nothing")).await);
    assert_eq!((theirs.0, &theirs), (404, &nobodys));
    let restore = async |tag: &str, digest: Digest| {
        let path = format!("repository/{}/tag/{tag}/restore", world.repository);
        world.call(reqwest::Method::POST, &path, Some(json!({"manifest_digest": digest}))).await
    };
    for tag in ["v1", "stolen"] {
        let (theirs, nobodys) = (restore(tag, secret.digest()).await, restore(tag, Digest::sha256(b"nothing")).await);
        assert_eq!(theirs, nobodys, "{tag}");
        assert!([400, 404].contains(&theirs.0), "{theirs:?}");
    }
    assert_eq!(links(&world, &digests(&secret)).await, Vec::<String>::new());
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags, [("v1".to_owned(), mine.digest())].into());
    assert_eq!(put("mine", mine.digest()).await.0, 201);
    assert_eq!(put("mine", mine.digest()).await.0, 201, "once more, over what is there");
    let (_, _, bytes) = image::get_manifest(&upstream, &world.path, "v1").await;
    assert_eq!(bytes, mine.manifest);
    assert_eq!(pulled(&world, &secret.digest()).await, [404, 404]);
}

#[tokio::test]
async fn a_preview_tells_nothing_of_what_others_have() {
    let (victim, thief) = (World::new("hidden").await, World::new("curious").await);
    let upstream = format!("http://{}", victim.stack.upstream);
    let (secret, mine, nobodys) = (random(), random(), random());
    secret.push(&upstream, &victim.path, "v1").await;
    victim.create_mirror(&victim.stack.upstream, json!({})).await;
    assert_eq!(victim.sync().await["status"], "SUCCESS");

    let proxy = Proxy::start(&upstream).await;
    let attacks = [("theirs", &secret), ("nobodys", &nobodys)];
    for (tag, target) in attacks {
        mine.push(&upstream, &thief.path, tag).await;
        announce(&proxy, tag, &target.digest(), None);
    }
    thief.create_mirror(&proxy.address, json!({})).await;
    let preview = async || {
        let (status, preview) = thief.call(reqwest::Method::POST, &thief.mirror_path("/preview"), None).await;
        assert_eq!((status, &preview["failure"]), (200, &Value::Null), "{preview}");
        attacks.map(|(tag, target)| {
            let told = preview["tags"].as_array().unwrap().iter().find(|told| told["name"] == tag).unwrap();
            assert_eq!(told["digest"], json!(target.digest()));
            told.to_string().replace(tag, "TAG").replace(&target.digest().to_string(), "DIGEST")
        })
    };
    let [theirs, nobodys] = preview().await;
    assert_eq!(theirs, nobodys);
    // Nor after a sync that could have neither.
    assert_eq!(thief.sync().await["tags_failed"], 2);
    let [theirs, nobodys] = preview().await;
    assert_eq!(theirs, nobodys);
    assert_eq!(links(&thief, &digests(&secret)).await, Vec::<String>::new());
}
