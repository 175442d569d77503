//! What is parsed and what is refused.

use super::*;

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn descriptor(media_type: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{EMPTY}","size":0}}"#)
}

fn parse(body: &str) -> Result<Manifest, Refusal> {
    Manifest::parse(body.as_bytes())
}

#[test]
fn the_body_decides_the_media_type() {
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar");
    for (body, media_type) in [
        (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[{layer}]}}"#), MediaType::OciManifest),
        (format!(r#"{{"schemaVersion":2,"manifests":[{layer}]}}"#), MediaType::OciIndex),
        (r#"{"schemaVersion":2,"manifests":[]}"#.into(), MediaType::OciIndex),
        (
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","config":{layer},"layers":[]}}"#,
                MediaType::DockerManifest
            ),
            MediaType::DockerManifest,
        ),
        (
            format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{layer}]}}"#, MediaType::DockerManifestList),
            MediaType::DockerManifestList,
        ),
    ] {
        let manifest = parse(&body).unwrap();
        assert_eq!(manifest.media_type, media_type, "{body}");
        assert_eq!(announced(body.as_bytes()), Some(media_type), "{body}");
        let (Content::Image(descriptors) | Content::Index(descriptors)) = manifest.content;
        assert!(descriptors.len() <= 1, "each digest once");
    }
}

#[test]
fn what_registries_cannot_serve_is_refused() {
    let layer = descriptor("x/y");
    let foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    for (body, name) in [
        (r#"{"schemaVersion":1,"name":"a","fsLayers":[]}"#.to_owned(), "Schema1"),
        ("not json".into(), "Malformed"),
        ("[]".into(), "Malformed"),
        (r#"{"schemaVersion":3,"manifests":[]}"#.into(), "Malformed"),
        (r#"{"schemaVersion":2}"#.into(), "Malformed"),
        (
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}"#.into(),
            "MediaType",
        ),
        (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[],"manifests":[]}}"#), "Ambiguous"),
        (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[{foreign}]}}"#), "NonDistributable"),
        (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[],"annotations":{{"a":1}}}}"#), "Malformed"),
        (r#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:zz","size":1}]}"#.into(), "Malformed"),
        (
            format!(r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{EMPTY}","size":"1"}}]}}"#),
            "Malformed",
        ),
        (
            format!(r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{EMPTY}","size":-1}}]}}"#),
            "Malformed",
        ),
        (" ".repeat(MAX_MANIFEST_SIZE + 1), "TooLarge"),
    ] {
        let refusal = format!("{:?}", parse(&body).unwrap_err());
        assert!(refusal.starts_with(name), "{refusal} for {}", &body[..body.len().min(100)]);
    }
}
