//! Real clients pull from our registry as they do from any other.

use std::process::Command;

use moorage_domain::Digest;
use moorage_tests::{
    client::{Client, parameters},
    image::{self, Image, layer},
    node::unpacked,
    seed, skopeo,
    world::World,
};
use reqwest::Method;
use serde_json::json;

/// Host and port of the stack's registry.
fn address(world: &World) -> String {
    world.stack.url.trim_start_matches("http://").to_owned()
}

/// Runs a client; returns whether it succeeded, and what it wrote.
fn run(command: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(command).args(arguments).output().unwrap_or_else(|error| panic!("{command}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn skopeo_logs_in_lists_and_copies() {
    let world = World::new("skopeo").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let images = [
        ("v1", Image::oci("amd64", &[layer(1, 100_000), layer(2, 50)])),
        ("v2", Image::index(vec![Image::oci("amd64", &[layer(1, 100_000)]), Image::oci("arm64", &[layer(3, 7)])])),
        ("v3", Image::docker("amd64", &[layer(4, 1_000)])),
        ("v4", Image::list(vec![Image::docker("amd64", &[layer(5, 9)]), Image::docker("s390x", &[layer(6, 8)])])),
    ];
    for (tag, image) in &images {
        image.push(&upstream, &world.path, tag).await;
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let folder = tempfile::tempdir().unwrap();
    let (address, user, token) = (address(&world), world.robot_name(), world.robot_token().await);
    let repository = format!("{address}/{}", world.repository);
    let file = folder.path().join("auth.json");
    let file = file.to_str().unwrap();
    let login = |password: &str| {
        run("skopeo", &["login", "--tls-verify=false", "--authfile", file, "-u", &user, "-p", password, &address])
    };
    let inspect = || {
        let image = format!("docker://{repository}:v1");
        run("skopeo", &["inspect", "--raw", "--tls-verify=false", "--authfile", file, &image])
    };
    assert!(!inspect().0, "nobody pulls from a private repository");
    let (logged_in, said) = login("wrong");
    assert!(!logged_in && said.contains("invalid username/password"), "{said}");
    let (logged_in, said) = login(&token);
    assert!(logged_in, "{said}");
    assert_eq!(inspect(), (true, String::from_utf8(images[0].1.manifest.clone()).unwrap()));
    let list = format!("docker://{repository}");
    let (_, listed) = run("skopeo", &["list-tags", "--tls-verify=false", "--authfile", file, &list]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["Tags"], json!(["v1", "v2", "v3", "v4"]));
    for (tag, image) in &images {
        let to = folder.path().join(tag);
        let (from, into) = (format!("docker://{repository}:{tag}"), format!("dir:{}", to.display()));
        let copy = ["--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--authfile", file, &from, &into];
        let (copied, said) = run("skopeo", &copy);
        assert!(copied, "{tag}: {said}");
        assert_eq!(std::fs::read(to.join("manifest.json")).unwrap(), image.manifest, "{tag}");
        for blob in image.all().iter().flat_map(|part| &part.blobs) {
            assert_eq!(std::fs::read(to.join(&*Digest::sha256(blob).hex())).unwrap(), *blob, "{tag}");
        }
    }
    // Nobody pushes, whatever their role.
    let from = format!("dir:{}", folder.path().join("v1").display());
    let into = format!("docker://{repository}:new");
    let push = ["--insecure-policy", "copy", "--dest-tls-verify=false", "--authfile", file, &from, &into];
    let (pushed, said) = run("skopeo", &push);
    assert!(!pushed && said.contains("read-only mirror"), "{said}");
}

#[tokio::test]
async fn public_images_are_pulled_without_a_login() {
    let world = World::new("anonymous").await;
    let repository = seed::repository(&world, "open", "public").await;
    let image = Image::index(vec![Image::oci("amd64", &[layer(1, 10_000)]), Image::oci("arm64", &[layer(2, 10)])]);
    seed::image(&world.stack, &repository, "v1", &image).await;
    let folder = tempfile::tempdir().unwrap();
    skopeo::copy_all(&address(&world), repository.as_str(), "v1", folder.path());
    assert_eq!(std::fs::read(folder.path().join("manifest.json")).unwrap(), image.manifest);
}

#[tokio::test]
async fn podman_pulls_by_tag_and_digest() {
    if run("id", &["-u"]).1.trim() != "0" {
        println!("without root, podman needs more of a machine than a test can count on: skipped");
        return;
    }
    let world = World::new("podman").await;
    world.grant("read").await;
    let image = Image::oci("amd64", &[image::tar("one", 5_000), image::tar("two", 70)]);
    seed::image(&world.stack, &world.repository, "v1", &image).await;
    let credentials = format!("{}:{}", world.robot_name(), world.robot_token().await);
    let name = format!("{}/{}", address(&world), world.repository);
    for reference in [format!("{name}:v1"), format!("{name}@{}", image.digest())] {
        let folder = tempfile::tempdir().unwrap();
        let podman = |arguments: &[&str]| {
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            let (root, runroot) = (path("root"), path("run"));
            let own = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
            run("podman", &[&own, arguments].concat())
        };
        let (pulled, said) = podman(&["pull", "--quiet", "--tls-verify=false", &reference]);
        assert!(!pulled, "without a login: {said}");
        let (pulled, said) = podman(&["pull", "--quiet", "--tls-verify=false", "--creds", &credentials, &reference]);
        assert!(pulled, "{said}");
        let (_, digest) = podman(&["image", "inspect", "--format", "{{.Digest}}", &reference]);
        assert_eq!(digest.trim(), image.digest().to_string());
        assert!(unpacked(folder.path(), "one"), "its layers are unpacked");
    }
}

/// As docker does: it asks what is wanted, gets a token for it, and looks for the manifest before it fetches it.
#[tokio::test]
async fn dockers_way_from_the_challenge_to_the_layers() {
    let world = World::new("docker").await;
    world.grant("read").await;
    let (name, image) = (world.repository.clone(), Image::oci("amd64", &[layer(1, 10_000), layer(2, 20)]));
    seed::image(&world.stack, &name, "latest", &image).await;
    let (anonymous, robot) = (Client::of(&world.stack), world.robot().await);
    let ping = anonymous.get("/v2/").await;
    assert_eq!((ping.status, ping.header("docker-distribution-api-version")), (401, "registry/2.0"));
    let challenge = ping.header("www-authenticate").to_owned();
    assert_eq!(parameters(&challenge)["realm"], format!("{}/v2/token", world.stack.url));
    // docker login, then docker pull: the scope is docker's own.
    let login = robot.answer(&challenge).await.json();
    assert_eq!(anonymous.bearer(login["token"].as_str().unwrap()).get("/v2/").await.status, 200);
    let bearer = anonymous.bearer(&robot.token(&[&format!("repository:{name}:pull")]).await);

    let head = bearer.head(&format!("/v2/{name}/manifests/latest")).await;
    assert_eq!((head.status, head.header("content-length")), (200, image.manifest.len().to_string().as_str()));
    let digest = head.header("docker-content-digest");
    assert_eq!(bearer.get(&format!("/v2/{name}/manifests/{digest}")).await.body, image.manifest);
    for blob in &image.blobs {
        assert_eq!(bearer.fetch(&format!("/v2/{name}/blobs/{}", Digest::sha256(blob)), &[]).await.body, *blob);
    }
    // containerd and crane answer the challenge of what they want, and nothing before; containerd by POST first.
    let manifest = format!("/v2/{name}/manifests/latest");
    let refused = anonymous.head(&manifest).await;
    let challenge = refused.header("www-authenticate").to_owned();
    assert_eq!((refused.status, parameters(&challenge)["scope"].clone()), (401, format!("repository:{name}:pull")));
    assert_eq!(robot.send(Method::POST, &parameters(&challenge)["realm"], &[]).await.status, 405);
    let token = robot.answer(&challenge).await.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(anonymous.bearer(&token).get(&manifest).await.body, image.manifest);
}
