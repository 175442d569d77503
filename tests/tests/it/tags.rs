//! Tags: their past, and changes by hand where no mirror owns them.

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{Image, layer},
    registry::Registry,
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

fn tags(page: &Value) -> Vec<(&str, bool)> {
    let tags = page["tags"].as_array().unwrap().iter();
    tags.map(|tag| (tag["name"].as_str().unwrap(), tag.get("end_ts").is_none())).collect()
}

/// A mirror that has moved `v1` from the first image to the third, and deleted `v2`, the second; `multi` is an index.
async fn with_past(name: &str) -> (World, Vec<Image>, Image) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    let images: Vec<_> = (0..3).map(|_| Image::oci("amd64", &[layer(rand::random(), 500)])).collect();
    let index = Image::index(vec![images[0].clone()]);
    images[0].push(&upstream, &world.path, "v1").await;
    images[1].push(&upstream, &world.path, "v2").await;
    index.push(&upstream, &world.path, "multi").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // Whole seconds tell apart what was when.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    images[2].push(&upstream, &world.path, "v1").await;
    world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v1", "multi"]}})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    (world, images, index)
}

/// What a list has of what an index lists.
fn children(tag: &Value) -> (Value, Value, Value, Value) {
    let field = |name: &str| tag[name].clone();
    let presence = field("child_manifests_presence");
    (field("is_sparse"), field("child_manifest_count"), field("present_child_count"), presence)
}

fn digest(image: &Image) -> String {
    Digest::sha256(&image.manifest).to_string()
}

async fn list(world: &World, query: &str) -> Value {
    let path = format!("repository/{}/tag/?{query}", world.repository);
    let (status, page) = world.call(Method::GET, &path, None).await;
    assert_eq!(status, 200, "{page}");
    page
}

#[tokio::test]
async fn the_past_of_tags_is_listed() {
    let (world, images, _) = with_past("past-tags").await;
    let path = format!("repository/{}/tag/", world.repository);
    let all = list(&world, "").await;
    assert_eq!(tags(&all)[0], ("v1", true), "the latest first");
    let mut sorted = tags(&all);
    sorted.sort_unstable();
    assert_eq!(sorted, [("multi", true), ("v1", false), ("v1", true), ("v2", false)]);
    let entry = |name: &str, is_past: bool| {
        let mut tags = all["tags"].as_array().unwrap().iter();
        tags.find(|tag| tag["name"] == name && tag.get("end_ts").is_some() == is_past).unwrap()
    };
    assert_eq!((&all["page"], &all["has_additional"]), (&json!(1), &json!(false)));
    let (now, past) = (entry("v1", false), entry("v1", true));
    assert_eq!(
        (&now["manifest_digest"], &past["manifest_digest"]),
        (&json!(digest(&images[2])), &json!(digest(&images[0])))
    );
    assert_eq!(past["end_ts"], now["start_ts"], "one begins where the other ends");
    let keys: Vec<_> = past.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "end_ts",
        "expiration",
        "is_manifest_list",
        "last_modified",
        "manifest_digest",
        "name",
        "reversion",
        "size",
        "start_ts",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&entry("multi", false)["is_manifest_list"], &past["is_manifest_list"]), (&json!(true), &json!(false)));
    assert_eq!(children(entry("multi", false)), (json!(false), json!(1), json!(1), json!({digest(&images[0]): true})));
    assert_eq!(tags(&list(&world, "onlyActiveTags=true").await), [("v1", true), ("multi", true)]);
    assert_eq!(tags(&list(&world, "specificTag=v1").await), [("v1", true), ("v1", false)]);
    assert_eq!(tags(&list(&world, "filter_tag_name=like:2").await), [("v2", false)]);
    assert_eq!(tags(&list(&world, "filter_tag_name=eq:multi").await), [("multi", true)]);
    let (first, second) = (list(&world, "limit=3").await, list(&world, "limit=3&page=2").await);
    assert_eq!((tags(&first).len(), &first["has_additional"]), (3, &json!(true)));
    assert_eq!((tags(&second).len(), &second["has_additional"]), (1, &json!(false)));
    assert_eq!([tags(&first), tags(&second)].concat(), tags(&all));
    assert_eq!(tags(&list(&world, "limit=1000&page=0").await).len(), 4, "the nearest numbers that are allowed");
    assert_eq!(world.call(Method::GET, &format!("{path}?filter_tag_name=v1"), None).await.0, 400);
    assert_eq!(world.call(Method::GET, &format!("{path}?page=x"), None).await.0, 400);
}

#[tokio::test]
async fn tags_are_changed_by_hand_where_no_mirror_owns_them() {
    let (world, images, index) = with_past("by-hand").await;
    let path = format!("repository/{}/tag/", world.repository);
    let before = list(&world, "onlyActiveTags=true").await;
    // The mirror's tags are its own.
    let closed = (503, json!({"message": format!("Repository is in read only or mirror mode: {}", world.repository)}));
    let to = |image: &Image| Some(json!({"manifest_digest": digest(image)}));
    for state in ["MIRROR", "READ_ONLY"] {
        let change = format!("repository/{}/changestate", world.repository);
        assert_eq!(world.call(Method::PUT, &change, Some(json!({"state": state}))).await.0, 200);
        assert_eq!(world.call(Method::PUT, &format!("{path}v2"), to(&images[1])).await, closed);
        assert_eq!(world.call(Method::PUT, &format!("{path}v2"), None).await, closed, "before the body is looked at");
        assert_eq!(world.call(Method::DELETE, &format!("{path}v1"), None).await, closed);
        assert_eq!(world.call(Method::POST, &format!("{path}v1/restore"), to(&images[0])).await, closed);
    }

    // Without it they can be changed; what is served changes with them.
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    let (_, repository) = world.call(Method::GET, &format!("repository/{}", world.repository), None).await;
    assert_eq!((&repository["state"], &repository["can_write"]), (&json!("NORMAL"), &json!(true)));
    assert_eq!(world.call(Method::POST, &format!("{path}v1/restore"), to(&images[0])).await, (200, json!({})));
    assert_eq!(world.call(Method::PUT, &format!("{path}v3"), to(&images[1])).await, (201, json!("Updated")));
    assert_eq!(world.call(Method::PUT, &format!("{path}copy"), to(&index)).await, (201, json!("Updated")));
    assert_eq!(world.call(Method::DELETE, &format!("{path}multi"), None).await.0, 204);
    let not_found = world.problem(404, "not_found", "Not Found");
    assert_eq!(world.call(Method::DELETE, &format!("{path}multi"), None).await, not_found);
    let nothing = Some(json!({"manifest_digest": Digest::sha256(b"nothing")}));
    assert_eq!(world.call(Method::PUT, &format!("{path}v4"), nothing.clone()).await, not_found);
    assert_eq!(world.call(Method::POST, &format!("{path}v1/restore"), nothing).await, not_found);
    let missing = world.problem(400, "invalid_request", "Missing manifest_digest");
    assert_eq!(world.call(Method::POST, &format!("{path}v1/restore"), Some(json!({}))).await, missing);
    assert_eq!(world.call(Method::PUT, &format!("{path}.bad"), to(&images[1])).await.0, 400);
    let held = bucket::check(&world.stack, &world.repository).await;
    let held: Vec<_> = held.tags.iter().map(|(tag, digest)| (tag.as_str(), digest.to_string())).collect();
    assert_eq!(held, [("copy", digest(&index)), ("v1", digest(&images[0])), ("v3", digest(&images[1]))]);
    let active = list(&world, "onlyActiveTags=true").await;
    let mut names: Vec<_> = tags(&active).into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["copy", "v1", "v3"]);
    let copy = active["tags"].as_array().unwrap().iter().find(|tag| tag["name"] == "copy").unwrap();
    let multi = before["tags"].as_array().unwrap().iter().find(|tag| tag["name"] == "multi").unwrap();
    assert_eq!(
        (&copy["size"], &copy["is_manifest_list"]),
        (&multi["size"], &json!(true)),
        "counted as the sync counted"
    );
    assert_eq!(children(copy), children(multi));
    let all = list(&world, "").await;
    let reversions = all["tags"].as_array().unwrap().iter().filter(|tag| tag["reversion"] == true);
    assert_eq!(reversions.map(|tag| tag["name"].clone()).collect::<Vec<_>>(), ["v1"], "what was restored");
    let gone = all["tags"].as_array().unwrap().iter().find(|tag| tag["name"] == "multi").unwrap();
    assert!(gone.get("end_ts").is_some() && children(gone) == children(multi), "the past says so, too: {gone}");
    let stock = Registry::over_bucket(&world.stack);
    let url = format!("{}/v2/{}/manifests/v1", stock.url, world.repository);
    let accept = "application/vnd.oci.image.manifest.v1+json";
    let served = moorage_tests::http().get(url).header("accept", accept).send().await.unwrap();
    assert_eq!(served.bytes().await.unwrap().to_vec(), images[0].manifest);
    let kinds: Vec<_> = world.log().await.iter().take(4).map(|entry| entry["kind"].clone()).collect();
    assert_eq!(kinds, ["delete_tag", "create_tag", "create_tag", "revert_tag"]);
}

/// A public repository that mirrors one tag.
async fn public(world: &World, name: &str) -> World {
    let repository = seed::repository(world, name, "public").await;
    let world = World { path: repository.to_string(), repository, ..world.clone() };
    let image = Image::oci("amd64", &[layer(rand::random(), 10)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    world
}

#[tokio::test]
async fn who_has_no_token_is_not_told_what_takes_much_reading() {
    let world = World::empty("many").await;
    let stranger = World::empty("stranger").await;
    let stranger = world.token(Some(&stranger.namespace), "admin").await;
    let status = async |world: &World, query: &str, token: Option<&str>| {
        let path = format!("repository/{}/tag/?{query}", world.repository);
        world.send(Method::GET, &path, token, None).await.0
    };
    let modified = async |world: &World, token: Option<&str>| {
        let path = format!("repository?namespace={}&public=true&last_modified=true", world.namespace);
        let (status, list) = world.send(Method::GET, &path, token, None).await;
        assert_eq!(status, 200, "{list}");
        let found = list["repositories"].as_array().unwrap().iter().find(|it| it["name"] == "tags");
        found.unwrap()["last_modified"].is_u64()
    };
    let (admin, anybody) = (Some(world.stack.token.as_str()), [None, Some(stranger.as_str())]);
    let refused = [401, 403];

    // With the tag that is there: as many as are looked at, and one more.
    let tags = public(&world, "tags").await;
    seed::tags(&tags.stack, &tags.repository, "v1", 1..500).await;
    assert!(modified(&tags, None).await && modified(&tags, admin).await);
    seed::tags(&tags.stack, &tags.repository, "v1", 500..501).await;
    assert!(!modified(&tags, None).await && modified(&tags, admin).await);
    seed::tags(&tags.stack, &tags.repository, "v1", 501..1_000).await;
    for token in anybody {
        assert_eq!(status(&tags, "", token).await, 200);
    }
    seed::tags(&tags.stack, &tags.repository, "v1", 1_000..1_001).await;
    for (token, refused) in anybody.into_iter().zip(refused) {
        assert_eq!(status(&tags, "", token).await, refused);
        assert_eq!(status(&tags, "onlyActiveTags=true", token).await, refused);
        assert_eq!(status(&tags, "specificTag=v1", token).await, 200, "one is no more than a look");
    }
    assert_eq!(status(&tags, "", admin).await, 200);

    let past = public(&world, "past").await;
    seed::past_tags(&past.stack, &past.repository, "v1", 1..1_001).await;
    assert_eq!(status(&past, "", None).await, 200);
    seed::past_tags(&past.stack, &past.repository, "v1", 1_001..1_002).await;
    for (token, refused) in anybody.into_iter().zip(refused) {
        assert_eq!(status(&past, "", token).await, refused);
        assert_eq!(status(&past, "onlyActiveTags=true", token).await, 200);
    }
    assert_eq!(status(&past, "", admin).await, 200);
}
