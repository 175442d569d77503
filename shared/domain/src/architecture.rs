//! Which parts of a multi-architecture image a mirror keeps: Quay's `architecture_filter`.
//!
//! The index itself stays as it is, byte for byte, so that its digest holds; what other architectures need is left out.

use crate::{
    Digest,
    json::Reader,
    manifest::{Descriptor, Refusal, merged},
};

/// The architectures that a filter may name, as in Quay.
pub const ARCHITECTURES: [&str; 4] = ["amd64", "arm64", "ppc64le", "s390x"];

/// What of an index a filter keeps, each digest once, in their order: entries of the wanted architectures, attestations
/// of those, and entries that are of no architecture, such as nested indexes. A digest is kept if any of its entries is.
/// An empty filter keeps all. An index none of whose architectures is wanted is refused, as in Quay; so is one that keeps
/// what must not be given on, or says two things of one content that cannot both be true.
pub fn select(entries: &[Descriptor], wanted: &[String]) -> Result<Vec<Descriptor>, Refusal> {
    if wanted.is_empty() {
        return merged(entries);
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
    merged(entries.iter().filter(keep))
}

/// Whether a filter leaves out a single-architecture image with this config. Configs that name no architecture, as
/// those of artifacts, are of none.
pub fn leaves_out(config: &[u8], wanted: &[String]) -> bool {
    let mut architecture = String::new();
    let read = Reader::new(config).and_then(|mut reader| {
        reader.fields(&["architecture"], |reader, _| {
            if let Some(name) = reader.text()? {
                architecture = name.into_owned();
            }
            Ok(())
        })
    });
    if read.is_err() {
        return false;
    }
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
                entry["annotations"] =
                    serde_json::json!({"vnd.docker.reference.digest": Digest::sha256(subject.as_bytes())});
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
    fn a_digest_is_kept_if_any_of_its_entries_is() {
        let shared = [
            ("a", Some("amd64"), None),
            ("a", Some("arm64"), None),
            ("a", Some("unknown"), Some("other")),
            ("attestation of a", Some("unknown"), Some("a")),
            ("b", Some("s390x"), None),
        ];
        let digests = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            select(&entries(&shared), &wanted).unwrap().into_iter().map(|kept| kept.digest).collect::<Vec<_>>()
        };
        let [a, about, b] = ["a", "attestation of a", "b"].map(|content| Digest::sha256(content.as_bytes()));
        assert_eq!(digests(&["amd64"]), [a.clone(), about.clone()]);
        assert_eq!(digests(&["arm64"]), [a.clone(), about.clone()]);
        assert_eq!(digests(&["arm64", "s390x"]), [a.clone(), about.clone(), b.clone()]);
        assert_eq!(digests(&["s390x"]), std::slice::from_ref(&b));
        assert_eq!(digests(&[]), [a, about, b]);
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
