//! What images are for, as their indexes and configs say it: for people, and nothing is decided by it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    json::{JsonError, Reader},
};

/// The most platforms that are told of one index: real ones have a dozen.
pub const MAX_PLATFORMS: usize = 100;
/// The longest text of a platform, in bytes.
const TEXT_LENGTH: usize = 64;
/// What `BuildKit` calls the platform of what is none, as attestations.
const UNKNOWN: &str = "unknown";

/// A manifest, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// The image's manifest.
    pub digest: Digest,
    /// `os/architecture`, or `os/architecture/variant`.
    pub name: String,
}

/// What is read of a platform.
#[derive(Debug, Default)]
struct Parts {
    os: String,
    architecture: String,
    variant: String,
}

impl Parts {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        reader.fields(&["os", "architecture", "variant"], |reader, key| {
            let part = match key {
                "os" => &mut self.os,
                "architecture" => &mut self.architecture,
                _ => &mut self.variant,
            };
            if let Some(text) = reader.text()? {
                *part = text.into_owned();
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Nothing where it names none, or something that cannot be one.
    fn name(self) -> Option<String> {
        let is_text = |text: &str| {
            text.len() <= TEXT_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let Self { os, architecture, variant } = self;
        let is_known = |text: &str| !text.is_empty() && text != UNKNOWN;
        if !is_known(&os)
            || !is_known(&architecture)
            || ![&os, &architecture, &variant].into_iter().all(|it| is_text(it))
        {
            return None;
        }
        let variant = if variant.is_empty() { variant } else { format!("/{variant}") };
        Some(format!("{os}/{architecture}{variant}"))
    }
}

/// The platforms that an index names, each once, in the order of their manifests.
pub fn of_index(index: &[u8]) -> Vec<Platform> {
    let mut platforms = BTreeSet::new();
    let read = Reader::new(index).and_then(|mut reader| {
        reader.fields(&["manifests"], |reader, _| {
            platforms.clear();
            reader.list(|reader, _| {
                platforms.extend(entry(reader)?);
                if platforms.len() > MAX_PLATFORMS {
                    platforms.pop_last();
                }
                Ok(())
            })?;
            Ok(())
        })
    });
    if read.is_ok() { platforms.into_iter().collect() } else { Vec::new() }
}

fn entry(reader: &mut Reader<'_>) -> Result<Option<Platform>, JsonError> {
    let (mut digest, mut parts) = (None, Parts::default());
    reader.fields(&["digest", "platform"], |reader, key| {
        if key == "digest" {
            digest = reader.text()?.and_then(|text| text.parse().ok());
            return Ok(());
        }
        parts.read(reader)
    })?;
    Ok(digest.zip(parts.name()).map(|(digest, name)| Platform { digest, name }))
}

/// The platform that the config of the image `digest` names; nothing where it is an artifact's.
pub fn of_config(digest: &Digest, config: &[u8]) -> Option<Platform> {
    let mut parts = Parts::default();
    Reader::new(config).and_then(|mut reader| parts.read(&mut reader)).ok()?;
    parts.name().map(|name| Platform { digest: digest.clone(), name })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn names(entries: &[Value]) -> Vec<String> {
        let manifests: Vec<_> = entries
            .iter()
            .enumerate()
            .map(|(number, platform)| json!({"digest": Digest::sha256(&[u8::try_from(number).unwrap()]), "platform": platform}))
            .collect();
        let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        let mut names: Vec<_> = of_index(index.as_bytes()).into_iter().map(|platform| platform.name).collect();
        names.sort();
        names
    }

    #[test]
    fn what_an_index_is_for() {
        let platforms = [
            json!({"os": "linux", "architecture": "amd64"}),
            json!({"os": "linux", "architecture": "arm", "variant": "v7"}),
            json!({"os": "unknown", "architecture": "unknown"}),
            json!({"os": "linux"}),
            json!({"os": "linux", "architecture": "<script>"}),
            json!({"os": "linux", "architecture": "x".repeat(TEXT_LENGTH + 1)}),
            Value::Null,
        ];
        assert_eq!(names(&platforms), ["linux/amd64", "linux/arm/v7"]);
        let many: Vec<_> = (0..200).map(|n| json!({"os": "linux", "architecture": format!("a{n}")})).collect();
        assert_eq!(names(&many).len(), MAX_PLATFORMS);
        for broken in ["", "[]", "{\"manifests\": {}}", "{\"manifests\": [1]}"] {
            assert_eq!(of_index(broken.as_bytes()), [], "{broken}");
        }
    }

    #[test]
    fn what_an_image_is_for() {
        let digest = Digest::sha256(b"image");
        let name = |config: &str| of_config(&digest, config.as_bytes()).map(|platform| platform.name);
        assert_eq!(
            name(r#"{"os":"linux","architecture":"arm64","variant":"v8","config":{}}"#),
            Some("linux/arm64/v8".into())
        );
        assert_eq!(name(r#"{"os":"windows","architecture":"amd64"}"#), Some("windows/amd64".into()));
        for other in ["{}", "", "not json", r#"{"os":1,"architecture":"amd64"}"#, r#"{"architecture":"amd64"}"#] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
