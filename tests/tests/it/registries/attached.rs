//! What is attached to images, as registries say it: a part of a list, too much of it, or an image in its place.

use moorage_tests::{
    bucket,
    hostile::{Answer, Hostile},
    image::{Image, layer},
    world::{World, outcome},
};
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn image(architecture: &str) -> Image {
    Image::oci(architecture, &[layer(rand::random(), 500)])
}

fn signature(subject: &Image) -> Image {
    Image::referrer(subject, layer(rand::random(), 50))
}

/// Only tags of versions.
fn versions() -> Value {
    json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}})
}

/// Makes the registry's API answer what refers to `subject`.
fn lists(registry: &Hostile, subject: &Image, referrers: &[&Image]) {
    registry.refer(subject, referrers.iter().map(|referrer| referrer.referrer_descriptor()).collect());
}

/// How many requests for referrers there were since the last call.
fn asked(registry: &Hostile) -> usize {
    registry.take_asked().iter().filter(|asked| asked.path.contains("/referrers/")).count()
}

fn sorted(images: &[&Image]) -> Vec<String> {
    let mut digests: Vec<_> = images.iter().map(|image| image.digest().to_string()).collect();
    digests.sort_unstable();
    digests
}

#[tokio::test]
async fn a_referrer_that_is_refused_waits_and_spoils_no_other() {
    let (world, registry) = (World::new("onerefused").await, Hostile::start().await);
    let (by_api, by_tag) = (image("amd64"), image("arm64"));
    let [good, refused, own, closed] = [&by_api, &by_api, &by_tag, &by_tag].map(signature);
    registry.hold(&world.path, "v1", &by_api);
    registry.hold(&world.path, "v2", &by_tag);
    registry.hold(&world.path, &by_tag.referrers_tag(), &Image::referrers(vec![own.clone(), closed.clone()]));
    let lie = |is_lying: bool| {
        registry.repent();
        registry.refer_to_nothing();
        lists(&registry, &by_api, &[&good, &refused]);
        for (image, status) in [(&good, 0), (&refused, 403), (&closed, 500)] {
            registry.hold_by_digest(&world.path, image);
            if is_lying && status > 0 {
                registry.always("", &format!("/manifests/{}", image.digest()), move || Answer::new(status));
            }
        }
    };
    lie(true);
    world.create_mirror(&registry.address, versions()).await;
    for (warned, requests) in [(true, 6), (false, 0)] {
        asked(&registry);
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0)), "{run}");
        let warning = json!(["attachments_incomplete", 2]);
        assert_eq!(json!([run["warning"]["reason"], run["warning"]["tags"]]) == warning, warned, "{run}");
        assert_eq!(asked(&registry), requests, "the images, what refers to them, and their lists: once");
        assert_eq!(world.referrers(&by_api).await, sorted(&[&good]));
        assert_eq!(world.referrers(&by_tag).await, sorted(&[&own]));
    }
    lie(false);
    world.forget_the_last_check().await;
    let run = world.sync().await;
    assert_eq!((&run["status"], run.get("warning")), (&json!("SUCCESS"), None), "{run}");
    assert_eq!(world.referrers(&by_api).await, sorted(&[&good, &refused]));
    assert_eq!(world.referrers(&by_tag).await, sorted(&[&own, &closed]), "what was missing of its own list");
    bucket::check(&world.stack, &world.repository).await;
}

#[tokio::test]
async fn a_list_that_breaks_off_and_one_that_is_too_long_fail_no_image() {
    let (world, registry) = (World::new("cutlists").await, Hostile::start().await);
    let (cut, long) = (image("amd64"), image("arm64"));
    let [first, second] = [&cut, &cut].map(signature);
    registry.hold(&world.path, "v1", &cut);
    registry.hold(&world.path, "v2", &long);
    registry.hold_by_digest(&world.path, &first);
    registry.hold_by_digest(&world.path, &second);
    registry.refer_to_nothing();
    lists(&registry, &cut, &[&first]);
    world.create_mirror(&registry.address, versions()).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");

    let page = format!("/v2/{}/referrers/{}/2", world.path, cut.digest());
    let link = format!("<{page}>; rel=\"next\"");
    let listed = [second.referrer_descriptor()];
    let broken_off = move || Answer::referrers(&listed).header("link", &link);
    registry.always("GET", &format!("/referrers/{}", cut.digest()), broken_off);
    registry.always("GET", &page, || Answer::new(404));
    registry.refer(&long, vec![first.referrer_descriptor(); 1_001]);
    world.forget_the_last_check().await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0)), "{run}");
    assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("attachments_incomplete"), &json!(2)));
    assert_eq!(world.referrers(&cut).await, sorted(&[&first, &second]), "the first page, and what was there");
    assert!(world.referrers(&long).await.is_empty());
    asked(&registry);
    world.sync().await;
    assert_eq!(asked(&registry), 0, "a lasting answer is not asked for again");
}

#[tokio::test]
async fn a_selected_tag_that_is_an_image_is_never_ours() {
    let (world, registry) = (World::new("realimages").await, Hostile::start().await);
    let subjects = ["amd64", "arm64", "s390x"].map(image);
    let signatures = subjects.each_ref().map(signature);
    // An index that names no platform; an image that fails; one that the filter leaves out.
    let children = [image("amd64"), image("arm64")];
    let entry =
        |child: &Image| json!({"mediaType": child.media_type, "digest": child.digest(), "size": child.manifest.len()});
    let plain = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children.each_ref().map(entry)});
    let plain = Image { manifest: plain.to_string().into_bytes(), ..Image::index(children.to_vec()) };
    let reals = [plain, image("amd64"), image("ppc64le")];
    registry.refer_to_nothing();
    for (number, (subject, (signature, real))) in subjects.iter().zip(signatures.iter().zip(&reals)).enumerate() {
        registry.hold(&world.path, &format!("v{number}"), subject);
        registry.hold(&world.path, &subject.referrers_tag(), real);
        registry.hold_by_digest(&world.path, signature);
        lists(&registry, subject, &[signature]);
    }
    registry.always("", &format!("/manifests/{}", reals[1].digest()), || Answer::new(403));
    registry.always("GET", &format!("/manifests/{}", subjects[1].referrers_tag()), || Answer::new(403));
    let filter = json!({"architecture_filter": ["amd64", "arm64", "s390x"]});
    world.create_mirror(&registry.address, filter).await;
    let run = world.sync().await;
    assert_eq!((&run["tags_failed"], &run["warning"]["tags"]), (&json!(1), &json!(3)), "{run}");
    assert_eq!(outcome(&run, &subjects[1].referrers_tag())["outcome"], "failed", "{run}");
    for (subject, (status, real)) in subjects.iter().zip([200, 404, 404].iter().zip(&reals)) {
        let path = format!("/v2/{}/manifests/{}", world.repository, subject.referrers_tag());
        let reply = world.robot().await.get(&path).await;
        assert_eq!(reply.status, *status, "{run}");
        assert!(*status != 200 || reply.body == real.manifest, "the rule wins");
    }
}

#[tokio::test]
async fn a_run_says_both_what_it_did_not_delete_and_what_it_could_not_have() {
    let (world, registry) = (World::new("twowarnings").await, Hostile::start().await);
    let v1 = image("amd64");
    registry.hold(&world.path, "v1", &v1);
    registry.hold(&world.path, "v2", &image("arm64"));
    world.create_mirror(&registry.address, versions()).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // Its list lacks a tag that it has, and one referrer is gone.
    let tags = json!({"name": world.path, "tags": ["v1"]});
    registry.always("GET", "/tags/list", move || Answer::json(&tags));
    registry.refer_to_nothing();
    lists(&registry, &v1, &[&signature(&v1)]);
    world.forget_the_last_check().await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["warning"]["reason"]), (&json!("SUCCESS"), &json!("list_incomplete")), "{run}");
    let log =
        json!(world.log().await.into_iter().filter(|it| it["kind"] == "repo_mirror_sync_warning").collect::<Vec<_>>());
    let log = log.to_string();
    assert!(log.contains("1 referrers that it lists") && log.contains("lacks 1 tags"), "{log}");
}
