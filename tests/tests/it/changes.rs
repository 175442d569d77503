//! What runs have changed of what tags point to.

use moorage_tests::{
    image::{Image, layer},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn push(world: &World, tag: &str) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image
}

async fn changes(world: &World, run: &Value, since: Option<&Value>) -> Value {
    let id = |run: &Value| run["run_id"].as_str().unwrap().to_owned();
    let query = since.map(|since| format!("?since={}", id(since))).unwrap_or_default();
    let (status, body) =
        world.call(Method::GET, &world.mirror_path(&format!("/runs/{}/changes{query}", id(run))), None).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn each_run_says_what_it_has_changed_and_two_what_is_between_them() {
    let world = World::new("changes").await;
    let rule = |tags: Value| json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": tags}});
    let (one, two) = (push(&world, "a").await, push(&world, "b").await);
    world.create_mirror(&world.stack.upstream, rule(json!(["a", "b", "c"]))).await;
    let first = world.sync().await;
    let created = |tag: &str, image: &Image| json!({"tag": tag, "change": "created", "to": image.digest()});
    let said = changes(&world, &first, None).await;
    assert_eq!(said["changes"], json!([created("a", &one), created("b", &two)]), "{said}");

    let (moved, new) = (push(&world, "a").await, push(&world, "c").await);
    let hold = json!({"on_move": {"mode": "enforce", "rules": [{"tags": ["b"], "action": "hold"}]}});
    world.change_mirror(hold).await;
    let other = push(&world, "b").await;
    let second = world.sync().await;
    let moved_a = json!({"tag": "a", "change": "moved", "from": one.digest(), "to": moved.digest()});
    let waiting = json!({"tag": "b", "change": "held", "held": other.digest()});
    assert_eq!(changes(&world, &second, None).await["changes"], json!([moved_a, waiting, created("c", &new)]));

    world.change_mirror(rule(json!(["a", "c"]))).await;
    let third = world.sync().await;
    let deleted = json!({"tag": "b", "change": "deleted", "from": two.digest()});
    assert_eq!(changes(&world, &third, None).await["changes"], json!([deleted]));

    let unchanged = world.sync().await;
    assert_eq!(changes(&world, &unchanged, None).await["changes"], json!([]));
    let all = changes(&world, &unchanged, Some(&first)).await;
    assert_eq!((&all["runs"], &all["changes"]), (&json!(3), &json!([moved_a, deleted, created("c", &new)])), "{all}");
    assert_eq!(changes(&world, &first, Some(&first)).await["changes"], json!([]));
    let later =
        format!("/runs/{}/changes?since={}", first["run_id"].as_str().unwrap(), third["run_id"].as_str().unwrap());
    assert_eq!(world.call(Method::GET, &world.mirror_path(&later), None).await.0, 400);
    let unknown = world.mirror_path("/runs/00000000-0000-4000-8000-000000000000/changes");
    assert_eq!(world.call(Method::GET, &unknown, None).await.0, 404);
}
