//! Another tenant, who mirrors from the same host and must not notice what somebody else goes through there.

use serde_json::{Value, json};

use crate::{
    hostile::Hostile,
    image::{Image, layer},
    world::World,
};

/// Another tenant's mirror of one honest image.
#[derive(Debug)]
pub struct Victim {
    /// Their corner of the stack.
    pub world: World,
    /// Their image, `v1`.
    pub image: Image,
}

impl Victim {
    /// A tenant with nothing mirrored yet.
    pub async fn new(name: &str) -> Self {
        let image = Image::oci("amd64", &[layer(rand::random(), 5_000)]);
        Self { world: World::new(name).await, image }
    }

    /// Mirrors their image from a registry.
    pub async fn mirror(&self, registry: &Hostile) {
        registry.hold(&self.world.path, "v1", &self.image);
        self.world.create_mirror(&registry.address, json!({})).await;
        assert_eq!(self.world.sync().await["status"], "SUCCESS");
        self.world.grant("read").await;
    }

    /// Asserts that their mirror goes on, that their image is pulled as ever, and that their log says nothing else.
    pub async fn is_well(&self) {
        let run = self.world.sync().await;
        assert_eq!((&run["status"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0)), "{run}");
        let client = self.world.robot().await;
        let base = format!("/v2/{}", self.world.repository);
        let manifest = client.get(&format!("{base}/manifests/v1")).await;
        assert_eq!((manifest.status, &manifest.body), (200, &self.image.manifest));
        for blob in &self.image.blobs {
            let path = format!("{base}/blobs/{}", moorage_domain::Digest::sha256(blob));
            assert_eq!(&client.fetch(&path, &[]).await.body, blob);
        }
        let log = self.world.log().await;
        let bad = |entry: &&Value| entry["kind"].as_str().is_some_and(|kind| kind.contains("fail"));
        assert_eq!(log.iter().find(bad), None);
    }
}
