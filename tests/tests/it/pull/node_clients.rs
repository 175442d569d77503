//! Nodes pull under the name of the original, by the files of the page: containerd, and podman.

use std::{fs, process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_tests::{
    cli::Moorage,
    eventually,
    image::{self, Image},
    node::{Containerd, hosts, hosts_alone, hosts_as, is_root, registries, unpacked},
    proxy::Proxy,
    world::World,
};
use reqwest::Method;
use serde_json::json;

/// How long what was known of a mirror may be believed, and some time for busy machines.
const FORGOTTEN: Duration = Duration::from_secs(90);

/// A mirror of what a proxy counts the requests for, and an image that it holds.
async fn synced(name: &str, visibility: &str) -> (World, Proxy, Image) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::index(vec![
        Image::oci("amd64", &[image::tar("one", 5_000), image::tar("two", 70)]),
        Image::oci("arm64", &[image::tar("three", 60)]),
    ]);
    image.push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let path = format!("repository/{}/changevisibility", world.repository);
    let changed = world.call(Method::POST, &path, Some(json!({"visibility": visibility}))).await;
    assert_eq!(changed.0, 200, "{changed:?}");
    proxy.take_seen();
    (world, proxy, image)
}

fn skipped() -> bool {
    let skipped = !is_root();
    if skipped {
        println!("without root, nodes need more of a machine than a test can count on: skipped");
    }
    skipped
}

#[tokio::test]
async fn containerd_pulls_what_is_public_from_here_and_everything_else_from_the_original() {
    if skipped() {
        return;
    }
    let (world, proxy, image) = synced("ctr-public", "public").await;
    let original = format!("{}/{}", proxy.address, world.path);
    for reference in [format!("{original}:v1"), format!("{original}@{}", image.digest())] {
        let node = Containerd::start(&hosts(&world.stack));
        node.pull(&reference, None).await.unwrap();
        assert!(node.images().await.contains(&image.digest().to_string()) && node.has("one"), "{reference}");
        assert_eq!(proxy.take_seen().len(), 0, "{reference}: all of it is ours");
    }
    // A tag that the mirror lacks; and what nobody mirrors.
    let upstream = format!("http://{}", world.stack.upstream);
    let other = Image::oci("amd64", &[image::tar("other", 40)]);
    other.push(&upstream, &world.path, "later").await;
    other.push(&upstream, &format!("{}/unmirrored", world.namespace), "v1").await;
    for reference in [format!("{original}:later"), format!("{}/{}/unmirrored:v1", proxy.address, world.namespace)] {
        let node = Containerd::start(&hosts(&world.stack));
        node.pull(&reference, None).await.unwrap();
        assert!(node.has("other"), "{reference}");
        assert!(!proxy.take_seen().is_empty(), "{reference}: the original has it");
    }
    let node = Containerd::start(&hosts(&world.stack));
    assert!(node.pull(&format!("{original}:nowhere"), None).await.is_err());
    proxy.take_seen();
    // Where the original is left out, nothing else comes.
    let node = Containerd::start(&hosts_alone(&world.stack));
    node.pull(&format!("{original}:v1"), None).await.unwrap();
    assert!(node.pull(&format!("{original}:later"), None).await.is_err());
    assert_eq!(proxy.take_seen().len(), 0);
}

#[tokio::test]
async fn containerd_pulls_what_is_private_with_credentials_and_goes_on_without() {
    if skipped() {
        return;
    }
    let (world, proxy, image) = synced("ctr-private", "private").await;
    let original = format!("{}/{}:v1", proxy.address, world.path);
    let (name, token) = (world.robot_name(), world.robot_token().await);
    let other = World::empty("ctr-other").await;
    let pair = format!("{name}:{token}");
    let strangers = hosts_as(&world.stack, &other.robot_name(), &other.robot_token().await);
    for (who, hosts, user, is_ours) in [
        ("nobody", hosts(&world.stack), None, false),
        ("the robot, by the file", hosts_as(&world.stack, &name, &token), None, true),
        ("the robot, by the challenge", hosts(&world.stack), Some(pair.as_str()), true),
        ("a stranger", strangers, None, false),
        ("a wrong password", hosts_as(&world.stack, &name, "wrong"), None, false),
    ] {
        let node = Containerd::start(&hosts);
        node.pull(&original, user).await.unwrap_or_else(|said| panic!("{who}: {said}"));
        assert!(node.images().await.contains(&image.digest().to_string()) && node.has("one"), "{who}");
        assert_eq!(proxy.take_seen().is_empty(), is_ours, "{who}");
    }
    // The mirror ends; what it was answers no more.
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    let by_the_original = async || {
        let node = Containerd::start(&hosts_as(&world.stack, &name, &token));
        node.pull(&original, None).await.unwrap();
        (!proxy.take_seen().is_empty()).then_some(())
    };
    // Each of the function's instances knows for a while what it has known.
    eventually("the mirror is forgotten", FORGOTTEN, by_the_original).await;
}

#[tokio::test]
async fn podman_pulls_by_an_entry_for_each_mirror() {
    if skipped() {
        return;
    }
    let (world, proxy, image) = synced("podman-node", "private").await;
    let original = format!("{}/{}", proxy.address, world.path);
    let file = registries(&world.stack, &world.repository, &original);
    let login = format!("{}:{}", world.robot_name(), world.robot_token().await);
    let host = world.stack.url.trim_start_matches("http://").to_owned();
    let upstream = format!("http://{}", world.stack.upstream);
    image.push(&upstream, &world.path, "later").await;
    for (tag, is_logged_in, is_ours) in [("v1", true, true), ("v1", false, false), ("later", true, false)] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("registries.conf"), &file).unwrap();
        let auths = if is_logged_in { json!({ (&host): {"auth": STANDARD.encode(&login)} }) } else { json!({}) };
        fs::write(path("auth.json"), json!({ "auths": auths }).to_string()).unwrap();
        let mut podman = Command::new("podman");
        podman.args(["--root", &path("root"), "--runroot", &path("run"), "--storage-driver", "vfs"]);
        podman.args(["pull", "--quiet", "--authfile", &path("auth.json"), &format!("{original}:{tag}")]);
        podman.env("CONTAINERS_REGISTRIES_CONF", path("registries.conf"));
        let output = tokio::task::spawn_blocking(move || podman.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{tag} {}", String::from_utf8_lossy(&output.stderr));
        assert!(unpacked(folder.path(), "one"), "{tag}");
        assert_eq!(proxy.take_seen().is_empty(), is_ours, "{tag}, logged in: {is_logged_in}");
    }
}

#[tokio::test]
async fn the_command_prints_the_files_of_the_page() {
    let world = World::new("nodes-command").await;
    world.create_mirror("quay.io", json!({})).await;
    let token = world.token(Some(&world.namespace), "read").await;
    let moorage = Moorage::of(&world.stack.url, &token);
    let expected = registries(&world.stack, &world.repository, &format!("quay.io/{}", world.path));
    // Nothing is said of how the original is reached.
    let expected = expected.replacen("insecure = true\n", "", 1);
    let printed = async |arguments: &[&str]| moorage.run(arguments).await.ends(0).out;
    assert_eq!(printed(&["nodes", "hosts.toml"]).await, hosts(&world.stack));
    assert_eq!(printed(&["nodes", "registries.conf"]).await, expected);
    let both = printed(&["nodes"]).await;
    assert!(both.contains(&hosts(&world.stack)) && both.ends_with(&expected), "{both}");
    let files = moorage.json(&["nodes"]).await;
    assert_eq!(files, json!({"hosts_toml": hosts(&world.stack), "registries_conf": expected, "is_more": false}));
}
