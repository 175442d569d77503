//! What is asked for under the name of its original, on the wire: which mirror answers, and who learns of one.

use std::time::Duration;

use moorage_domain::{Digest, RepositoryName};
use moorage_tests::{
    client::{Client, Reply, parameters},
    eventually,
    image::{Image, layer},
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::json;

/// How long what was known of a mirror may be believed, and some time for busy machines.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// A mirror that has never been synced, of `reference`; what it holds is put there by the test.
async fn mirror(world: &World, name: &str, visibility: &str, reference: &str) -> World {
    let repository = seed::repository(world, name, visibility).await;
    let mirror = World { repository, ..world.clone() };
    mirror.create_mirror("x", json!({"external_reference": reference})).await;
    mirror
}

/// Every endpoint under the original's name, and how it answers who may read a mirror of it that holds `image` as `v1`.
fn endpoints(name: &str, image: &Image, ns: &str) -> [(String, u16); 5] {
    let blob = Digest::sha256(&image.blobs[1]);
    [
        (format!("/v2/{name}/manifests/v1?ns={ns}"), 200),
        (format!("/v2/{name}/manifests/{}?ns={ns}", image.digest()), 200),
        (format!("/v2/{name}/blobs/{blob}?ns={ns}"), 307),
        (format!("/v2/{name}/tags/list?ns={ns}"), 200),
        (format!("/v2/{name}/referrers/{}?ns={ns}", image.digest()), 200),
    ]
}

/// A name that no other test mirrors.
fn unique() -> String {
    format!("n{:016x}", rand::random::<u64>())
}

#[tokio::test]
async fn a_public_mirror_answers_for_its_original_in_every_spelling() {
    let world = World::new("nodes-public").await;
    let name = unique();
    let mirror = mirror(&world, "deep/nginx", "public", &format!("docker.io/{name}")).await;
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &mirror.repository, "v1", &image).await;
    let client = Client::of(&world.stack);
    let library = format!("library/{name}");
    for ns in ["docker.io", "index.docker.io", "registry-1.docker.io", "Docker.io", "docker.io:443", "docker.io%3A443"]
    {
        for (path, status) in endpoints(&library, &image, ns) {
            for reply in [client.get(&path).await, client.head(&path).await] {
                let expected = if reply.status == 200 && path.contains("/blobs/") { 200 } else { status };
                assert_eq!(reply.status, expected, "{path} {reply:?}");
                assert_eq!(reply.header("oci-namespace"), ns.replace("%3A", ":"), "{path}");
            }
        }
    }
    let [by_tag, by_digest, blob, tags, _] = endpoints(&library, &image, "docker.io").map(|(path, _)| path);
    for path in [&by_tag, &by_digest] {
        assert_eq!(client.get(path).await.body, image.manifest, "{path}");
    }
    assert_eq!(client.fetch(&blob, &[]).await.body, image.blobs[1], "S3 is asked as ever");
    assert_eq!(client.get(&tags).await.json(), json!({"name": library, "tags": ["v1"]}), "as the original calls it");
    // Where no query can be set; and the query is what counts.
    let path = format!("/v2/{library}/manifests/v1");
    let header = [("OCI-Namespace", "docker.io")];
    assert_eq!(client.send(Method::GET, &path, &header).await.status, 200);
    assert_eq!(client.send(Method::GET, &format!("{path}?ns=quay.io"), &header).await.status, 401);
    // Taken for nobody else, names are ours.
    let host = world.stack.url.trim_start_matches("http://");
    for path in
        [format!("/v2/{}/manifests/v1", mirror.repository), format!("/v2/{}/manifests/v1?ns={host}", mirror.repository)]
    {
        let reply = client.get(&path).await;
        assert_eq!((reply.status, reply.header("oci-namespace")), (200, ""), "{path}");
    }
    // Our own names are nobody else's.
    let ours = client.get(&format!("/v2/{}/manifests/v1?ns=docker.io", mirror.repository)).await;
    assert_eq!(ours.status, 401);
    for ns in ["not a host", "docker.io/library", "https://docker.io", "%00", "%c3%a9.io", "docker.io:0"] {
        let reply = client.get(&format!("{path}?ns={ns}")).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "NAME_UNKNOWN"), "{ns}");
    }
}

#[tokio::test]
async fn pages_lead_to_the_same_mirror() {
    let world = World::new("nodes-pages").await;
    let name = format!("{}/app", unique());
    let mirror = mirror(&world, "paged", "public", &format!("quay.io/{name}")).await;
    let image = Image::oci("amd64", &[layer(1, 10)]);
    for tag in ["v1", "v2", "v3"] {
        seed::image(&world.stack, &mirror.repository, tag, &image).await;
    }
    let client = Client::of(&world.stack);
    let (mut path, mut seen) = (format!("/v2/{name}/tags/list?ns=quay.io&n=2"), Vec::new());
    loop {
        let page = client.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        seen.extend(page.json()["tags"].as_array().unwrap().clone());
        let Some(link) = page.header("link").strip_prefix('<') else { break };
        path = link.split('>').next().unwrap().to_owned();
        assert!(path.starts_with(&format!("/v2/{name}/tags/list?")), "{path}");
    }
    assert_eq!(json!(seen), json!(["v1", "v2", "v3"]));
}

/// What a caller could tell one answer from another by.
fn seen(reply: &Reply, name: &str) -> (u16, Vec<(String, String)>, String) {
    let hide = |text: &str| text.replace(name, "NAME");
    let headers = reply.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "apigw-requestid"));
    let headers = headers.map(|(name, value)| (name.to_string(), hide(value.to_str().unwrap()))).collect();
    (reply.status, headers, hide(std::str::from_utf8(&reply.body).unwrap()))
}

#[tokio::test]
async fn a_private_mirror_is_there_for_those_who_may_read_it_alone() {
    let (world, other) = (World::new("nodes-private").await, World::new("nodes-other").await);
    let (known, unknown) = (format!("{}/app", unique()), format!("{}/app", unique()));
    let mirror = mirror(&world, "hidden", "private", &format!("quay.io/{known}")).await;
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &mirror.repository, "v1", &image).await;
    let anonymous = Client::of(&world.stack);
    let scope = |name: &str| format!("mirror:quay.io/{name}:pull");
    // Its robot may read a mirror; another one of the organization may not, and a stranger may not.
    let second = format!("organization/{}/robots/second", world.namespace);
    let (status, robot) = world.call(Method::PUT, &second, None).await;
    assert_eq!(status, 201);
    let roleless = anonymous.basic(&format!("{}+second", world.namespace), robot["token"].as_str().unwrap());
    let strangers = other.robot().await;
    let theirs = anonymous.basic("$oauthtoken", &other.token(Some(&other.namespace), "admin").await);
    for (who, client, status) in [
        ("anonymous", &anonymous, 401),
        ("nobody's token", &anonymous.bearer(&anonymous.token(&[&scope(&known), &scope(&unknown)]).await), 404),
        ("a robot without a role", &roleless, 404),
        ("its token", &anonymous.bearer(&roleless.token(&[&scope(&known), &scope(&unknown)]).await), 404),
        ("a stranger", &strangers, 404),
        ("a stranger's token", &anonymous.bearer(&strangers.token(&[&scope(&known), &scope(&unknown)]).await), 404),
        ("a token of another namespace", &theirs, 404),
    ] {
        for ((path, _), (missing, _)) in
            endpoints(&known, &image, "quay.io").into_iter().zip(endpoints(&unknown, &image, "quay.io"))
        {
            let there = seen(&client.get(&path).await, &known);
            assert_eq!(there.0, status, "{who} {path}");
            assert_eq!(there, seen(&client.get(&missing).await, &unknown), "{who} {path}: nothing tells them apart");
        }
    }
    // containerd asks what it wants, is told what to get a token for, and gets it with its own scope beside.
    let [(path, _), ..] = endpoints(&known, &image, "quay.io");
    let challenge = anonymous.head(&path).await.header("www-authenticate").to_owned();
    assert_eq!(parameters(&challenge)["scope"], scope(&known));
    let robot = world.robot().await;
    let answered = robot.answer(&challenge).await.json()["token"].as_str().unwrap().to_owned();
    let both = robot.token(&[&format!("repository:{known}:pull"), &scope(&known)]).await;
    let token = world.token(Some(&world.namespace), "read").await;
    for (who, client) in [
        ("its robot", robot.clone()),
        ("a token for it", anonymous.bearer(&answered)),
        ("a token for both", anonymous.bearer(&both)),
        ("a token of the namespace", anonymous.basic("$oauthtoken", &token)),
        ("the admin", anonymous.basic("$oauthtoken", &world.stack.token)),
    ] {
        for (path, status) in endpoints(&known, &image, "quay.io") {
            assert_eq!(client.get(&path).await.status, status, "{who} {path}");
        }
    }
    // A token narrows what its caller may.
    let narrow = anonymous.bearer(&robot.token(&[&format!("repository:{known}:pull")]).await).get(&path).await;
    let challenge = parameters(narrow.header("www-authenticate"));
    assert_eq!((narrow.status, challenge["error"].as_str()), (401, "insufficient_scope"));
    assert_eq!(challenge["scope"], scope(&known));
    let wrong = anonymous.basic(&world.robot_name(), "wrong").get(&path).await;
    assert_eq!((wrong.status, parameters(wrong.header("www-authenticate"))["scope"].clone()), (401, scope(&known)));
    // What it does not have, the original may.
    let reply = robot.get(&format!("/v2/{known}/manifests/v2?ns=quay.io")).await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "MANIFEST_UNKNOWN"));
}

#[tokio::test]
async fn of_several_mirrors_the_first_that_has_it_answers() {
    let (world, other) = (World::new("nodes-several").await, World::new("a-nodes-several").await);
    let name = format!("{}/app", unique());
    let reference = format!("quay.io/{name}");
    let image = |seed| Image::oci("amd64", &[layer(seed, 10)]);
    let (first, second, both_first, both_second, elsewhere) = (image(1), image(2), image(3), image(4), image(5));
    let one = mirror(&world, "one", "private", &reference).await.repository;
    let two = mirror(&world, "two", "private", &format!("Quay.io:443/{name}")).await.repository;
    let theirs = mirror(&other, "first-by-name", "public", &reference).await.repository;
    let private = mirror(&other, "hidden", "private", &reference).await.repository;
    let signature = Image::referrer(&second, layer(9, 9));
    let put = async |repository: &RepositoryName, tag: &str, image: &Image| {
        seed::image(&world.stack, repository, tag, image).await;
    };
    put(&one, "v1", &first).await;
    put(&two, "v2", &second).await;
    put(&one, "both", &both_first).await;
    put(&two, "both", &both_second).await;
    put(&two, "signature", &signature).await;
    put(&two, &second.referrers_tag(), &Image::referrers(vec![signature.clone()])).await;
    for (tag, image) in [("both", &elsewhere), ("theirs", &elsewhere)] {
        put(&theirs, tag, image).await;
    }
    put(&private, "secret", &elsewhere).await;
    let robot = world.robot().await;
    let get = async |client: &Client, reference: &str| {
        client.get(&format!("/v2/{name}/manifests/{reference}?ns=quay.io")).await
    };
    for (tag, image) in [("v1", &first), ("v2", &second), ("both", &both_first), ("theirs", &elsewhere)] {
        assert_eq!(get(&robot, tag).await.body, image.manifest, "{tag}: one's own namespace first, and by name");
        let digest = image.digest().to_string();
        assert_eq!(get(&robot, &digest).await.body, image.manifest, "{tag}");
        let blob = Digest::sha256(&image.blobs[1]);
        let blob = format!("/v2/{name}/blobs/{blob}?ns=quay.io");
        assert_eq!(robot.fetch(&blob, &[]).await.body, image.blobs[1], "{tag}");
    }
    let tags = robot.get(&format!("/v2/{name}/tags/list?ns=quay.io")).await.json();
    assert_eq!(tags, json!({"name": name, "tags": ["both", "v1"]}), "those of the first");
    let referrers = robot.get(&format!("/v2/{name}/referrers/{}?ns=quay.io", second.digest())).await.json();
    assert_eq!(referrers["manifests"][0]["digest"], json!(signature.digest()), "of the first that has the image");
    let none = robot.get(&format!("/v2/{name}/referrers/{}?ns=quay.io", Digest::sha256(b"x"))).await;
    assert_eq!((none.status, none.json()["manifests"].clone()), (200, json!([])));
    for tag in ["secret", "nowhere"] {
        assert_eq!(get(&robot, tag).await.status, 404, "{tag}");
    }
    // Everybody may read the public one; for the others they have to log in, whether there are any or not.
    let anonymous = Client::of(&world.stack);
    for tag in ["both", "theirs"] {
        assert_eq!(get(&anonymous, tag).await.body, elsewhere.manifest, "{tag}");
    }
    for tag in ["v1", "secret", "nowhere"] {
        assert_eq!(get(&anonymous, tag).await.status, 401, "{tag}");
    }
    assert_eq!(get(&other.robot().await, "secret").await.body, elsewhere.manifest);
}

#[tokio::test]
async fn a_mirror_that_has_moved_or_ended_answers_no_more() {
    let world = World::new("nodes-ended").await;
    let (before, after) = (format!("{}/app", unique()), format!("{}/app", unique()));
    let mirror = mirror(&world, "moving", "public", &format!("quay.io/{before}")).await;
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &mirror.repository, "v1", &image).await;
    let client = Client::of(&world.stack);
    let becomes = async |name: &str, status: u16| {
        let path = format!("/v2/{name}/manifests/v1?ns=quay.io");
        let asked = async || (client.get(&path).await.status == status).then_some(());
        eventually(&format!("{name} is {status}"), FORGOTTEN, asked).await;
    };
    becomes(&before, 200).await;
    mirror.change_mirror(json!({"external_reference": format!("quay.io/{after}")})).await;
    becomes(&after, 200).await;
    becomes(&before, 401).await;
    // Who is no mirror for a while does not speak for the original either.
    let state = format!("repository/{}/changestate", mirror.repository);
    let change = async |to: &str| mirror.call(Method::PUT, &state, Some(json!({"state": to}))).await.0;
    assert_eq!(change("READ_ONLY").await, 200);
    becomes(&after, 401).await;
    assert_eq!(change("MIRROR").await, 200);
    becomes(&after, 200).await;
    assert_eq!(mirror.call(Method::DELETE, &mirror.mirror_path(""), None).await.0, 204);
    becomes(&after, 401).await;
    let own = client.get(&format!("/v2/{}/manifests/v1", mirror.repository)).await;
    assert_eq!(own.status, 200, "what it holds stays, under its own name");
}
