//! Manifests and indexes made at random: right ones, and such as are almost right. They are texts, not values, because no
//! library writes what is wanted here: keys twice, numbers that are none, half of a surrogate.

use moorage_domain::Digest;
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};

use crate::image::Image;

/// The media types of manifests: images first, then indexes.
pub const TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// The most bytes of a manifest that registries take.
const LARGEST: usize = 4 * 1024 * 1024;

/// Values that stand where others should.
const ODD: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "-0",
    "2",
    "1.0",
    "1e3",
    "9223372036854775807",
    "9223372036854775808",
    "1e999",
    "\"\"",
    "\"x\"",
    "\"2\"",
    "[]",
    "{}",
    "[null]",
    "[{}]",
    "{\"a\":\"b\"}",
    "{\"a\":1}",
    "{\"a\":null}",
    "[\"x\"]",
];
/// Values under keys that nobody knows.
const ANY: [&str; 6] =
    ["1e999", "\"\\ud800\"", "[[[[{\"Layers\":[]}]]]]", "\"\u{fffd}\"", "-0.0E-7", "{\"x\":{\"x\":[null]}}"];
/// Keys that mean something somewhere.
const KEYS: [&str; 16] = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "annotations",
    "subject",
    "artifactType",
    "digest",
    "size",
    "urls",
    "platform",
    "data",
    "os",
    "architecture",
    "unknown",
];

/// A document that is being made.
#[derive(Debug, Clone)]
enum Node {
    /// As it is written.
    Raw(Vec<u8>),
    List(Vec<Node>),
    /// Its keys as they are written, without quotes.
    Object(Vec<(String, Node)>),
}

/// What documents may refer to.
#[derive(Debug)]
pub struct Content<'a> {
    /// Blobs.
    pub blobs: &'a [Vec<u8>],
    /// Manifests.
    pub images: &'a [Image],
    /// Indexes of indexes, so many levels deep.
    pub nested: &'a [Image],
}

fn raw(text: impl Into<String>) -> Node {
    Node::Raw(text.into().into_bytes())
}

fn text(text: &str) -> Node {
    raw(format!("\"{text}\""))
}

fn object(fields: Vec<(&str, Node)>) -> Node {
    Node::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn descriptor(rng: &mut StdRng, media_type: &str, bytes: &[u8]) -> Node {
    let mut fields = vec![
        ("mediaType", text(media_type)),
        ("digest", text(&Digest::sha256(bytes).to_string())),
        ("size", raw(bytes.len().to_string())),
    ];
    let more = [
        ("annotations", object(vec![("org.example", text("kept"))])),
        ("urls", raw("[]")),
        ("data", text("e30=")),
        ("artifactType", text("application/x")),
        (
            "platform",
            object(vec![("architecture", text("amd64")), ("os", text("linux")), ("os.features", raw("[\"x\"]"))]),
        ),
    ];
    for more in more {
        if rng.random_ratio(1, 8) {
            fields.push(more);
        }
    }
    object(fields)
}

/// The bytes of one document.
pub fn document(rng: &mut StdRng, content: &Content<'_>) -> Vec<u8> {
    let media_type = *TYPES.choose(rng).unwrap();
    let mut node = draft(rng, content, media_type, None);
    for _ in 0..*[0, 0, 1, 1, 1, 2, 3].choose(rng).unwrap() {
        mutate(rng, &mut node);
    }
    let mut bytes = Vec::new();
    write(rng, &node, &mut bytes);
    if rng.random_ratio(1, 25) {
        damage(rng, &mut bytes);
    }
    bytes
}

/// Large documents: of thousands of descriptors, nested ones, and such as have the most bytes that registries take, or
/// one more or less.
pub fn large(rng: &mut StdRng, content: &Content<'_>) -> Vec<Vec<u8>> {
    let mut documents = Vec::new();
    let written = |rng: &mut StdRng, node: &Node| {
        let mut bytes = Vec::new();
        write(rng, node, &mut bytes);
        bytes
    };
    for (media_type, count) in TYPES.into_iter().zip([4_000, 2_500, 1_000, 3_000]) {
        let mut node = draft(rng, content, media_type, Some(count));
        documents.push(written(rng, &node));
        mutate(rng, &mut node);
        documents.push(written(rng, &node));
    }
    for (media_type, size) in TYPES.into_iter().zip([LARGEST - 1, LARGEST, LARGEST + 1, LARGEST]) {
        let count = rng.random_range(0..6_000);
        let node = draft(rng, content, media_type, Some(count));
        let mut bytes = written(rng, &node);
        let padding = size - bytes.len();
        if rng.random() {
            bytes.splice(1..1, std::iter::repeat_n(b' ', padding)).for_each(drop);
        } else {
            let padding = padding - br#""x":"","#.len();
            bytes.splice(1..1, format!(r#""x":"{}","#, "y".repeat(padding)).into_bytes()).for_each(drop);
        }
        documents.push(bytes);
    }
    for nested in content.nested {
        let entries = content.images.iter().chain([nested]);
        let entries = entries.map(|image| descriptor(rng, image.media_type, &image.manifest)).collect();
        let mut node = object(vec![
            ("schemaVersion", raw("2")),
            ("mediaType", text(TYPES[2])),
            ("manifests", Node::List(entries)),
        ]);
        if rng.random() {
            mutate(rng, &mut node);
        }
        documents.push(written(rng, &node));
    }
    documents
}

/// A right document, with so many descriptors.
fn draft(rng: &mut StdRng, content: &Content<'_>, media_type: &str, count: Option<usize>) -> Node {
    let mut fields = vec![("schemaVersion", raw("2"))];
    // Docker's have to say what they are.
    if media_type.contains("docker") || rng.random_ratio(2, 3) {
        fields.push(("mediaType", text(media_type)));
    }
    let count = count.unwrap_or_else(|| *[0, 1, 1, 2, 3, 5, 40].choose(rng).unwrap());
    if TYPES[..2].contains(&media_type) {
        let layer = if media_type.contains("docker") {
            "application/vnd.docker.image.rootfs.diff.tar.gzip"
        } else {
            "application/vnd.oci.image.layer.v1.tar"
        };
        let config = content.blobs.choose(rng).unwrap();
        fields.push(("config", descriptor(rng, "application/vnd.example.config", config)));
        let layers = (0..count).map(|_| {
            let blob = content.blobs.choose(rng).unwrap();
            descriptor(rng, layer, blob)
        });
        fields.push(("layers", Node::List(layers.collect())));
    } else {
        let entry = |rng: &mut StdRng| {
            if rng.random_ratio(1, 10) {
                let blob = content.blobs.choose(rng).unwrap();
                return descriptor(rng, "application/vnd.example.layer", blob);
            }
            let image = content.images.choose(rng).unwrap();
            descriptor(rng, image.media_type, &image.manifest)
        };
        let entries = (0..count).map(|_| entry(rng)).collect();
        fields.push(("manifests", Node::List(entries)));
    }
    if rng.random_ratio(1, 4) {
        fields.push(("annotations", object(vec![("a", text("\\u00e4 \\ud83d\\ude00"))])));
    }
    object(fields)
}

/// Changes something, somewhere.
fn mutate(rng: &mut StdRng, node: &mut Node) {
    match node {
        Node::Raw(_) => *node = raw(*ODD.choose(rng).unwrap()),
        Node::List(list) if !list.is_empty() && rng.random_ratio(3, 4) => {
            let place = rng.random_range(0..list.len());
            match rng.random_range(0..8) {
                0 => drop(list.remove(place)),
                1 => list.push(list[place].clone()),
                _ => mutate(rng, &mut list[place]),
            }
        }
        Node::Object(fields) if !fields.is_empty() => {
            let place = rng.random_range(0..fields.len());
            match rng.random_range(0..12) {
                0 => drop(fields.remove(place)),
                1 => fields.push((fields[place].0.clone(), raw(*ODD.choose(rng).unwrap()))),
                2 => fields.insert(0, (fields[place].0.clone(), raw(*ODD.choose(rng).unwrap()))),
                3 => fields.push(fields[place].clone()),
                4 => fields[place].0 = recased(rng, &fields[place].0),
                5 => fields[place].0 = escaped(rng, &fields[place].0),
                6 => fields.insert(place, ("unknown".into(), raw(*ANY.choose(rng).unwrap()))),
                7 => fields.insert(place, ((*KEYS.choose(rng).unwrap()).into(), raw(*ODD.choose(rng).unwrap()))),
                8 => fields[place].1 = raw(*ODD.choose(rng).unwrap()),
                _ => mutate(rng, &mut fields[place].1),
            }
        }
        other => *other = raw(*ODD.choose(rng).unwrap()),
    }
}

fn recased(rng: &mut StdRng, key: &str) -> String {
    match rng.random_range(0..3) {
        0 => key.to_uppercase(),
        1 => key.replacen('s', "\u{17f}", 1),
        _ => key[..1].to_uppercase() + &key[1..],
    }
}

fn escaped(rng: &mut StdRng, key: &str) -> String {
    let place = rng.random_range(0..key.len());
    key.char_indices()
        .map(|(at, char)| if at == place { format!("\\u{:04x}", u32::from(char)) } else { char.into() })
        .collect()
}

/// Makes it no JSON, mostly.
fn damage(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    match rng.random_range(0..6) {
        0 => drop(bytes.pop()),
        1 => bytes.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        2 => bytes.extend_from_slice(b" {}"),
        3 => bytes.extend_from_slice(b"\n\t "),
        _ => {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
    }
}

fn write(rng: &mut StdRng, node: &Node, bytes: &mut Vec<u8>) {
    let space = |rng: &mut StdRng, bytes: &mut Vec<u8>| {
        if rng.random_ratio(1, 50) {
            bytes.extend_from_slice(b" \r\n\t");
        }
    };
    let (open, close) = match node {
        Node::Raw(raw) => return bytes.extend_from_slice(raw),
        Node::List(_) => (b'[', b']'),
        Node::Object(_) => (b'{', b'}'),
    };
    bytes.push(open);
    let comma = |rng: &mut StdRng, bytes: &mut Vec<u8>, place: usize| {
        if place > 0 {
            bytes.push(b',');
        }
        space(rng, bytes);
    };
    match node {
        Node::Raw(_) => {}
        Node::List(list) => {
            for (place, node) in list.iter().enumerate() {
                comma(rng, bytes, place);
                write(rng, node, bytes);
            }
        }
        Node::Object(fields) => {
            for (place, (key, node)) in fields.iter().enumerate() {
                comma(rng, bytes, place);
                bytes.extend_from_slice(format!("\"{key}\":").as_bytes());
                write(rng, node, bytes);
            }
        }
    }
    bytes.push(close);
}
