//! Which parts of a multi-architecture image a mirror keeps: Quay's `architecture_filter`.
//!
//! The index itself stays as it is, byte for byte, so that its digest holds; what other architectures need is left out.

use serde::Deserialize;

use crate::{
    Digest,
    manifest::{Descriptor, Refusal},
};

/// The architectures that a filter may name, as in Quay.
pub const ARCHITECTURES: [&str; 4] = ["amd64", "arm64", "ppc64le", "s390x"];
/// The annotation by which an index ties an attestation to the image that it is about (by `BuildKit`).
pub(crate) const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// The entries of an index that a filter keeps, in their order: those of the wanted architectures, attestations of
/// those, and entries that are of no architecture, such as nested indexes. An empty filter keeps all. An index none of
/// whose architectures is wanted is refused, as in Quay.
pub fn select(entries: &[Descriptor], wanted: &[String]) -> Result<Vec<Descriptor>, Refusal> {
    if wanted.is_empty() {
        return Ok(entries.to_vec());
    }
    let is_wanted = |architecture: &str| wanted.iter().any(|wanted| wanted == architecture);
    let of_wanted = |entry: &Descriptor| entry.architecture().is_some_and(is_wanted);
    let has_any = entries.iter().any(|entry| entry.architecture().is_some());
    if has_any && !entries.iter().any(of_wanted) {
        let mut available: Vec<_> = entries.iter().filter_map(Descriptor::architecture).map(str::to_owned).collect();
        available.sort_unstable();
        available.dedup();
        return Err(Refusal::NoArchitecture { requested: wanted.to_vec(), available });
    }
    let is_about = |subject: &Digest| entries.iter().any(|entry| entry.digest == *subject && of_wanted(entry));
    let keep = |entry: &&Descriptor| match entry.reference() {
        Some(subject) => is_about(subject),
        None => entry.architecture().is_none_or(is_wanted),
    };
    Ok(entries.iter().filter(keep).cloned().collect())
}

/// Whether a filter leaves out a single-architecture image with this config. Configs that name no architecture, as
/// those of artifacts, are of none.
pub fn leaves_out(config: &[u8], wanted: &[String]) -> bool {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        architecture: String,
    }
    let architecture = serde_json::from_slice(config).map(|config: Config| config.architecture).unwrap_or_default();
    !wanted.is_empty() && !architecture.is_empty() && !wanted.contains(&architecture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Content, Manifest};

    fn entries(entries: &[(&str, Option<&str>, Option<&str>)]) -> Vec<Descriptor> {
        let entry = |(content, architecture, subject): &(&str, Option<&str>, Option<&str>)| {
            let digest = Digest::sha256(content.as_bytes());
            let mut entry = serde_json::json!({"mediaType": "x/y", "digest": digest, "size": 1});
            if let Some(architecture) = architecture {
                entry["platform"] = serde_json::json!({"architecture": architecture, "os": "linux"});
            }
            if let Some(subject) = subject {
                entry["annotations"] = serde_json::json!({REFERENCE_DIGEST: Digest::sha256(subject.as_bytes())});
            }
            entry
        };
        let manifests: Vec<_> = entries.iter().map(entry).collect();
        let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        let Content::Index(entries) = Manifest::parse(index.as_bytes()).unwrap().content else { panic!("no index") };
        entries
    }

    fn selected(of: &[(&str, Option<&str>, Option<&str>)], wanted: &[&str]) -> Result<Vec<usize>, Refusal> {
        let (all, wanted) = (entries(of), wanted.iter().map(ToString::to_string).collect::<Vec<_>>());
        let kept = select(&all, &wanted)?;
        Ok(kept.iter().filter_map(|kept| all.iter().position(|entry| entry == kept)).collect())
    }

    #[test]
    fn entries_of_an_index() {
        let index = [
            ("a", Some("amd64"), None),
            ("b", Some("arm64"), None),
            ("attestation of a", Some("unknown"), Some("a")),
            ("attestation of b", Some("unknown"), Some("b")),
            ("nested", None, None),
        ];
        assert_eq!(selected(&index, &[]), Ok(vec![0, 1, 2, 3, 4]));
        assert_eq!(selected(&index, &["amd64", "s390x"]), Ok(vec![0, 2, 4]));
        assert_eq!(selected(&index, &["arm64", "amd64"]), Ok(vec![0, 1, 2, 3, 4]));
        let refusal = selected(&index, &["s390x", "ppc64le"]).unwrap_err().to_string();
        let expected =
            "No matching architectures. Requested: ['s390x', 'ppc64le'], Available: ['amd64', 'arm64', 'unknown']";
        assert_eq!(refusal, expected, "Quay's words");
        assert_eq!(selected(&[], &["amd64"]), Ok(vec![]), "an empty index has nothing to leave out");
        assert_eq!(selected(&index[4..], &["amd64"]), Ok(vec![0]));
    }

    #[test]
    fn single_images() {
        let wanted = ["amd64".to_owned()];
        assert!(leaves_out(br#"{"architecture":"arm64","os":"linux"}"#, &wanted));
        for config in [&br#"{"architecture":"amd64"}"#[..], br#"{"architecture":""}"#, b"{}", b"not json"] {
            assert!(!leaves_out(config, &wanted));
        }
        assert!(!leaves_out(br#"{"architecture":"arm64"}"#, &[]));
    }
}
