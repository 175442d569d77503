//! Which enums there are that are written somewhere.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{WITH_ROWS, runs};

/// Those whose values have golden files, which `golden.rs` reads.
const WITH_FILES: [&str; 3] = ["Order", "Task", "TaskAnswer"];

/// The enums of a folder that are written.
fn written(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            written(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut is_written = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                is_written |= line.contains("Serialize");
                continue;
            }
            let name = line.split_once("enum ").and_then(|(_, rest)| rest.split([' ', '<']).next());
            found.extend(name.filter(|_| is_written).map(str::to_owned));
            is_written = false;
        }
    }
}

#[test]
fn each_enum_that_is_written_has_rows_or_files() {
    let mut found = BTreeSet::new();
    written(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let known: BTreeSet<_> =
        WITH_ROWS.iter().chain(runs::WITH_ROWS).chain(&WITH_FILES).map(|&name| name.to_owned()).collect();
    assert_eq!(found, known, "each has rows in `names!`");
}
