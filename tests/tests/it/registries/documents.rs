//! Documents as registries have them: what a stock registry and skopeo take is mirrored; a list that we make ourselves
//! holds what can be had.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    hostile::{Answer, Hostile},
    image::{Image, layer},
    process::free_port,
    skopeo,
    world::{World, outcome},
};
use serde_json::{Value, json};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const RETIRED: &str = "application/vnd.oci.artifact.manifest.v1+json";

fn image(architecture: &str) -> Image {
    Image::oci(architecture, &[layer(rand::random(), 500)])
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len()})
}

/// The image as an entry of an index, for an architecture.
fn entry(image: &Image, architecture: &str) -> Value {
    let mut entry = descriptor(image.media_type, &image.manifest);
    entry["platform"] = json!({"os": "linux", "architecture": architecture});
    entry
}

/// A manifest as it is written, with what it refers to.
fn made(media_type: &'static str, mut manifest: Value, blobs: Vec<Vec<u8>>, children: Vec<Image>) -> Image {
    manifest["schemaVersion"] = json!(2);
    manifest["mediaType"] = json!(media_type);
    Image { media_type, manifest: manifest.to_string().into_bytes(), blobs, children }
}

struct Place {
    world: World,
    registry: Hostile,
}

impl Place {
    async fn new(name: &str) -> Self {
        let registry = Hostile::start().await;
        Self { world: World::new(name).await, registry }
    }

    fn hold(&self, tag: &str, image: &Image) {
        self.registry.hold(&self.world.path, tag, image);
    }

    async fn mirror(&self, changes: Value) {
        self.world.create_mirror(&self.registry.address, changes).await;
    }

    async fn copies(&self, tag: &str) -> Result<(), String> {
        let (address, path, tag) = (self.registry.address.clone(), self.world.path.clone(), tag.to_owned());
        tokio::task::spawn_blocking(move || skopeo::copies(&address, &path, &tag, &[])).await.unwrap()
    }

    /// The status of some content as the mirror serves it.
    async fn serves(&self, kind: &str, what: &str) -> u16 {
        let robot = self.world.robot().await;
        robot.get(&format!("/v2/{}/{kind}/{what}", self.world.repository)).await.status
    }
}

type MakeAnswer = Box<dyn Fn() -> Answer + Send + Sync>;

#[tokio::test]
async fn a_digest_that_is_listed_for_two_architectures_is_wanted_if_either_is() {
    let place = Place::new("twoplatforms").await;
    let (shared, other) = (image("amd64"), image("s390x"));
    let entries = [entry(&shared, "amd64"), entry(&shared, "arm64"), entry(&other, "s390x")];
    let index = made(INDEX, json!({"manifests": entries}), vec![], vec![shared.clone(), other.clone()]);
    place.hold("v1", &index);
    place.copies("v1").await.unwrap();
    place.mirror(json!({"architecture_filter": ["arm64", "s390x"]})).await;
    let run = place.world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    for wanted in [&shared, &other] {
        assert_eq!(place.serves("manifests", &wanted.digest().to_string()).await, 200);
    }
    place.world.change_mirror(json!({"architecture_filter": ["arm64"]})).await;
    let run = place.world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    assert_eq!(place.serves("manifests", &shared.digest().to_string()).await, 200);
}

#[tokio::test]
async fn what_is_absent_or_null_is_an_empty_list() {
    let place = Place::new("absent").await;
    let config = b"{}".to_vec();
    let with = |more: Value| {
        let mut manifest = json!({"config": descriptor("application/vnd.oci.empty.v1+json", &config)});
        manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        made(OCI, manifest, vec![config.clone()], vec![])
    };
    let images = [
        ("absent", with(json!({}))),
        ("null", with(json!({"layers": null, "annotations": null}))),
        ("empty", with(json!({"layers": []}))),
        ("index-absent", made(INDEX, json!({}), vec![], vec![])),
        ("index-null", made(INDEX, json!({"manifests": null}), vec![], vec![])),
        ("list-null", made(LIST, json!({"manifests": null}), vec![], vec![])),
    ];
    for (tag, image) in &images {
        place.hold(tag, image);
    }
    place.copies("null").await.unwrap();
    place.mirror(json!({})).await;
    let run = place.world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    for (tag, image) in &images {
        let reply = place.world.robot().await.get(&format!("/v2/{}/manifests/{tag}", place.world.repository)).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, image.media_type), "{tag}");
        assert_eq!(reply.body, image.manifest, "{tag}");
    }
    bucket::check(&place.world.stack, &place.world.repository).await;
}

#[tokio::test]
async fn an_entry_that_is_no_manifest_is_copied_as_a_blob() {
    let place = Place::new("cache").await;
    let blobs = vec![layer(rand::random(), 900), layer(rand::random(), 9_000_000), br#"{"layers":[]}"#.to_vec()];
    let cached = |media_type: &str, blob: &[u8]| descriptor(media_type, blob);
    let entries = [
        cached("application/vnd.docker.image.rootfs.diff.tar.gzip", &blobs[0]),
        cached("application/vnd.oci.image.layer.v1.tar+gzip", &blobs[1]),
        cached("application/vnd.buildkit.cacheconfig.v0", &blobs[2]),
    ];
    place.hold("cache", &made(INDEX, json!({"manifests": entries}), blobs.clone(), vec![]));
    // One that says of no entry what it is.
    let nameless = json!({"digest": Digest::sha256(&blobs[0]), "size": blobs[0].len()});
    place.hold("nameless", &made(LIST, json!({"manifests": [nameless]}), blobs.clone(), vec![]));
    let good = image("amd64");
    let retired = json!({"mediaType": RETIRED, "blobs": [], "artifactType": "x"}).to_string().into_bytes();
    let entries = [entry(&good, "amd64"), descriptor(RETIRED, &retired)];
    place.hold("retired", &made(INDEX, json!({"manifests": entries}), vec![], vec![good.clone()]));
    let body = retired.clone();
    place.registry.plan("", &format!("/manifests/{}", Digest::sha256(&retired)), move |_| {
        Some(Answer::new(200).header("content-type", RETIRED).body(body.clone()))
    });
    // Neither here nor there.
    let gone = json!([entry(&good, "amd64"), descriptor("application/x", b"gone"), descriptor(OCI, b"gone, too")]);
    place.hold("gone", &made(INDEX, json!({"manifests": gone}), vec![], vec![good.clone()]));
    place.mirror(json!({})).await;
    // skopeo takes whatever an index lists for a manifest, and fails at each; a stock registry serves the first three to
    // the builders that pushed them, so a mirror has them, too.
    for (tag, why) in
        [("cache", "404"), ("nameless", "404"), ("retired", "unsupported schema version"), ("gone", "404")]
    {
        let said = place.copies(tag).await.unwrap_err();
        assert!(said.contains(why), "{tag}: {said}");
    }
    let run = place.world.sync().await;
    for tag in ["cache", "nameless", "retired"] {
        assert_eq!(outcome(&run, tag)["outcome"], "copied", "{tag}: {run}");
        assert_eq!(place.serves("manifests", tag).await, 200, "{tag}");
    }
    assert_eq!(outcome(&run, "gone")["failure"]["reason"], "not_found", "{run}");
    for blob in blobs.iter().chain([&retired]) {
        assert_eq!(place.serves("blobs", &Digest::sha256(blob).to_string()).await, 307);
    }
    assert_eq!(place.serves("manifests", &good.digest().to_string()).await, 200);
    bucket::check(&place.world.stack, &place.world.repository).await;

    let (status, _) = place.world.call(reqwest::Method::POST, &place.world.mirror_path("/verify"), None).await;
    assert_eq!(status, 202);
    place.world.wait_for(&["SUCCESS", "FAIL"]).await;
    bucket::check(&place.world.stack, &place.world.repository).await;
    assert_eq!(place.serves("blobs", &Digest::sha256(&blobs[1]).to_string()).await, 307);
}

#[tokio::test]
async fn content_that_is_inline_does_where_its_blob_is_gone() {
    let place = Place::new("inline").await;
    let inline = |media_type: &str, bytes: &[u8], data: &[u8]| {
        let mut descriptor = descriptor(media_type, bytes);
        descriptor["data"] = json!(STANDARD.encode(data));
        descriptor
    };
    let (config, blob) = (br#"{"architecture":"amd64"}"#.to_vec(), layer(rand::random(), 40));
    let with = |data: &[u8]| {
        let config = inline("application/vnd.oci.image.config.v1+json", &config, &config);
        let layers = [inline("application/vnd.example.note", &blob, data)];
        made(OCI, json!({"config": config, "layers": layers}), vec![], vec![])
    };
    let child = image("amd64");
    place.hold("v1", &with(&blob));
    place.hold(
        "false",
        &made(
            OCI,
            json!({"config": inline("x/y", b"{}", b"{}"), "layers": [inline("x/y", b"ab", b"xy")]}),
            vec![],
            vec![],
        ),
    );
    let entries = [inline(OCI, &child.manifest, &child.manifest)];
    place.hold("index", &made(INDEX, json!({"manifests": entries}), child.blobs.clone(), vec![]));
    place.mirror(json!({})).await;
    // skopeo does not know inline content, and asks for what is gone; whoever has the manifest has the content, too.
    for tag in ["v1", "index", "false"] {
        assert!(place.copies(tag).await.unwrap_err().contains("404"), "{tag}");
    }
    let run = place.world.sync().await;
    assert_eq!(outcome(&run, "v1")["outcome"], "copied", "{run}");
    assert_eq!(outcome(&run, "index")["outcome"], "copied", "{run}");
    assert_eq!(outcome(&run, "false")["failure"]["reason"], "not_found", "what does not match is not believed");
    for content in [&config, &blob] {
        assert_eq!(place.serves("blobs", &Digest::sha256(content).to_string()).await, 307);
    }
    bucket::check(&place.world.stack, &place.world.repository).await;
    place.world.change_mirror(json!({"architecture_filter": ["amd64"]})).await;
    place.hold("v2", &with(&blob));
    let run = place.world.sync().await;
    assert_eq!(outcome(&run, "v2")["outcome"], "copied", "the filter looks into the config: {run}");
}

#[tokio::test]
async fn a_referrers_api_that_refuses_is_a_warning_and_asked_once() {
    let place = Place::new("refusedapi").await;
    let (v1, closed) = (image("amd64"), free_port());
    let signature = Image::referrer(&v1, layer(rand::random(), 50));
    place.hold("v1", &v1);
    place.registry.hold_by_digest(&place.world.path, &signature);
    place.registry.refer(&v1, vec![signature.referrer_descriptor()]);
    place.mirror(json!({})).await;
    let run = place.world.sync().await;
    assert_eq!((&run["status"], run.get("warning")), (&json!("SUCCESS"), None), "{run}");
    assert_eq!(place.world.referrers(&v1).await, [signature.digest().to_string()]);

    let refusals: [(&str, MakeAnswer); 8] = [
        ("401", Box::new(|| Answer::new(401))),
        ("403", Box::new(|| Answer::new(403))),
        ("406", Box::new(|| Answer::new(406))),
        ("410", Box::new(|| Answer::new(410))),
        ("422", Box::new(|| Answer::new(422))),
        ("500", Box::new(|| Answer::new(500))),
        ("html", Box::new(|| Answer::new(200).header("content-type", "text/html").body("<html>hello</html>"))),
        ("elsewhere", Box::new(move || Answer::redirect(303, &format!("https://127.0.0.1:{closed}/x")))),
    ];
    for (what, refusal) in refusals {
        place.registry.repent();
        place.registry.always("GET", "/referrers/", refusal);
        for n in 0..3 {
            place.hold(&format!("{what}-{n}"), &image("amd64"));
        }
        place.registry.take_asked();
        let run = place.world.sync().await;
        assert_eq!((&run["status"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0)), "{what}: {run}");
        assert_eq!(run["warning"]["reason"], "attachments_incomplete", "{what}: {run}");
        assert!(run["warning"]["tags"].as_u64().unwrap() >= 3, "{what}: {run}");
        assert_eq!(run["upstream"]["fallbacks"], json!(["referrers"]), "{what}: {run}");
        let asked = place.registry.take_asked();
        let mut paths: Vec<_> =
            asked.iter().map(|asked| &asked.path).filter(|path| path.contains("/referrers/")).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 1, "{what}: one image's are asked for");
        assert_eq!(place.world.referrers(&v1).await, [signature.digest().to_string()], "{what}: nothing is taken away");
    }
    // It answers again, and what it could not answer is asked for; what it did not want to waits.
    place.registry.repent();
    place.registry.refer_to_nothing();
    for asked in [3, 0] {
        place.registry.take_asked();
        let run = place.world.sync().await;
        assert_eq!((&run["status"], run.get("warning")), (&json!("SUCCESS"), None), "{run}");
        let paths = place.registry.take_asked().into_iter().filter(|asked| asked.path.contains("/referrers/"));
        assert_eq!(paths.count(), asked, "those of the last refusal alone, once");
    }
    bucket::check(&place.world.stack, &place.world.repository).await;
}

#[tokio::test]
async fn one_referrer_that_cannot_be_had_spoils_no_other() {
    let place = Place::new("oddreferrer").await;
    let (v1, v2) = (image("amd64"), image("arm64"));
    place.hold("v1", &v1);
    place.hold("v2", &v2);
    let signature = Image::referrer(&v1, layer(rand::random(), 50));
    let config = b"{}".to_vec();
    let subject = descriptor(OCI, &v1.manifest);
    let layerless = json!({"artifactType": "x/y", "config": descriptor("application/vnd.oci.empty.v1+json", &config), "subject": subject});
    let layerless = made(OCI, layerless, vec![config], vec![]);
    let refused = made(OCI, json!({"config": 7}), vec![], vec![]);
    place.registry.refer_to_nothing();
    for referrer in [&signature, &layerless, &refused] {
        place.registry.hold_by_digest(&place.world.path, referrer);
    }
    let mut odd = signature.referrer_descriptor();
    odd["digest"] = json!("sha256:none");
    let (gone, retired) = (descriptor(OCI, b"gone"), descriptor(RETIRED, b"retired"));
    let listed = vec![
        gone,
        retired,
        odd,
        refused.referrer_descriptor(),
        signature.referrer_descriptor(),
        layerless.referrer_descriptor(),
    ];
    place.registry.refer(&v1, listed);
    // All that refers to a third one is gone.
    let v3 = image("s390x");
    place.hold("v3", &v3);
    place.registry.refer(&v3, vec![descriptor(OCI, b"gone, too")]);
    // The registry's own list of another image, of which somebody has cleaned up one half.
    let own = Image::referrer(&v2, layer(rand::random(), 50));
    let entries = [own.referrer_descriptor(), descriptor(OCI, b"cleaned up")];
    place.hold(&v2.referrers_tag(), &made(INDEX, json!({"manifests": entries}), vec![], vec![own.clone()]));
    place.mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}})).await;
    // skopeo asks no API for referrers. It copies each of the good ones, and of the list that lacks one it copies none.
    for reference in ["v1".to_owned(), signature.digest().to_string(), layerless.digest().to_string()] {
        assert_eq!(place.copies(&reference).await, Ok(()), "{reference}");
    }
    assert!(place.copies(&v2.referrers_tag()).await.unwrap_err().contains("404"));
    let run = place.world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    assert_eq!(
        (&run["warning"]["reason"], &run["warning"]["tags"]),
        (&json!("attachments_incomplete"), &json!(6)),
        "{run}"
    );
    let mut expected = vec![signature.digest().to_string(), layerless.digest().to_string()];
    expected.sort_unstable();
    assert_eq!(place.world.referrers(&v1).await, expected);
    assert_eq!(place.world.referrers(&v2).await, [own.digest().to_string()]);
    assert!(place.world.referrers(&v3).await.is_empty());
    assert_eq!(place.serves("manifests", &signature.digest().to_string()).await, 200);
    bucket::check(&place.world.stack, &place.world.repository).await;
    let run = place.world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(0)), "{run}");
}

#[tokio::test]
async fn an_image_under_the_referrers_tag_stays_what_it_is() {
    let place = Place::new("takentag").await;
    let (v1, other) = (image("amd64"), image("amd64"));
    let real = Image::index(vec![image("amd64"), image("arm64")]);
    let signature = Image::referrer(&v1, layer(rand::random(), 50));
    place.hold("v1", &v1);
    place.hold("other", &other);
    place.hold(&v1.referrers_tag(), &real);
    place.hold(&other.referrers_tag(), &image("s390x"));
    place.registry.hold_by_digest(&place.world.path, &signature);
    place.registry.refer_to_nothing();
    place.registry.refer(&v1, vec![signature.referrer_descriptor()]);
    place.mirror(json!({})).await;
    for _ in 0..2 {
        let run = place.world.sync().await;
        assert_eq!(run["status"], "SUCCESS", "{run}");
        let robot = place.world.robot().await;
        let reply = robot.get(&format!("/v2/{}/manifests/{}", place.world.repository, v1.referrers_tag())).await;
        assert_eq!(reply.body, real.manifest, "the rule wins");
        assert!(place.world.referrers(&v1).await.is_empty(), "its images refer to nothing");
    }
    let first = place.world.runs().await.pop().unwrap();
    assert_eq!(first["warning"]["reason"], "attachments_incomplete", "{first}");
    bucket::check(&place.world.stack, &place.world.repository).await;
}
