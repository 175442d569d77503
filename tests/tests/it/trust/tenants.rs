//! What a namespace's admin, its registry and the end of a repository may not bring about.

use std::time::Duration;

use moorage_domain::Digest;
use moorage_tests::{
    bucket::{self, ROOT},
    client::Client,
    hostile::{Answer, Hostile},
    image::{Image, layer},
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 2_000)])
}

/// An image's manifest with another length of its layer.
fn with_length(image: &Image, size: usize) -> Vec<u8> {
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["layers"][0]["size"] = json!(size);
    manifest.to_string().into_bytes()
}

/// Has a tag point to this manifest.
fn hold(registry: &Hostile, world: &World, tag: &str, image: &Image, manifest: &[u8]) {
    let digest = Digest::sha256(manifest).to_string();
    let (bytes, media_type) = (manifest.to_vec(), image.media_type);
    let answer = move || {
        let answer = Answer::new(200).header("content-type", media_type).header("docker-content-digest", &digest);
        answer.body(bytes.clone())
    };
    registry.always("", &format!("/v2/{}/manifests/{tag}", world.path), answer.clone());
    registry.always("", &format!("/v2/{}/manifests/{}", world.path, Digest::sha256(manifest)), answer);
    registry.list(&world.path, tag);
}

#[tokio::test]
async fn a_false_length_fails_its_own_tag_and_no_other() {
    let (world, registry) = (World::new("lengths").await, Hostile::start().await);
    let (first, second) = (image(), image());
    registry.hold_by_digest(&world.path, &first);
    registry.hold_by_digest(&world.path, &second);
    // Tags begin in their order: the lie comes before the truth, and behind it.
    hold(&registry, &world, "a-lies", &first, &with_length(&first, 7));
    hold(&registry, &world, "b-honest", &first, &first.manifest);
    hold(&registry, &world, "c-honest", &second, &second.manifest);
    hold(&registry, &world, "d-lies", &second, &with_length(&second, 7));
    world.create_mirror(&registry.address, json!({})).await;
    let run = world.sync().await;
    for (tag, expected) in [("a-lies", "failed"), ("b-honest", "copied"), ("c-honest", "copied"), ("d-lies", "failed")]
    {
        assert_eq!(outcome(&run, tag)["outcome"], expected, "{tag}: {run}");
    }
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.len(), 2);
}

#[tokio::test]
async fn a_tag_that_is_there_keeps_its_content_although_its_run_calls_it_failed() {
    let (world, registry) = (World::new("halfway").await, Hostile::start().await);
    let image = image();
    registry.hold(&world.path, "v1", &image);
    world.create_mirror(&registry.address, json!({})).await;
    // The tag itself can be written, and then the bucket fails.
    let history = format!(
        "arn:aws:s3:::{}/{ROOT}/repositories/{}/_manifests/tags/v1/index/*",
        world.stack.bucket, world.repository
    );
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": history});
    let policy = json!({"Version": "2012-10-17", "Statement": [deny]}).to_string();
    let s3 = world.stack.s3();
    s3.put_bucket_policy().bucket(&world.stack.bucket).policy(policy).send().await.unwrap();
    let run = world.sync().await;
    s3.delete_bucket_policy().bucket(&world.stack.bucket).send().await.unwrap();
    assert_eq!(outcome(&run, "v1")["outcome"], "failed", "{run}");
    let robot = world.robot().await;
    let path = format!("/v2/{}", world.repository);
    let mut statuses = vec![robot.fetch(&format!("{path}/manifests/v1"), &[]).await.status];
    for blob in &image.blobs {
        statuses.push(robot.fetch(&format!("{path}/blobs/{}", Digest::sha256(blob)), &[]).await.status);
    }
    assert!(
        statuses.iter().all(|status| *status == 404) || statuses.iter().all(|status| *status == 200),
        "{statuses:?}"
    );
    assert_eq!(world.sync().await["status"], "SUCCESS");
}

#[tokio::test]
async fn whose_robots_there_are_is_told_to_nobody_else() {
    let (world, other) = (World::new("asks").await, World::empty("asked").await);
    let token = world.token(Some(&world.namespace), "admin").await;
    let send = async |method: Method, path: &str, body: Value| {
        let (status, answer) = world.send(method, path, Some(&token), Some(body.to_string().into_bytes())).await;
        (status, answer.to_string())
    };
    let (theirs, nobodys) = (other.robot_name(), format!("{}+none", other.namespace));
    let mut answers = Vec::new();
    for robot in [&theirs, &nobodys] {
        let mut mirror = world.mirror_body("registry.example");
        mirror["robot_username"] = json!(robot);
        let escaped = robot.replace('+', "%2B");
        let (organization, repository) = (&world.namespace, &world.repository);
        let organization_mirror = json!({
            "external_registry_type": "harbor", "external_registry_url": "https://registry.example",
            "external_namespace": "x", "robot_username": robot, "visibility": "private", "sync_interval": 86_400,
            "sync_start_date": "2099-01-01T00:00:00Z",
        });
        let asked = [
            (Method::POST, world.mirror_path(""), mirror),
            (Method::POST, format!("organization/{organization}/mirror"), organization_mirror),
            (Method::PUT, format!("repository/{repository}/permissions/user/{escaped}"), json!({"role": "read"})),
            (Method::GET, format!("repository/{repository}/permissions/user/{escaped}"), json!({})),
            (Method::GET, format!("repository/{repository}/permissions/user/{escaped}/transitive"), json!({})),
            (Method::DELETE, format!("repository/{repository}/permissions/user/{escaped}"), json!({})),
            (Method::PUT, format!("organization/{organization}/team/owners/members/{escaped}"), json!({})),
            (Method::DELETE, format!("organization/{organization}/team/owners/members/{escaped}"), json!({})),
        ];
        let mut told = Vec::new();
        for (method, path, body) in asked {
            let (status, answer) = send(method.clone(), &path, body).await;
            assert!((400..500).contains(&status), "{method} {path}: {status} {answer}");
            told.push((method, status, answer.replace(robot.as_str(), "ROBOT")));
        }
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_public_repositorys_name_shows_no_tags_of_the_next_one() {
    let (world, registry) = (World::new("renamed").await, Hostile::start().await);
    let path = format!("repository/{}", world.repository);
    let public = json!({"visibility": "public"});
    assert_eq!(world.call(Method::POST, &format!("{path}/changevisibility"), Some(public)).await.0, 200);
    let anybody = Client::of(&world.stack);
    let tags = format!("/v2/{}/tags/list", world.repository);
    // Whoever answers keeps for a while that everybody may pull.
    for _ in 0..8 {
        assert_eq!(anybody.fetch(&tags, &[]).await.status, 200);
    }
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    let again = json!({"namespace": world.namespace, "repository": "app", "visibility": "private", "description": ""});
    assert_eq!(world.call(Method::POST, "repository", Some(again)).await.0, 201);
    registry.hold(&world.path, "secret", &image());
    world.create_mirror(&registry.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    for _ in 0..8 {
        let answer = anybody.fetch(&tags, &[]).await;
        assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
