//! Images made from a few bytes, and how they get into a registry.

use moorage_domain::Digest;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};

use crate::http;

/// The media type of OCI's images.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of OCI's indexes.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// An image, or an index of images.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its manifest's media type.
    pub media_type: &'static str,
    /// Its manifest.
    pub manifest: Vec<u8>,
    /// Config and layers.
    pub blobs: Vec<Vec<u8>>,
    /// The images of an index.
    pub children: Vec<Image>,
}

/// A layer of `size` bytes, the same for the same seed.
pub fn layer(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// A layer that clients can unpack: a tar archive with one file of `size` bytes.
pub fn tar(name: &str, size: usize) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    for (at, text) in [(100, "0000644\0"), (108, "0000000\0"), (116, "0000000\0"), (136, "00000000000\0")] {
        put(at, text);
    }
    put(124, &format!("{size:011o}\0"));
    // While it is summed up, the checksum is blank.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = [header.as_slice(), &layer(1, size)].concat();
    tar.resize(tar.len().next_multiple_of(512) + 1_024, 0);
    tar
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len()})
}

impl Image {
    /// An OCI image for an architecture.
    pub fn oci(architecture: &str, layers: &[Vec<u8>]) -> Self {
        Self::of_layers(OCI_MANIFEST, OCI_CONFIG, OCI_LAYER, architecture, layers)
    }

    /// A Docker image, schema 2.
    pub fn docker(architecture: &str, layers: &[Vec<u8>]) -> Self {
        Self::of_layers(DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER, architecture, layers)
    }

    fn of_layers(
        media_type: &'static str,
        config_type: &str,
        layer_type: &str,
        architecture: &str,
        layers: &[Vec<u8>],
    ) -> Self {
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::sha256(layer)).collect();
        let config =
            json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": descriptor(config_type, &config),
            "layers": layers.iter().map(|layer| descriptor(layer_type, layer)).collect::<Vec<_>>(),
        });
        let blobs = std::iter::once(config).chain(layers.iter().cloned()).collect();
        Self { media_type, manifest: manifest.to_string().into_bytes(), blobs, children: Vec::new() }
    }

    /// An OCI artifact: an empty config, one blob of its own kind.
    pub fn artifact(blob: Vec<u8>) -> Self {
        let config = b"{}".to_vec();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example.sbom",
            "config": descriptor("application/vnd.oci.empty.v1+json", &config),
            "layers": [descriptor("application/vnd.example.sbom", &blob)],
            "annotations": {"org.example.note": "kept"},
        });
        let manifest = manifest.to_string().into_bytes();
        Self { media_type: OCI_MANIFEST, manifest, blobs: vec![config, blob], children: Vec::new() }
    }

    /// An OCI artifact that refers to an image: a signature or SBOM.
    pub fn referrer(subject: &Image, blob: Vec<u8>) -> Self {
        let mut artifact = Self::artifact(blob);
        let mut manifest: Value = serde_json::from_slice(&artifact.manifest).unwrap();
        manifest["subject"] = descriptor(subject.media_type, &subject.manifest);
        artifact.manifest = manifest.to_string().into_bytes();
        artifact
    }

    /// The entry of a list of referrers that stands for this artifact.
    pub fn referrer_descriptor(&self) -> Value {
        let mut descriptor = descriptor(self.media_type, &self.manifest);
        descriptor["artifactType"] = json!("application/vnd.example.sbom");
        descriptor["annotations"] = json!({"org.example.note": "kept"});
        descriptor
    }

    /// The tag at which clients look for what refers to it, where a registry has no referrers API.
    pub fn referrers_tag(&self) -> String {
        format!("sha256-{}", self.digest().hex())
    }

    /// An OCI index of referrers, as clients keep it where a registry has no referrers API.
    pub fn referrers(referrers: Vec<Image>) -> Self {
        let manifests: Vec<_> = referrers.iter().map(Self::referrer_descriptor).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
        let manifest = manifest.to_string().into_bytes();
        Self { media_type: OCI_INDEX, manifest, blobs: Vec::new(), children: referrers }
    }

    /// An OCI index.
    pub fn index(children: Vec<Image>) -> Self {
        Self::list_of(OCI_INDEX, children)
    }

    /// A Docker manifest list.
    pub fn list(children: Vec<Image>) -> Self {
        Self::list_of(DOCKER_LIST, children)
    }

    fn list_of(media_type: &'static str, children: Vec<Image>) -> Self {
        let child = |child: &Image| {
            let mut descriptor = descriptor(child.media_type, &child.manifest);
            let config: Option<Value> = child.blobs.first().and_then(|config| serde_json::from_slice(config).ok());
            let architecture = config.map_or(json!("amd64"), |config| config["architecture"].clone());
            descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
            descriptor
        };
        let manifests: Vec<_> = children.iter().map(child).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        Self { media_type, manifest: manifest.to_string().into_bytes(), blobs: Vec::new(), children }
    }

    /// The manifest's digest.
    pub fn digest(&self) -> Digest {
        Digest::sha256(&self.manifest)
    }

    /// This image and all below it.
    pub fn all(&self) -> Vec<&Image> {
        std::iter::once(self).chain(self.children.iter().flat_map(Self::all)).collect()
    }

    /// Pushes it, `registry` being a URL such as `http://user:password@127.0.0.1:5000`.
    pub async fn push(&self, registry: &str, path: &str, tag: &str) {
        for image in self.all() {
            for blob in &image.blobs {
                push_blob(registry, path, blob).await;
            }
        }
        for image in self.all().into_iter().rev() {
            let reference = if std::ptr::eq(image, self) { tag.to_owned() } else { image.digest().to_string() };
            put_manifest(registry, path, &reference, image.media_type, image.manifest.clone()).await;
        }
    }
}

/// Pushes a blob.
pub async fn push_blob(registry: &str, path: &str, blob: &[u8]) {
    push_blob_as(registry, path, blob, &Digest::sha256(blob)).await;
}

/// Pushes a blob under a digest of another algorithm.
pub async fn push_blob_as(registry: &str, path: &str, blob: &[u8], digest: &Digest) {
    let client = http();
    let started = client.post(format!("{registry}/v2/{path}/blobs/uploads/")).send().await.unwrap();
    assert_eq!(started.status().as_u16(), 202, "{registry} {path}");
    let location = started.headers()["location"].to_str().unwrap().to_owned();
    let mut url: reqwest::Url = started.url().join(&location).unwrap();
    // The registry's own URLs lack the user.
    let base: reqwest::Url = registry.parse().unwrap();
    url.set_username(base.username()).unwrap();
    url.set_password(base.password()).unwrap();
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let put =
        client.put(url).header("content-type", "application/octet-stream").body(blob.to_vec()).send().await.unwrap();
    assert_eq!(put.status().as_u16(), 201);
}

/// Puts a manifest under a tag or digest.
pub async fn put_manifest(registry: &str, path: &str, reference: &str, media_type: &str, manifest: Vec<u8>) {
    let url = format!("{registry}/v2/{path}/manifests/{reference}");
    let put = http().put(url).header("content-type", media_type).body(manifest).send().await.unwrap();
    let status = put.status().as_u16();
    assert_eq!(status, 201, "{}", put.text().await.unwrap());
}

/// Deletes what a tag points to.
pub async fn delete(registry: &str, path: &str, digest: &Digest) {
    let url = format!("{registry}/v2/{path}/manifests/{digest}");
    assert_eq!(http().delete(url).send().await.unwrap().status().as_u16(), 202);
}

/// A manifest as a registry serves it: status, media type and bytes.
pub async fn get_manifest(registry: &str, path: &str, reference: &str) -> (u16, String, Vec<u8>) {
    let accept = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
    let url = format!("{registry}/v2/{path}/manifests/{reference}");
    let response = http().request(Method::GET, url).header("accept", accept).send().await.unwrap();
    let media_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), media_type.unwrap_or_default(), response.bytes().await.unwrap().to_vec())
}

/// The tags that a registry lists.
pub async fn tags(registry: &str, path: &str) -> Vec<String> {
    let response = http().get(format!("{registry}/v2/{path}/tags/list")).send().await.unwrap();
    if response.status() == 404 {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let mut tags: Vec<String> = serde_json::from_value(body["tags"].clone()).unwrap_or_default();
    tags.sort();
    tags
}
