//! What a pull asks of the table: one request for each kind of answer in an environment that is new, and none in one that
//! has given it before.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_tests::{
    client::pull,
    counted::Counted,
    image::{Image, layer},
    invoke::gateway_event,
    seed,
    world::World,
};
use serde_json::json;

#[tokio::test]
async fn each_answer_takes_one_request_at_first_and_then_none() {
    let world = World::new("pull-rounds").await;
    let image = Image::oci("amd64", &[layer(rand::random(), 100)]);
    seed::image(&world.stack, &world.repository, "v1", &image).await;
    let (repository, robot) = (&world.repository, world.robot().await);
    world.grant("read").await;
    let other = World { repository: seed::repository(&world, "other", "private").await, ..world.clone() };
    seed::image(&world.stack, &other.repository, "v1", &image).await;
    other.grant("read").await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", world.robot_name(), world.robot_token().await)));
    let bearer = format!("Bearer {}", robot.token(&[&pull(repository)]).await);
    let blob = moorage_domain::Digest::sha256(&image.blobs[0]);
    let pulls = [
        ("a token", gateway_event("/v2/token", &format!("service=registry&scope={}", pull(repository)), &basic), 200),
        ("a manifest", gateway_event(&format!("/v2/{repository}/manifests/v1"), "", &bearer), 200),
        ("a redirect", gateway_event(&format!("/v2/{repository}/blobs/{blob}"), "", &bearer), 307),
    ];
    for (what, event, status) in &pulls {
        let registry = Counted::copy_of(&world.stack, &world.stack.registry_function).await;
        for most in [1, 0] {
            let (answer, asked) = registry.invoke(event).await;
            assert_eq!(answer["statusCode"], json!(status), "{what}: {answer}");
            assert!(asked.len() <= most, "{what}: {asked:?}");
        }
        registry.delete().await;
    }
    // All of them in one environment.
    let registry = Counted::copy_of(&world.stack, &world.stack.registry_function).await;
    let mut all = Vec::new();
    for (what, event, status) in pulls.iter().chain(&pulls) {
        let (answer, asked) = registry.invoke(event).await;
        assert_eq!(answer["statusCode"], json!(status), "{what}: {answer}");
        all.push(asked.len());
    }
    assert_eq!(all[3..], [0, 0, 0], "{all:?}");
    // Who calls is known now, and another repository is not.
    let bearer = format!("Bearer {}", robot.token(&[&pull(&other.repository)]).await);
    let manifest = gateway_event(&format!("/v2/{}/manifests/v1", other.repository), "", &bearer);
    for most in [1, 0] {
        let (answer, asked) = registry.invoke(&manifest).await;
        assert_eq!(answer["statusCode"], json!(200), "{answer}");
        assert!(asked.len() <= most, "of another repository: {asked:?}");
    }
    registry.delete().await;
}
