//! Verify: what the bucket really has, whatever the table says; and what it lacks comes again.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{self, Image, layer},
    proxy::{Proxy, count},
    registry::Registry,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

const MIB: usize = 1024 * 1024;

/// Asks for a verify, and returns its run.
async fn verify(world: &World) -> Value {
    let (status, body) = world.call(Method::POST, &world.mirror_path("/verify"), None).await;
    assert_eq!(status, 202, "{body}");
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    let run = world.last_run().await;
    assert_eq!((&run["run_id"], &run["trigger"], &run["verifies"]), (&body["run_id"], &json!("verify"), &json!(true)));
    run
}

async fn delete(world: &World, key: &str) {
    world.stack.s3().delete_object().bucket(&world.stack.bucket).key(key).send().await.unwrap();
}

async fn overwrite(world: &World, key: &str, bytes: Vec<u8>) {
    let put = world.stack.s3().put_object().bucket(&world.stack.bucket).key(key);
    put.body(bytes.into()).send().await.unwrap();
}

fn in_repository(world: &World, rest: &str) -> String {
    format!("docker/registry/v2/repositories/{}/{rest}", world.repository)
}

#[tokio::test]
async fn whatever_is_missing_or_damaged_comes_again() {
    let world = World::new("verify").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let random = |size| layer(rand::random(), size);
    let image = || Image::oci("amd64", &[random(5_000)]);
    let images: Vec<(&str, Image)> = vec![
        ("blob-gone", image()),
        ("blob-short", image()),
        ("large-gone", Image::oci("amd64", &[random(20 * MIB)])),
        ("large-short", Image::oci("amd64", &[random(20 * MIB)])),
        ("manifest-gone", image()),
        ("manifest-damaged", image()),
        ("child-gone", Image::index(vec![image(), image()])),
        ("layer-link-gone", image()),
        ("revision-link-wrong", image()),
        ("tag-gone", image()),
        ("tag-wrong", image()),
        ("sound", image()),
    ];
    for (tag, image) in &images {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], images.len());
    let whole = bucket::check(&world.stack, &world.repository).await;

    let layer_of = |n: usize| Digest::sha256(&images[n].1.blobs[1]);
    let link = |kind: &str, digest: &Digest| in_repository(&world, &format!("{kind}/sha256/{}/link", digest.hex()));
    delete(&world, &bucket::blob_key(&layer_of(0))).await;
    overwrite(&world, &bucket::blob_key(&layer_of(1)), b"short".to_vec()).await;
    delete(&world, &bucket::blob_key(&layer_of(2))).await;
    overwrite(&world, &bucket::blob_key(&layer_of(3)), vec![0; 9 * MIB]).await;
    delete(&world, &bucket::blob_key(&images[4].1.digest())).await;
    overwrite(&world, &bucket::blob_key(&images[5].1.digest()), b"{}".to_vec()).await;
    delete(&world, &bucket::blob_key(&images[6].1.children[1].digest())).await;
    delete(&world, &link("_layers", &layer_of(7))).await;
    overwrite(&world, &link("_manifests/revisions", &images[8].1.digest()), b"sha256:beef\n".to_vec()).await;
    delete(&world, &in_repository(&world, "_manifests/tags/tag-gone/current/link")).await;
    let other = images[0].1.digest().to_string().into_bytes();
    overwrite(&world, &in_repository(&world, "_manifests/tags/tag-wrong/current/link"), other).await;

    // An ordinary sync trusts the table.
    let run = world.sync().await;
    assert_eq!((&run["tags_unchanged"], &run["verifies"]), (&json!(images.len()), &json!(false)), "{run}");
    proxy.take_seen();
    let run = verify(&world).await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    assert_eq!((&run["tags_repaired"], &run["tags_unchanged"]), (&json!(images.len() - 1), &json!(1)), "{run}");
    assert_eq!(outcome(&run, "sound")["outcome"], "unchanged");
    let requests = count(&proxy.take_seen());
    // Two small blobs, three parts of each large one; three manifests.
    assert_eq!((requests["GET blobs"], requests["GET manifests"]), (8, 3), "only what was lost: {requests:?}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await, whole);
    let stock = Registry::over_bucket(&world.stack);
    for (tag, image) in &images {
        let served = image::get_manifest(&stock.url, world.repository.as_str(), tag).await;
        assert_eq!((served.0, served.2), (200, image.manifest.clone()), "{tag}");
    }

    let before = bucket::versions(&world.stack, &world.repository).await;
    let run = verify(&world).await;
    assert_eq!((&run["tags_repaired"], &run["tags_unchanged"]), (&json!(0), &json!(images.len())), "{run}");
    let requests = count(&proxy.take_seen());
    assert_eq!(requests.get("GET blobs").or(requests.get("GET manifests")), None, "{requests:?}");
    assert_eq!(bucket::versions(&world.stack, &world.repository).await, before, "nothing is written");
}

#[tokio::test]
async fn table_and_bucket_are_brought_together() {
    let world = World::new("drift").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 500)]);
    for tag in ["forgotten", "unselected", "kept"] {
        image.push(&upstream, &world.path, tag).await;
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 3);
    let rule = json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["forgotten", "kept"]}});
    world.change_mirror(rule).await;
    // The table forgets two tags; and the bucket has one that points to nothing.
    let text = |text: String| AttributeValue::S(text);
    for tag in ["forgotten", "unselected"] {
        let delete = aws_sdk_dynamodb::Client::new(&world.stack.aws).delete_item().table_name(&world.stack.table);
        let delete = delete.key("pk", text(format!("REPO#{}", world.repository))).key("sk", text(format!("TAG#{tag}")));
        delete.send().await.unwrap();
    }
    let nothing = Digest::sha256(b"nothing").to_string().into_bytes();
    overwrite(&world, &in_repository(&world, "_manifests/tags/hollow/current/link"), nothing).await;
    let run = verify(&world).await;
    assert_eq!((&run["status"], &run["tags_repaired"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(1), &json!(2)));
    assert_eq!(outcome(&run, "forgotten")["outcome"], "repaired");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.into_keys().collect::<Vec<_>>(), ["forgotten", "kept"]);
    let run = world.sync().await;
    assert_eq!(run["tags_unchanged"], 2, "the table knows again: {run}");
}

/// Eight days go by since the mirror was made.
async fn let_a_week_pass(world: &World) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = aws_sdk_dynamodb::Client::new(&world.stack.aws).update_item().table_name(&world.stack.table);
    let update = update.key("pk", text(&format!("REPO#{}", world.repository))).key("sk", text("MIRROR"));
    let update = update.update_expression("SET created = created - :days");
    update.expression_attribute_values(":days", AttributeValue::N((8 * 86_400).to_string())).send().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_copied_has_not_every_sync_verify() {
    let world = World::new("never").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (never, fine) = (Image::oci("amd64", &[layer(rand::random(), 99)]), Image::oci("amd64", &[layer(2, 99)]));
    never.push(&upstream, &world.path, "never").await;
    fine.push(&upstream, &world.path, "fine").await;
    let proxy = Proxy::start(&upstream).await;
    let gone = moorage_tests::proxy::Fault::Status(404, vec![]);
    proxy.fault("GET", &format!("blobs/{}", Digest::sha256(&never.blobs[1])), 1_000, gone);
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 1);
    let_a_week_pass(&world).await;
    for verifies in [true, false] {
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["verifies"]), (&json!("FAIL"), &json!(verifies)), "{run}");
        assert_eq!(outcome(&run, "fine")["outcome"], "unchanged");
    }
}

#[tokio::test]
async fn it_happens_once_in_a_while_by_itself_and_says_what_cannot_be_mended() {
    let world = World::new("weekly").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (lost, fine) = (Image::oci("amd64", &[layer(rand::random(), 99)]), Image::oci("amd64", &[layer(2, 99)]));
    lost.push(&upstream, &world.path, "lost").await;
    fine.push(&upstream, &world.path, "fine").await;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["verifies"], false);
    let blob = Digest::sha256(&lost.blobs[1]);
    delete(&world, &bucket::blob_key(&blob)).await;
    let gone = moorage_tests::proxy::Fault::Status(404, vec![]);
    proxy.fault("GET", &format!("blobs/{blob}"), 1_000, gone);

    let_a_week_pass(&world).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["verifies"]), (&json!("FAIL"), &json!(true)), "{run}");
    assert_eq!(outcome(&run, "lost")["failure"]["reason"], "not_found");
    assert_eq!(outcome(&run, "fine")["outcome"], "unchanged");
    // What was not done is done the next time; then it is quiet for a week.
    proxy.heal();
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_repaired"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    let run = world.sync().await;
    assert_eq!((&run["verifies"], &run["tags_unchanged"]), (&json!(false), &json!(2)), "{run}");
    bucket::check(&world.stack, &world.repository).await;
}

#[tokio::test]
async fn a_manifest_that_lies_about_a_blob_spoils_nothing() {
    let (honest, liar) = (World::new("honest").await, World::new("liar").await);
    let upstream = format!("http://{}", honest.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 700)]);
    image.push(&upstream, &honest.path, "v1").await;
    honest.create_mirror(&honest.stack.upstream, json!({})).await;
    assert_eq!(honest.sync().await["status"], "SUCCESS");
    image.push(&upstream, &liar.path, "v1").await;
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["layers"][0]["size"] = json!(701);
    image::put_manifest(&upstream, &liar.path, "v1", image.media_type, manifest.to_string().into_bytes()).await;
    liar.create_mirror(&liar.stack.upstream, json!({})).await;
    let run = liar.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("digest_mismatch")), "{run}");
    bucket::check(&honest.stack, &honest.repository).await;
}
