//! Which enums there are that are written somewhere.

use std::{collections::BTreeSet, fs, path::Path};

/// The enums of a folder that are written.
pub(crate) fn written(folder: &Path, found: &mut BTreeSet<String>) {
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
