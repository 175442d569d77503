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
        (format!(r#"{{"schemaVersion":2,"config":{layer},"layers":null,"manifests":null}}"#), MediaType::OciManifest),
        (format!(r#"{{"schemaVersion":2,"config":{layer}}}"#), MediaType::OciManifest),
        (format!(r#"{{"schemaVersion":2,"mediaType":"{}"}}"#, MediaType::OciIndex), MediaType::OciIndex),
        (
            format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":null}}"#, MediaType::DockerManifestList),
            MediaType::DockerManifestList,
        ),
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
        (r#"{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}"#.into(), "MediaType"),
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

/// Whether a manifest with this instead of its only layer is taken.
fn takes_layer(layer: &str) -> bool {
    let config = descriptor("x/y");
    parse(&format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#)).is_ok()
}

#[test]
fn documents_are_read_as_registries_read_them() {
    for taken in [
        r#""digest":"D","size":0"#,
        r#""mediaType":null,"digest":"D","size":null,"urls":null,"annotations":null,"platform":null,"data":null"#,
        r#""digest":"D","size":-0,"annotations":{"a":null,"b":"\ud800"},"urls":[null,"x"],"platform":{"features":1}"#,
        r#""digest":"x","digest":"D","size":7,"size":0,"x":1,"x":{"y":[1e999]}"#,
        r#""digest":"D","size":0,"data":"","x":{"Digest":1},"dige\u0073t":"D""#,
    ] {
        assert!(takes_layer(&format!("{{{}}}", taken.replace("\"D\"", &format!("\"{EMPTY}\"")))), "{taken}");
    }
    for refused in [
        r#""size":0"#,
        r#""digest":"D","Size":0"#,
        r#""digest":"D","\u017fize":0"#,
        r#""digest":"D","size":0.0"#,
        r#""digest":"D","size":9223372036854775808"#,
        r#""digest":"D","size":0,"mediaType":1"#,
        r#""digest":"D","size":0,"urls":"x""#,
        r#""digest":"D","size":0,"urls":[1]"#,
        r#""digest":"D","size":0,"annotations":[]"#,
        r#""digest":"D","size":0,"platform":{"os":1}"#,
        r#""digest":"D","size":0,"platform":{"OS":"linux"}"#,
        r#""digest":"D","size":0,"data":"!""#,
        r#""digest":"D","size":0,"artifactType":1"#,
    ] {
        assert!(!takes_layer(&format!("{{{}}}", refused.replace("\"D\"", &format!("\"{EMPTY}\"")))), "{refused}");
    }
    assert!(!takes_layer("null") && !takes_layer("[]") && !takes_layer("1"));
}

#[test]
fn content_that_is_listed_again_is_the_same() {
    let twice = |one: &str, other: &str| {
        let layer = |more: &str| format!(r#"{{"digest":"{EMPTY}",{more}}}"#);
        let config = descriptor("x/y");
        parse(&format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{},{}]}}"#, layer(one), layer(other)))
    };
    assert!(twice(r#""size":0"#, r#""size":0,"mediaType":"x""#).is_ok());
    assert!(matches!(twice(r#""size":0"#, r#""size":1"#), Err(Refusal::Sizes(_))));
    let foreign = r#""size":0,"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip""#;
    assert!(matches!(twice(r#""size":0"#, foreign), Err(Refusal::NonDistributable(_))));
}

#[test]
fn a_list_that_comes_again_is_written_over_the_first() {
    let entry = |seed: u8| format!(r#"{{"digest":"{}","size":1}}"#, Digest::sha256(&[seed]));
    let body = format!(
        r#"{{"schemaVersion":2,"manifests":[{},{}],"manifests":[{{"size":2}}],"manifests":[{{}},{{}}]}}"#,
        entry(1),
        entry(2)
    );
    let Content::Index(entries) = parse(&body).unwrap().content else { panic!("no index") };
    let entries: Vec<_> = entries.into_iter().map(|entry| (entry.digest, entry.size)).collect();
    assert_eq!(entries, [(Digest::sha256(&[1]), 2), (Digest::sha256(&[2]), 1)]);
}

#[test]
fn only_what_registries_read_has_to_be_right() {
    let (layer, docker) = (descriptor("x/y"), MediaType::DockerManifest);
    let with = |more: &str| parse(&format!(r#"{{"schemaVersion":2,{more},"config":{layer},"layers":[]}}"#));
    assert!(with(&format!(r#""mediaType":"{docker}","annotations":[1],"subject":7,"artifactType":[]"#)).is_ok());
    assert!(with(r#""annotations":[1]"#).is_err());
    assert!(with(r#""mediaType":"x","mediaType":null"#).is_err());
    assert!(parse(&format!(r#"{{"schemaVersion":2,"config":{layer},"config":null}}"#)).is_ok());
    assert!(with(r#""manifests":[]"#).is_err());
    assert!(parse(&format!(r#"{{"schemaVersion":2,"mediaType":"{docker}","layers":[]}}"#)).is_err(), "no config");
}

#[test]
fn inline_content_is_found_if_it_is_what_its_descriptor_says() {
    let of = |content: &[u8], data: &str| {
        format!(r#"{{"digest":"{}","size":{},"data":"{data}"}}"#, Digest::sha256(content), content.len())
    };
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{},{},{}]}}"#,
        of(b"{}", "e30="),
        of(b"abc", "e30="),
        of(b"abc", r"YW\nJj"),
        of(b"abd", "e30=")
    );
    let parsed = parse(&manifest).unwrap();
    let Content::Image(blobs) = parsed.content else { panic!("no image") };
    assert!(blobs.iter().all(Descriptor::has_data));
    for (content, found) in [(&b"{}"[..], true), (b"abc", true), (b"abd", false), (b"other", false)] {
        let data = inline(manifest.as_bytes(), &Digest::sha256(content));
        assert_eq!(data.as_deref(), Some(content).filter(|_| found));
    }
}
