//! Documents: YAML or JSON, from files and directories.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use moorage_declaration::{Declaration, Document, Element};

use crate::error::CliError;

/// The largest document, in bytes: some tens of thousands of mirrors.
const LARGEST: u64 = 16 << 20;
/// The most documents: each is read whole.
const MOST: usize = 10_000;
/// How documents in a directory end.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// What all of these declare together.
pub(crate) fn declaration(paths: &[PathBuf]) -> Result<Declaration, CliError> {
    let mut elements = Vec::new();
    for path in files(paths)? {
        elements.extend(read(&path)?);
    }
    Ok(Declaration::new(elements)?)
}

/// The files: each that is named, and those of a directory in the order of their names. `-` is the standard input.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let wrong = |error: std::io::Error| CliError::File { path: path.display().to_string(), why: error.to_string() };
        let entries = fs::read_dir(path).map_err(wrong)?.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let is_document = |path: &PathBuf| {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            ENDINGS.contains(&ending) && path.is_file()
        };
        let mut found: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_document).collect();
        if found.is_empty() {
            let why = "it has no file that ends with .yaml, .yml or .json".to_owned();
            return Err(CliError::File { path: path.display().to_string(), why });
        }
        found.sort();
        files.extend(found);
    }
    if files.len() > MOST {
        return Err(CliError::Document(format!("there are {} documents, and {MOST} are read at most", files.len())));
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<Element>, CliError> {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let wrong = |why: String| CliError::File { path: name.clone(), why };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
    };
    let length = read.map_err(|error| wrong(error.to_string()))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LARGEST {
        return Err(wrong(format!("it is larger than {LARGEST} bytes")));
    }
    let documents = parse(&text).map_err(|error| CliError::Document(format!("{name}{error}")))?;
    let mut elements = Vec::new();
    for document in documents {
        let declared = document.elements();
        elements.extend(declared.map_err(|error| CliError::Document(format!("{name}: {error}")))?);
    }
    Ok(elements)
}

/// The documents of a text. The message of a failure begins with where it is, as `:LINE:COLUMN: `.
fn parse(text: &str) -> Result<Vec<Document>, String> {
    // No line of the text is ever shown: somebody may have written a password into it.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let parsed = serde_saphyr::from_multiple_with_options::<Option<Document>>(text, options);
    match parsed {
        Ok(documents) => Ok(documents.into_iter().flatten().collect()),
        Err(error) => {
            let place = error.location().map_or_else(String::new, |at| format!(":{}:{}", at.line(), at.column()));
            Err(format!("{place}: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_where_it_is_and_no_password_with_it() {
        for (text, place, says) in [
            ("organizations:\n  acme:\n    robos: {}\n", ":3:", "robos"),
            ("organizations:\n  Acme: {}\n", ":2:", "namespace"),
            ("repositories:\n  acme/app:\n    visibility: open\n", ":3:", "open"),
            ("repositories:\n  acme/app:\n    mirror:\n      sync_interval: 60\n", ":4:", "external_reference"),
            ("a: [\n", ":", ""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(place) && error.contains(says), "{text}: {error}");
        }
        let mirror = "repositories:\n  acme/app:\n    mirror:\n      external_reference: quay.io/a/b\n      \
                      robot_username: acme+bot\n      external_registry_password: hunter2\n";
        let error = parse(mirror).unwrap_err();
        assert!(error.starts_with(":6:") && error.contains("named") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_example_is_a_document() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mirrors.yaml");
        let declaration = declaration(&[example]).unwrap();
        let kinds: std::collections::BTreeSet<_> = declaration.keys().map(moorage_declaration::Key::kind).collect();
        assert_eq!(kinds, moorage_declaration::Kind::ALL.into(), "it shows everything");
    }

    #[test]
    fn several_documents_are_one() {
        let text = "organizations: {acme: }\n---\n---\nrepositories:\n  acme/app: {description: yes}\n";
        let documents = parse(text).unwrap();
        let elements: Vec<_> = documents.into_iter().flat_map(|it| it.elements().unwrap()).collect();
        assert_eq!(elements.len(), 2);
        assert!(parse("").unwrap().is_empty());
    }
}
