//! skopeo, the independent witness.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

/// Copies an image with everything below it into a folder, as a client that checks every digest.
pub fn copy_all(address: &str, path: &str, tag: &str, to: &Path) {
    let source = format!("docker://{address}/{path}:{tag}");
    run(&["copy", "--all", "--src-tls-verify=false", &source, &format!("dir:{}", to.display())]);
}

/// An image's manifest, byte for byte.
pub fn inspect_raw(address: &str, path: &str, tag: &str) -> Vec<u8> {
    run(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{address}/{path}:{tag}")])
}

fn run(arguments: &[&str]) -> Vec<u8> {
    said(&mut skopeo(arguments)).unwrap_or_else(|why| panic!("skopeo {arguments:?}: {why}"))
}

/// The tags that skopeo lists, each once. For it, null is a tag without a name; such are left out.
///
/// # Errors
///
/// What skopeo says, if it fails.
pub fn tags(address: &str, path: &str) -> Result<Vec<String>, String> {
    let output = said(&mut skopeo(&["list-tags", "--tls-verify=false", &format!("docker://{address}/{path}")]))?;
    let listed: Value = serde_json::from_slice(&output).unwrap();
    let named = listed["Tags"].as_array().unwrap().iter().filter_map(Value::as_str).filter(|tag| !tag.is_empty());
    Ok(named.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect())
}

/// Whether skopeo copies what a tag or digest names, with everything below it, its digests kept; why not, if not. It
/// verifies no certificate.
///
/// # Errors
///
/// What skopeo says, if it fails.
pub fn copies(address: &str, path: &str, reference: &str, options: &[&str]) -> Result<(), String> {
    let to = tempfile::tempdir().unwrap();
    let separator = if reference.contains(':') { '@' } else { ':' };
    let source = format!("docker://{address}/{path}{separator}{reference}");
    let to = format!("dir:{}", to.path().display());
    let command = ["copy", "--all", "--preserve-digests", "--src-tls-verify=false"];
    said(skopeo(&command).args(options).args([source, to])).map(drop)
}

/// A call of skopeo; one that waits for ever says no.
fn skopeo(arguments: &[&str]) -> Command {
    let mut skopeo = Command::new("timeout");
    skopeo.args(["120", "skopeo", "--insecure-policy"]).args(arguments);
    skopeo
}

fn said(skopeo: &mut Command) -> Result<Vec<u8>, String> {
    let output = skopeo.output().unwrap();
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
