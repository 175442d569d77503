//! One document, one reading: what a stock registry takes and serves is mirrored and served byte for byte, and what it
//! refuses is refused with a reason. A thousand documents at random; `ONE_READING_SEED` makes those of another run again.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt as _, stream};
use moorage_domain::Digest;
use moorage_tests::{
    document::{Content, TYPES, document, large},
    hostile::{Answer, Hostile},
    http,
    image::{self, Image, layer},
    registry::Registry,
    world::World,
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

const CASES: usize = 1_000;
/// How many levels of indexes there are below the deepest document.
const NESTED: usize = 6;
/// What upstreams say that documents are, right or wrong: nobody believes it.
const ANNOUNCED: [&str; 7] = [
    TYPES[0],
    TYPES[1],
    TYPES[2],
    TYPES[3],
    "application/vnd.oci.image.index.v1+json; charset=utf-8",
    "text/plain",
    "",
];

/// What a registry of version 2.8 takes and a mirror refuses on purpose, by what it says of it.
const OURS: [&str; 8] = [
    // Readers that heed case would see another document.
    "to some readers and to others not",
    // CVE-2021-41190: version 2.8 looks for it in OCI's manifests alone.
    "an index and an image at once",
    // No registry looks whether lengths are true; clients do.
    "but the manifest says",
    "gives two lengths",
    "has the size -",
    // Version 3 reads them, and serves nothing where they are wrong.
    "data is not text in base64",
    "data is not a string",
    "artifactType is not a string",
];
/// As [`OURS`], of an index.
const OURS_OF_INDEXES: &str = "annotations is not a map of strings";

fn is_ours(message: &str, served_as: &str) -> bool {
    OURS.iter().any(|ours| message.contains(ours)) || (served_as == TYPES[2] && message.contains(OURS_OF_INDEXES))
}

/// Whether it may say of a layer where else it is to be had. A stock registry does not let itself be given that, unless
/// its configuration allows the place, but serves it.
fn names_places(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    ["[\"x\"]", "[null]"].iter().any(|places| text.contains(places)) && (text.contains("urls") || text.contains("\\u"))
}

/// Whether the stock registry serves a document as what it was pushed as, and as what.
async fn stock_serves(stock: &Registry, tag: &str, bytes: &[u8]) -> Option<String> {
    for media_type in TYPES {
        let url = format!("{}/v2/one/reading/manifests/{tag}", stock.url);
        let put = http().put(url).header("content-type", media_type).body(bytes.to_vec()).send().await.unwrap();
        if put.status() == 201 {
            let (status, served, got) = image::get_manifest(&stock.url, "one/reading", tag).await;
            if (status, served.as_str(), got.as_slice()) == (200, media_type, bytes) {
                return Some(served);
            }
        }
    }
    None
}

#[tokio::test]
async fn what_a_stock_registry_serves_is_served_and_what_it_refuses_is_refused() {
    let seed = std::env::var("ONE_READING_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("ONE_READING_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new("onereading").await;
    let (stock, upstream) = (Registry::plain(), Hostile::start().await);
    // The empty object is what its inline form in base64 says.
    let blobs: Vec<Vec<u8>> = (0..4).map(|n| layer(n, 300)).chain([b"{}".to_vec()]).collect();
    let index = Image::index(vec![Image::oci("arm64", &blobs[..1])]);
    let images = [Image::oci("amd64", &blobs[..2]), Image::docker("s390x", &blobs[1..3]), index];
    let nested: Vec<Image> =
        std::iter::successors(Some(Image::index(images.to_vec())), |inner| Some(Image::index(vec![inner.clone()])))
            .take(NESTED)
            .collect();
    let mut carrier = Image::index(nested[NESTED - 1..].to_vec());
    carrier.blobs.clone_from(&blobs);
    carrier.push(&stock.url, "one/reading", "content").await;
    upstream.hold_by_digest(&world.path, &carrier);

    let content = Content { blobs: &blobs, images: &images, nested: &nested };
    let mut documents: BTreeMap<String, Vec<u8>> =
        (0..CASES).map(|case| (format!("case-{case:04}"), document(&mut rng, &content))).collect();
    let large = large(&mut rng, &content).into_iter().enumerate();
    documents.extend(large.map(|(case, bytes)| (format!("large-{case:02}"), bytes)));
    // Equal ones at once, under several tags, are too much for the stock registry's files.
    let distinct: HashMap<&Vec<u8>, &String> = documents.iter().map(|(tag, bytes)| (bytes, tag)).collect();
    let verdicts = stream::iter(distinct).map(async |(bytes, tag)| (bytes, stock_serves(&stock, tag, bytes).await));
    let verdicts: HashMap<_, _> = verdicts.buffer_unordered(8).collect().await;

    let mut answers: HashMap<String, (usize, Vec<u8>)> = HashMap::new();
    for (case, (tag, bytes)) in documents.iter().enumerate() {
        upstream.list(&world.path, tag);
        for reference in [tag.clone(), Digest::sha256(bytes).to_string()] {
            answers.insert(format!("/v2/{}/manifests/{reference}", world.path), (case, bytes.clone()));
        }
    }
    upstream.plan("", "/manifests/", move |asked| {
        let (case, bytes) = answers.get(&asked.path)?;
        let answer = Answer::new(200).body(bytes.clone());
        let answer = answer.header("docker-content-digest", &Digest::sha256(bytes).to_string());
        let announced = ANNOUNCED[case % ANNOUNCED.len()];
        Some(if announced.is_empty() { answer } else { answer.header("content-type", announced) })
    });
    world.create_mirror(&upstream.address, json!({})).await;
    let run = world.sync().await;
    let outcomes: HashMap<&str, &Value> =
        run["tags"].as_array().unwrap().iter().map(|outcome| (outcome["tag"].as_str().unwrap(), outcome)).collect();

    let client = world.robot().await;
    let ours = stream::iter(&documents).map(async |(tag, bytes)| {
        let reply = client.get(&format!("/v2/{}/manifests/{tag}", world.repository)).await;
        let (status, served, got) = match reply.header("location") {
            "" => (reply.status, reply.header("content-type").to_owned(), reply.body),
            // What is no UTF-8 comes from the bucket.
            location => {
                let answer = http().get(location).send().await.unwrap();
                let served = answer.headers()["content-type"].to_str().unwrap().to_owned();
                (answer.status().as_u16(), served, answer.bytes().await.unwrap().to_vec())
            }
        };
        (tag, (status == 200 && got == *bytes).then_some(served))
    });
    let ours: HashMap<_, _> = ours.buffer_unordered(8).collect().await;

    let (mut wrong, mut served, mut on_purpose) = (Vec::new(), 0, 0);
    for (tag, bytes) in &documents {
        let (stock, ours) = (&verdicts[bytes], &ours[tag]);
        let message =
            outcomes.get(tag.as_str()).and_then(|outcome| outcome["failure"]["message"].as_str()).unwrap_or_default();
        let is_right = match (stock, ours) {
            (Some(stock), Some(ours)) => stock == ours,
            (None, None) => !message.is_empty(),
            (Some(stock), None) => is_ours(message, stock),
            (None, Some(_)) => names_places(bytes),
        };
        served += usize::from(ours.is_some());
        on_purpose += usize::from(stock.is_some() && ours.is_none());
        if !is_right {
            let document = String::from_utf8_lossy(&bytes[..bytes.len().min(1_500)]);
            wrong.push(format!("{tag}: stock {stock:?}, ours {ours:?} {message:?}: {document}"));
        }
    }
    println!(
        "{CASES} documents: {served} served, {on_purpose} refused on purpose, {} otherwise than stock",
        wrong.len()
    );
    let first = wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "ONE_READING_SEED={seed}: {} are read otherwise:\n{first}", wrong.len());
    assert!(
        served > CASES / 5 && served < CASES * 9 / 10,
        "{served} were served: the documents are too right, or too wrong"
    );
}
