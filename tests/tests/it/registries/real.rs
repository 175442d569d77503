//! Real registries as sources beside the stack's own: each serves what skopeo reads there, and the mirror has it byte for
//! byte.

use std::process::Command;

use moorage_tests::{
    bucket,
    image::{Image, get_manifest, layer},
    real::{PASSWORD, Real, USER},
    registry::Registry,
    skopeo,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

const MIB: usize = 1024 * 1024;

/// An image whose largest layer is fetched in parts where that is possible.
fn large() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 17 * MIB + 5), layer(rand::random(), 100)])
}

fn small(architecture: &str) -> Image {
    Image::oci(architecture, &[layer(rand::random(), 1_000)])
}

/// Syncs, and compares what has arrived with what was made. skopeo reads it here, and at the source, where it can.
async fn mirrors(
    world: &World,
    source: (&str, &str),
    images: &[(&str, &Image)],
    (read_by_skopeo, options): (&[&str], &[&str]),
) {
    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    let stock = Registry::over_bucket(&world.stack);
    for (tag, image) in images {
        assert_eq!(outcome(&run, tag)["outcome"], "copied", "{run}");
        assert_eq!(held.tags[*tag], image.digest(), "{tag}");
        let (status, media_type, manifest) = get_manifest(&stock.url, world.repository.as_str(), tag).await;
        assert_eq!((status, media_type.as_str(), &manifest), (200, image.media_type, &image.manifest), "{tag}");
        if read_by_skopeo.contains(tag) {
            skopeo::copies(source.0, source.1, tag, options).unwrap();
        }
        skopeo::copies(&stock.address, world.repository.as_str(), tag, &[]).unwrap();
    }
    let again = world.sync().await;
    assert_eq!((&again["status"], &again["tags_copied"]), (&json!("SUCCESS"), &json!(0)), "{again}");
}

#[tokio::test]
async fn crane_registry() {
    let world = World::new("real-crane").await;
    let registry = Real::crane();
    let url = format!("http://{}", registry.address);
    let index = Image::index(vec![small("amd64"), small("arm64")]);
    let list = Image::list(vec![Image::docker("amd64", &[layer(rand::random(), 9)])]);
    let (large, signed) = (large(), small("s390x"));
    let signatures = Image::referrers(vec![Image::referrer(&signed, layer(rand::random(), 50))]);
    let attached = signed.referrers_tag();
    let images = [("large", &large), ("index", &index), ("list", &list), ("signed", &signed), (&attached, &signatures)];
    for (tag, image) in images {
        image.push(&url, &world.path, tag).await;
    }
    let many: Vec<_> = (0..60).map(|number| format!("many-{number}")).collect();
    for tag in &many {
        signed.push(&url, &world.path, tag).await;
    }
    world.create_mirror(&registry.address, json!({})).await;
    let all: Vec<_> = images.into_iter().chain(many.iter().map(|tag| (tag.as_str(), &signed))).collect();
    // A mirror's own list of referrers has the same entries as the source's, and need not have the same bytes.
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(all.len())), "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    for (tag, image) in all.iter().filter(|(tag, _)| *tag != attached) {
        assert_eq!(held.tags[*tag], image.digest(), "{tag}");
    }
    assert!(held.revisions.contains(&signatures.children[0].digest()), "the signature came along");
    let stock = Registry::over_bucket(&world.stack);
    for (tag, image) in images.into_iter().filter(|(tag, _)| *tag != attached) {
        assert_eq!(skopeo::inspect_raw(&registry.address, &world.path, tag), image.manifest, "{tag}");
        assert_eq!(skopeo::inspect_raw(&stock.address, world.repository.as_str(), tag), image.manifest, "{tag}");
        skopeo::copies(&registry.address, &world.path, tag, &[]).unwrap();
        skopeo::copies(&stock.address, world.repository.as_str(), tag, &[]).unwrap();
    }
    let again = world.sync().await;
    assert_eq!((&again["status"], &again["tags_copied"]), (&json!("SUCCESS"), &json!(0)), "{again}");
}

#[tokio::test]
async fn container_registry() {
    let world = World::new("real-crate").await;
    let registry = Real::container_registry(&world.path, &["large", "small"]);
    let (large, small) = (large(), small("arm64"));
    // It takes uploads as skopeo makes them, and not as the tests do.
    for (tag, image) in [("large", &large), ("small", &small)] {
        image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
        let from = format!("docker://{}/{}:{tag}", world.stack.upstream, world.path);
        let to = format!("docker://{}/{}:{tag}", registry.behind, world.path);
        let credentials = format!("{USER}:{PASSWORD}");
        let copy =
            ["--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"];
        let copied =
            Command::new("skopeo").args(copy).args(["--dest-creds", &credentials, &from, &to]).output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    }
    let login = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    world.create_mirror(&registry.address, login).await;
    let credentials = format!("--src-creds={USER}:{PASSWORD}");
    let source = (registry.address.as_str(), world.path.as_str());
    mirrors(&world, source, &[("large", &large), ("small", &small)], (&["large", "small"], &[&credentials])).await;
}

#[tokio::test]
async fn drayage() {
    let world = World::new("real-cache").await;
    let registry = Real::drayage(&world.stack.upstream, &world.path, &["large", "index", "list"]);
    let (large, index) = (large(), Image::index(vec![small("amd64"), small("arm64")]));
    let list = Image::list(vec![Image::docker("amd64", &[layer(rand::random(), 9)])]);
    let images = [("large", &large), ("index", &index), ("list", &list)];
    for (tag, image) in images {
        image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    }
    // It forgets the media types of what it fetches by digest: skopeo refuses an index' images for that.
    let address = format!("{}/docker.io", registry.address);
    world.create_mirror(&address, json!({})).await;
    mirrors(&world, (&address, &world.path), &images, (&["large", "list"], &[])).await;
}

/// Makes the world's repository one that everybody may pull from.
async fn publish(world: &World) {
    let path = format!("repository/{}/changevisibility", world.repository);
    assert_eq!(world.call(Method::POST, &path, Some(json!({"visibility": "public"}))).await.0, 200);
}

fn requests(run: &Value) -> u64 {
    run["upstream"]["requests"].as_u64().unwrap()
}

#[tokio::test]
async fn another_moorage_whose_api_says_digests() {
    let (source, world) = (World::new("real-source").await, World::new("real-moorage").await);
    let upstream = format!("http://{}", source.stack.upstream);
    let (large, index) = (large(), Image::index(vec![small("amd64"), small("arm64")]));
    let tags: Vec<_> = (0..110).map(|number| format!("t{number:03}")).collect();
    large.push(&upstream, &source.path, "large").await;
    for tag in &tags {
        index.push(&upstream, &source.path, tag).await;
    }
    source.create_mirror(&source.stack.upstream, json!({})).await;
    assert_eq!(source.sync().await["status"], "SUCCESS");
    publish(&source).await;

    let host = world.stack.url.strip_prefix("http://").unwrap().to_owned();
    let reference = format!("{host}/{}", source.repository);
    let mirror = json!({"external_reference": reference, "digest_listing": "quay"});
    world.create_mirror(&host, mirror).await;
    assert_eq!(world.mirror().await["digest_listing"], "quay");
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(111)), "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!((&held.tags["large"], &held.tags["t109"]), (&large.digest(), &index.digest()));

    // The list of tags and two pages of the API, and what it takes to find out that there is no https.
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(111)), "{run}");
    assert!(requests(&run) <= 5, "{run}");
    assert_eq!(run["upstream"]["fallbacks"], json!([]), "{run}");

    // Nor need the mirror say which listing that is.
    world.change_mirror(json!({"digest_listing": null})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(111)), "{run}");
    assert!(requests(&run) <= 5, "{run}");
    assert_eq!(run["upstream"]["fallbacks"], json!([]), "{run}");
    world.change_mirror(json!({"digest_listing": "quay"})).await;

    // Who is refused by the API asks tag by tag.
    source
        .call(
            Method::POST,
            &format!("repository/{}/changevisibility", source.repository),
            Some(json!({"visibility": "private"})),
        )
        .await;
    let (_, robot) = source.call(Method::GET, &format!("organization/{}/robots/bot", source.namespace), None).await;
    let login = json!({"external_registry_username": robot["name"], "external_registry_password": robot["token"]});
    world.change_mirror(login).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(111)), "{run}");
    assert_eq!(run["upstream"]["fallbacks"], json!(["digest_listing"]), "{run}");

    // And who has a token of the API does not.
    let token = source.token(Some(&source.namespace), "read").await;
    let login = json!({"external_registry_username": "$oauthtoken", "external_registry_password": token});
    world.change_mirror(login).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["upstream"]["fallbacks"]), (&json!("SUCCESS"), &json!([])), "{run}");
    assert!(requests(&run) <= 8, "{run}");
}
