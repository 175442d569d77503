//! What the registry's log and its errors say: nothing that would let anybody in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_domain::Digest;
use moorage_tests::{
    image::{Image, layer},
    invoke::{gateway_event, invoke},
    seed,
    world::World,
};
use serde_json::{Value, json};

#[tokio::test]
async fn neither_log_nor_errors_hold_what_lets_anybody_in() {
    let world = World::new("secrets").await;
    world.grant("read").await;
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &world.repository, "v1", &image).await;
    let (user, password) = (world.robot_name(), world.robot_token().await);
    let scope = format!("repository:{}:pull", world.repository);
    let token = world.robot().await.token(&[&scope]).await;
    let pair = STANDARD.encode(format!("{user}:{password}"));
    let wrong = STANDARD.encode(format!("{user}:wrong-but-secret"));
    let manifest = format!("/v2/{}/manifests/v1", world.repository);
    let blob = format!("/v2/{}/blobs/{}", world.repository, Digest::sha256(&image.blobs[1]));
    let query = format!("scope={scope}");
    for (path, query, authorization, status) in [
        (manifest.as_str(), "", format!("Basic {pair}"), 200),
        (&manifest, "", format!("Bearer {token}"), 200),
        (&manifest, "token=in-the-query-but-secret", format!("Bearer {token}x"), 401),
        (&manifest, "", format!("Basic {wrong}"), 401),
        (&blob, "", format!("Bearer {token}"), 307),
        ("/v2/token", &query, format!("Basic {pair}"), 200),
        ("/v2/token", &query, format!("Basic {wrong}"), 401),
        ("/v2/token", &query, format!("Bearer {token}"), 401),
        ("/v2/x/y/manifests/sha256:zz", "", format!("Basic {pair}"), 400),
    ] {
        let (answer, log) = invoke(&world.stack, &gateway_event(path, query, &authorization)).await;
        assert_eq!(answer["statusCode"], status, "{path} {answer}");
        let line = log.lines().find(|line| line.contains("\"answered\"")).unwrap_or_else(|| panic!("no line: {log}"));
        let line: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
        assert_eq!((&line["http.status"], &line["http.path"]), (&json!(status), &json!(path)));
        // Whoever shows a token where tokens are made is known, and refused.
        let is_known = status < 400 || (path == "/v2/token" && authorization.starts_with("Bearer"));
        assert_eq!(line["caller"], if is_known { user.as_str() } else { "" }, "{path}");
        let mut said = vec![log];
        if status >= 400 {
            said.push(answer.to_string());
        }
        let signature = token.rsplit('.').next().unwrap();
        for secret in [&password, &pair, &wrong, signature, "but-secret", "X-Amz-", "Bearer ey", &world.stack.token] {
            assert!(said.iter().all(|said| !said.contains(secret)), "{path}: {secret} in {said:?}");
        }
    }
}
