//! What a page of tags tells when it is asked for more: what images are for, and what is attached to them.

use moorage_domain::Digest;
use moorage_tests::{
    image::{Image, layer},
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// A page of tags, by their names: what they are for, and what is attached to them.
async fn page(world: &World, query: &str, token: Option<&str>) -> Vec<(String, Value, Value)> {
    let path = format!("repository/{}/tag/{query}", world.repository);
    let (status, page) = world.send(Method::GET, &path, token, None).await;
    assert_eq!(status, 200, "{page}");
    let told =
        |tag: &Value| (tag["name"].as_str().unwrap().to_owned(), tag["platforms"].clone(), tag["attached"].clone());
    let mut tags: Vec<_> = page["tags"].as_array().unwrap().iter().map(told).collect();
    tags.sort_by(|a, b| a.0.cmp(&b.0));
    tags
}

#[tokio::test]
async fn images_say_what_they_are_for_and_what_is_attached() {
    let world = World::new("details").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let single = |architecture: &str| Image::oci(architecture, &[layer(rand::random(), 100)]);
    let index = Image::index(vec![single("amd64"), single("arm64")]);
    let docker = Image::docker("s390x", &[layer(rand::random(), 100)]);
    let sboms = Image::referrers(vec![Image::referrer(&index, layer(1, 70)), Image::referrer(&index, layer(2, 70))]);
    let list = index.referrers_tag();
    for (tag, image) in
        [("index", &index), ("single", &docker), ("artifact", &Image::artifact(layer(3, 50))), (list.as_str(), &sboms)]
    {
        image.push(&upstream, &world.path, tag).await;
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");

    let admin = Some(world.stack.token.as_str());
    let attached = json!({"application/vnd.example.sbom": 2});
    let of_index = ("index".to_owned(), json!(["linux/amd64", "linux/arm64"]), attached.clone());
    let all = page(&world, "?details=true", admin).await;
    let named = |name: &str, platforms: Value| (name.to_owned(), platforms, json!({}));
    let expected = [
        named("artifact", json!([])),
        of_index.clone(),
        named(&list, json!([])),
        named("single", json!(["linux/s390x"])),
    ];
    assert_eq!(all, expected);
    assert_eq!(
        page(&world, "?details=true&specificTag=index", admin).await,
        std::slice::from_ref(&of_index),
        "alone, too"
    );
    let reader = world.token(Some(&world.namespace), "read").await;
    assert_eq!(page(&world, "?details=true&specificTag=index", Some(&reader)).await, [of_index]);
    // Nobody pays for it who does not ask, and nobody gets it who may read only because the repository is public.
    let plain = vec![("index".to_owned(), Value::Null, Value::Null)];
    assert_eq!(page(&world, "?specificTag=index", admin).await, plain);
    let public = json!({"visibility": "public"});
    let path = format!("repository/{}/changevisibility", world.repository);
    assert_eq!(world.call(Method::POST, &path, Some(public)).await.0, 200);
    assert_eq!(page(&world, "?details=true&specificTag=index", None).await, plain);
}

#[tokio::test]
async fn only_what_is_here_of_an_index_is_told_and_what_is_gone_is_not() {
    let world = World::new("here").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let single = |architecture: &str| Image::oci(architecture, &[layer(rand::random(), 100)]);
    let (index, other) = (Image::index(vec![single("amd64"), single("arm64")]), single("amd64"));
    index.push(&upstream, &world.path, "v1").await;
    other.push(&upstream, &world.path, "v2").await;
    world.create_mirror(&world.stack.upstream, json!({"architecture_filter": ["arm64"]})).await;
    world.sync().await;
    let admin = Some(world.stack.token.as_str());
    assert_eq!(page(&world, "?details=true", admin).await, [("v1".to_owned(), json!(["linux/arm64"]), json!({}))]);
    // What the table says is there, and the bucket does not have, has no details.
    let gone = Digest::sha256(world.namespace.as_bytes()).to_string();
    let key = table::Key(format!("REPO#{}", world.repository), "TAG#v1".to_owned());
    table::set(&world.stack, &key, [("digest", table::text(&gone))]).await;
    assert_eq!(page(&world, "?details=true", admin).await, [("v1".to_owned(), Value::Null, Value::Null)]);
}
