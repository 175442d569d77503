//! Sources of each tool, with every form that their documentation has: what is said of them, and the documents that come of
//! them. Set `MOORAGE_WRITE_GOLDEN=1` to have the golden files written anew.

use std::{
    fs,
    path::{Path, PathBuf},
};

use moorage_domain::Timestamp;

use super::{
    document,
    draft::{Draft, Import},
    harbor, image_syncer,
    options::Options,
    regsync, skopeo,
};

/// A file beside the golden ones.
pub(super) fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/import").join(name)
}

/// Options as the command line has them without any.
pub(super) fn options() -> Options {
    Options {
        organization: None,
        renames: Vec::new().into_iter().collect(),
        robot: "mirror".to_owned(),
        is_enabled: false,
        spread: 3_600,
        now: Timestamp::parse_iso("2026-11-29T12:00:00Z").unwrap(),
    }
}

/// Holds an import against its golden files, and against what no import may have.
pub(super) fn holds(name: &str, import: &Import) {
    let report = import.report.lines().into_iter().map(|(indent, line)| format!("{}{line}\n", " ".repeat(indent)));
    let document = document::text(&import.declaration).unwrap();
    for (ending, text) in [("report", report.collect::<String>()), ("document", document)] {
        assert!(!text.contains("hunter2"), "a secret is shown: {text}");
        let path = input(&format!("{name}.{ending}"));
        if std::env::var_os("MOORAGE_WRITE_GOLDEN").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let parsed = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
        // In which order a selection's fields are depends on what serde_json was built with.
        if ending == "document" && parsed(&text) == parsed(&golden) {
            continue;
        }
        assert_eq!(text, golden, "{}", path.display());
    }
    assert!(!import.report.json().to_string().contains("hunter2"));
    // What has become something is in the document, and nothing else is said to be.
    let keys: Vec<_> = import.declaration.keys().map(ToString::to_string).collect();
    for element in import.report.entries.iter().flat_map(|entry| &entry.elements) {
        assert!(keys.contains(element), "{element} is in no document");
    }
}

#[test]
fn regsyncs_file() {
    let mut draft = Draft::new(None);
    let organization = Some("images".parse().unwrap());
    regsync::import(&input("regsync.yaml"), &Options { organization, ..options() }, &mut draft).unwrap();
    holds("regsync", &draft.end("regsync").unwrap());
}

#[test]
fn skopeos_file() {
    let options = Options { organization: Some("acme".parse().unwrap()), ..options() };
    let mut draft = Draft::new(None);
    skopeo::import(&input("skopeo-sync.yaml"), false, &options, &mut draft).unwrap();
    holds("skopeo-sync", &draft.end("skopeo-sync").unwrap());
    let mut draft = Draft::new(None);
    skopeo::import(&input("skopeo-sync.yaml"), true, &options, &mut draft).unwrap();
    let import = draft.end("skopeo-sync").unwrap();
    let names: Vec<_> = import.declaration.keys().map(ToString::to_string).collect();
    assert!(names.contains(&"mirror acme/docker.io/library/redis".to_owned()), "{names:?}");
    let mut draft = Draft::new(None);
    let without = skopeo::import(&input("skopeo-sync.yaml"), false, &self::options(), &mut draft);
    assert!(without.unwrap_err().to_string().contains("--organization"));
}

#[test]
fn image_syncers_files() {
    let mut draft = Draft::new(None);
    image_syncer::import(&input("image-syncer.json"), None, &options(), &mut draft).unwrap();
    holds("image-syncer", &draft.end("image-syncer").unwrap());
    let mut draft = Draft::new(None);
    let auth = input("image-syncer-auth.yaml");
    image_syncer::import(&input("image-syncer-images.yaml"), Some(&auth), &options(), &mut draft).unwrap();
    holds("image-syncer-images", &draft.end("image-syncer").unwrap());
}

#[test]
fn harbors_rules() {
    let options = Options { is_enabled: true, ..options() };
    let mut draft = Draft::new(None);
    harbor::import(&input("harbor.json"), &options, &mut draft).unwrap();
    holds("harbor", &draft.end("harbor").unwrap());
}

#[test]
fn secrets_may_be_in_files_that_only_their_owner_reads() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = std::env::temp_dir().join(format!("moorage-import-{}", std::process::id()));
    let mut draft = Draft::new(Some(&folder));
    image_syncer::import(&input("image-syncer.json"), None, &options(), &mut draft).unwrap();
    let import = draft.end("image-syncer").unwrap();
    assert!(!document::text(&import.declaration).unwrap().contains("hunter2"));
    let written = document::write_secrets(&import).unwrap();
    let texts: Vec<_> = written.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts, ["hunter2-of-quay", "hunter2-of-the-other"]);
    for path in &written {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_same_source_becomes_the_same_document() {
    let text = |now: &str| {
        let options = Options { now: Timestamp::parse_iso(now).unwrap(), is_enabled: true, ..options() };
        let mut draft = Draft::new(None);
        harbor::import(&input("harbor.json"), &options, &mut draft).unwrap();
        document::text(&draft.end("harbor").unwrap().declaration).unwrap()
    };
    assert_eq!(text("2026-11-29T12:00:00Z"), text("2027-05-01T00:00:00Z"));
}
