//! A sync that takes up a large blob where an earlier one left it.

use moorage_domain::Digest;
use moorage_tests::{
    aws::{
        fault::{Fault, Refusal},
        request::Request,
    },
    image::{Image, layer},
    lab::Lab,
    registry::Registry,
    world::World,
};
use serde_json::{Value, json};

use super::{
    every::{Scenario, every_kill},
    recovery::SHORT,
    sync,
};

/// The length of the parts in which a blob of this size is stored.
const PART: usize = 8 * 1024 * 1024;

struct Upload {
    world: World,
    blob: Digest,
    _upstream: Registry,
}

impl Upload {
    /// Whether a part of the blob is stored by this request, from the `first` on.
    fn stores(&self, request: &Request, first: usize) -> bool {
        request.target.contains(&*self.blob.hex()) && request.part.is_some_and(|part| part >= first)
    }
}

impl Scenario for Upload {
    const NAME: &str = "upload";
    const SETTINGS: &[(&str, &str)] = SHORT;

    async fn begin(&self, lab: &Lab) -> (String, Value) {
        // Only one part of three gets there the first time.
        let (function, event) = sync::begin(&self.world.at(&lab.stack), lab).await;
        let blob = self.blob.hex().to_string();
        let refuse = move |request: &Request| match request.part {
            Some(2..) if request.target.contains(&blob) => Fault::Refuse(Refusal::Internal),
            _ => Fault::None,
        };
        lab.invoke(&function, &event, Box::new(refuse)).await;
        assert!(lab.asked().iter().any(|request| self.stores(request, 1)), "a part is stored");
        sync::begin(&self.world.at(&lab.stack), lab).await
    }

    async fn check(&self, lab: &Lab) {
        sync::check(&self.world.at(&lab.stack)).await;
        let first = lab.asked().into_iter().filter(|request| request.part == Some(1));
        let stored = first.filter(|request| self.stores(request, 1)).count();
        let s3 = lab.asked().into_iter().filter(|it| it.target.contains(&*self.blob.hex()));
        let s3: Vec<_> = s3.map(|it| format!("{it} {:?}", it.part)).collect();
        assert_eq!(stored, 1, "a part that is stored and recorded is stored once: {s3:#?}");
    }

    async fn recover(&self, lab: &Lab) {
        sync::recover(&self.world.at(&lab.stack), lab).await;
    }

    async fn observe(&self, lab: &Lab) -> Vec<String> {
        assert_eq!(moorage_tests::bucket::uploads(&lab.stack, &self.blob).await, 0, "no upload is left");
        sync::observe(&self.world.at(&lab.stack)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_with_a_large_blob_may_be_killed_at_any_of_its_requests() {
    let (world, upstream) = (World::new("crash-upload").await, Registry::plain());
    let image = Image::oci("amd64", &[layer(rand::random(), 2 * PART + 1_234)]);
    image.push(&upstream.url, &world.path, "large").await;
    world.create_mirror(&upstream.address, json!({})).await;
    let upload = Upload { world, blob: Digest::sha256(&image.blobs[1]), _upstream: upstream };
    every_kill(&upload.world.stack, &upload).await;
}
