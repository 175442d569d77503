//! The registry's function behind an Application Load Balancer: what to fall back to, should API Gateway change headers
//! that clients need.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_domain::Digest;
use moorage_tests::{
    image::{Image, layer},
    invoke::{balancer_event, invoke},
    seed,
    world::World,
};

#[tokio::test]
async fn a_load_balancers_requests_are_answered_within_its_limits() {
    let world = World::new("balancer").await;
    world.grant("read").await;
    let name = world.repository.clone();
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &name, "v1", &image).await;
    let mut large = image.manifest.clone();
    large.resize(500_001, b' ');
    let large = seed::manifest(&world.stack, &name, large).await;
    let pair = STANDARD.encode(format!("{}:{}", world.robot_name(), world.robot_token().await));
    let basic = format!("Basic {pair}");
    let manifest = format!("/v2/{name}/manifests/v1");
    let ask = async |method: &str, path: &str, query: &[(&str, &str)], authorization: &str| {
        invoke(&world.stack, &balancer_event(method, path, query, authorization)).await.0
    };
    let refused = ask("GET", "/v2/", &[], "").await;
    assert_eq!(refused["statusCode"], 401, "{refused}");
    assert!(refused["headers"]["www-authenticate"].as_str().unwrap().starts_with("Bearer realm="), "{refused}");
    let scope = format!("repository:{name}:pull");
    let token = ask("GET", "/v2/token", &[("service", "x"), ("scope", &scope)], &basic).await;
    let token: serde_json::Value = serde_json::from_str(token["body"].as_str().unwrap()).unwrap();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let pulled = ask("GET", &manifest, &[("other", "docker.io")], &bearer).await;
    assert_eq!((&pulled["statusCode"], pulled["body"].as_str().unwrap().as_bytes()), (&200.into(), &*image.manifest));
    assert_eq!(pulled["headers"]["content-type"], image.media_type);
    let blob = format!("/v2/{name}/blobs/{}", Digest::sha256(&image.blobs[1]));
    assert_eq!(ask("GET", &blob, &[], &bearer).await["statusCode"], 307);
    assert_eq!(ask("HEAD", &blob, &[], &bearer).await["headers"]["content-length"], "10");
    assert_eq!(ask("GET", &format!("/v2/{name}/manifests/{large}"), &[], &bearer).await["statusCode"], 307);
    assert_eq!(ask("PUT", &manifest, &[], &bearer).await["statusCode"], 405);
}
