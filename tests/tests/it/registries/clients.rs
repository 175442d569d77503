//! Clients of ours as they are today: npm's, another registry that mirrors us, go-containerregistry's and Ansible's.

use std::net::IpAddr;

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    client::{Client, parameters, pull},
    image::{Image, layer},
    organization_mirror::{self, named, push},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// A private repository that has an image as `v1`.
async fn with_image(name: &str) -> (World, Image) {
    let world = World::new(name).await;
    let image = Image::oci("amd64", &[layer(rand::random(), 500)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    world.grant("read").await;
    (world, image)
}

/// What `@sigstore/oci` 0.6 of npm does before it reads: the answer to an upload that nobody meant is its challenge.
async fn reads_by_probing(client: &Client, world: &World) -> u16 {
    let nobody = Client::of(&world.stack);
    let probe = nobody.send(Method::POST, &format!("/v2/{}/blobs/uploads/", world.repository), &[]).await;
    assert_eq!(probe.status, 401, "{probe:?}");
    let challenge = probe.header("www-authenticate");
    let scope = format!("{},push", pull(&world.repository));
    assert_eq!(parameters(challenge)["scope"], scope, "{challenge}");
    let token = client.answer(challenge).await.json()["token"].as_str().unwrap().to_owned();
    nobody.bearer(&token).head(&format!("/v2/{}/manifests/v1", world.repository)).await.status
}

#[tokio::test]
async fn a_client_learns_by_a_push_how_to_log_in() {
    let (world, image) = with_image("probe").await;
    let robot = world.robot().await;
    assert_eq!(reads_by_probing(&robot, &world).await, 200);
    assert_eq!(reads_by_probing(&Client::of(&world.stack), &world).await, 401);
    let visibility = format!("repository/{}/changevisibility", world.repository);
    assert_eq!(world.call(Method::POST, &visibility, Some(json!({"visibility": "public"}))).await.0, 200);

    let token = robot.token(&[&format!("{},push", pull(&world.repository))]).await;
    let somebody = [robot.clone(), robot.bearer(&token)];
    let anonymous = Client::of(&world.stack).token(&[&pull(&world.repository)]).await;
    let wrong = Client::of(&world.stack).basic(&world.robot_name(), "wrong");
    let nobody = [Client::of(&world.stack), Client::of(&world.stack).bearer(&anonymous), wrong, robot.bearer("x")];
    let (name, digest) = (&world.repository, image.digest());
    for (method, path) in [
        (Method::POST, format!("/v2/{name}/blobs/uploads/")),
        (Method::POST, format!("/v2/{name}/blobs/uploads/?mount={digest}&from=a/b")),
        (Method::PATCH, format!("/v2/{name}/blobs/uploads/b0ef4b6c")),
        (Method::PUT, format!("/v2/{name}/blobs/uploads/b0ef4b6c?digest={digest}")),
        (Method::DELETE, format!("/v2/{name}/blobs/uploads/b0ef4b6c")),
        (Method::PUT, format!("/v2/{name}/manifests/v2")),
        (Method::DELETE, format!("/v2/{name}/manifests/{digest}")),
        (Method::DELETE, format!("/v2/{name}/blobs/{digest}")),
        // It tells nothing of what there is.
        (Method::POST, "/v2/nobody/nothing/blobs/uploads/".to_owned()),
    ] {
        for client in &nobody {
            let reply = client.send(method.clone(), &path, &[]).await;
            assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHORIZED"), "{method} {path} {client:?}");
            let scope = &parameters(reply.header("www-authenticate"))["scope"];
            assert!(scope.starts_with("repository:") && scope.ends_with(":pull,push"), "{scope}");
        }
        for client in &somebody {
            let reply = client.send(method.clone(), &path, &[]).await;
            assert_eq!((reply.status, reply.code().as_str()), (405, "UNSUPPORTED"), "{method} {path}");
        }
    }
    // Also where the name is none of ours.
    for path in ["/v2/app/blobs/uploads/", "/v2/Acme/App/blobs/uploads/", "/v2/app/blobs/uploads/b0ef4b6c"] {
        for client in &nobody {
            let reply = client.send(Method::POST, path, &[]).await;
            assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHORIZED"), "{path} {client:?}");
            assert!(reply.header("www-authenticate").starts_with("Bearer realm="), "{reply:?}");
        }
        for client in &somebody {
            assert_eq!(client.send(Method::POST, path, &[]).await.status, 405, "{path}");
        }
    }
}

/// What an answer comes to for a stranger, without the name that was asked for.
fn anonymized(world: &World, (status, body): (u16, Value)) -> (u16, String) {
    (status, body.to_string().replace(&world.namespace, "ORGANIZATION"))
}

#[tokio::test]
async fn an_organization_of_ours_is_mirrored_by_what_anybody_may_see() {
    let world = World::empty("source").await;
    let images = [push(&world, "app", &["v1"]).await, push(&world, "tools/lint", &["latest"]).await];
    let path = format!("organization/{}", world.namespace);
    let see = async |path: &str| world.send(Method::GET, path, None, None).await;
    let nothing = anonymized(&world, see("organization/nobody-at-all").await);
    assert_eq!(nothing.0, 401);
    assert_eq!(anonymized(&world, see(&path).await), nothing, "private is as if there were none");

    organization_mirror::create(&world, "distribution", &world.stack.upstream, json!({"visibility": "public"})).await;
    assert_eq!(see(&path).await.0, 401, "there is nothing public yet");
    organization_mirror::sync_now(&world).await;
    organization_mirror::wait_for(&world, json!({"SUCCESS": 2})).await;
    let (status, shown) = see(&path).await;
    let avatar = shown["avatar"].clone();
    let expected = json!({
        "name": world.namespace, "email": "", "avatar": avatar, "is_admin": false, "is_member": false,
    });
    assert_eq!((status, shown), (200, expected.clone()), "no teams, as in Quay");
    let stranger = world.token(Some("admin"), "read").await;
    assert_eq!(world.send(Method::GET, &path, Some(&stranger), None).await, (200, expected));
    let public = format!("repository?namespace={}&public=true", world.namespace);
    assert_eq!(see(&public).await.1["repositories"].as_array().unwrap().len(), 2);

    // Another one of us mirrors it, as Quay would, without a token.
    let mirror = World::empty("mirror-of").await;
    let registry = world.stack.url.trim_start_matches("http://").to_owned();
    let from = json!({"external_namespace": world.namespace, "visibility": "public"});
    organization_mirror::create(&mirror, "quay", &registry, from).await;
    let verified = mirror.call(Method::POST, &organization_mirror::path(&mirror, "/verify"), None).await;
    assert_eq!((verified.0, &verified.1["success"]), (200, &json!(true)), "{verified:?}");
    organization_mirror::sync_now(&mirror).await;
    organization_mirror::wait_for(&mirror, json!({"SUCCESS": 2})).await;
    for (name, tag, image) in [("app", "v1", &images[0]), ("tools/lint", "latest", &images[1])] {
        let held = bucket::check(&mirror.stack, &named(&mirror, name)).await;
        assert_eq!(held.tags[tag], image.digest(), "{name}");
    }
}

/// Follows a redirect as go-containerregistry does since August 2026: from a host name to no address.
async fn fetch(client: &Client, base: &str, path: &str) -> Result<Vec<u8>, String> {
    let reply = client.get(&format!("{base}{path}")).await;
    assert_eq!(reply.status, 307, "{reply:?}");
    let location: reqwest::Url = reply.header("location").parse().unwrap();
    let is_address = |url: &reqwest::Url| url.host_str().unwrap().trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_address(&location) && !is_address(&base.parse().unwrap()) {
        return Err(format!("refusing to follow a redirect from {base} to the address {location}"));
    }
    let followed = Client::new(base).get(location.as_str()).await;
    assert_eq!(followed.status, 200, "{followed:?}");
    Ok(followed.body)
}

#[tokio::test]
async fn blobs_come_from_the_machine_as_it_was_called() {
    let (world, image) = with_image("families").await;
    let robot = world.robot().await;
    let port = world.stack.url.rsplit_once(':').unwrap().1;
    let blob = format!("/v2/{}/blobs/{}", world.repository, Digest::sha256(&image.blobs[1]));
    for host in ["localhost", "127.0.0.1"] {
        let base = format!("http://{host}:{port}");
        assert_eq!(fetch(&robot, &base, &blob).await.as_ref(), Ok(&image.blobs[1]), "{host}");
        let location = robot.get(&format!("{base}{blob}")).await.header("location").to_owned();
        assert!(location.starts_with(&format!("http://{host}:")), "{location}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_with_any_method() {
    let world = World::new("no-such").await;
    let none = world.problem(404, "not_found", "Not Found");
    let policy = json!({"method": "number_of_tags", "value": 10});
    for path in [
        format!("repository/{}/autoprunepolicy/", world.repository),
        format!("repository/{}/autoprunepolicy/b0ef4b6c", world.repository),
        format!("organization/{}/autoprunepolicy/", world.namespace),
        format!("organization/{}/autoprunepolicy/b0ef4b6c", world.namespace),
        "user/autoprunepolicy/".to_owned(),
        format!("repository/{}/mirror/rules", world.repository),
        format!("organization/{}/quota", world.namespace),
        "nothing/at/all".to_owned(),
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for body in [None, Some(policy.clone())] {
                assert_eq!(world.call(method.clone(), &path, body).await, none, "{method} {path}");
            }
        }
    }
    // What exists says which methods it has.
    assert_eq!(world.call(Method::PATCH, &world.mirror_path(""), None).await.0, 405);
    assert_eq!(world.call(Method::POST, &format!("repository/{}", world.repository), None).await.0, 405);
}

#[tokio::test]
async fn no_tag_becomes_immutable() {
    let (world, image) = with_image("immutable").await;
    let tag = format!("repository/{}/tag/v1", world.repository);
    let immutable = json!({"immutable": true});
    assert_eq!(world.call(Method::PUT, &tag, Some(immutable.clone())).await.0, 503, "it is the mirror's");
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    let log = world.log().await.len();
    let new = format!("repository/{}/tag/v2", world.repository);
    let both = json!({"immutable": true, "manifest_digest": image.digest()});
    for (path, body) in [(&tag, &immutable), (&tag, &both), (&new, &both)] {
        let (status, answer) = world.call(Method::PUT, path, Some(body.clone())).await;
        assert_eq!((status, &answer["error_type"]), (400, &json!("invalid_request")), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("immutable"), "{answer}");
    }
    let wrong = world.call(Method::PUT, &tag, Some(json!({"immutable": "yes"}))).await;
    assert_eq!(wrong, world.problem(400, "invalid_request", "'yes' is not of type 'boolean'"));
    let page =
        world.call(Method::GET, &format!("repository/{}/tag/?onlyActiveTags=true", world.repository), None).await.1;
    assert_eq!(page["tags"].as_array().unwrap().len(), 1, "no tag was made: {page}");
    assert_eq!(world.log().await.len(), log);
    // None is, so that there is nothing to undo.
    let updated = (201, json!("Updated"));
    assert_eq!(world.call(Method::PUT, &tag, Some(json!({"immutable": false}))).await, updated);
    let moved = json!({"immutable": false, "manifest_digest": image.digest()});
    assert_eq!(world.call(Method::PUT, &new, Some(moved)).await, updated);
    assert_eq!(world.call(Method::DELETE, &tag, None).await.0, 204);
}
