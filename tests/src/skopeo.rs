//! skopeo, the independent witness.

use std::{path::Path, process::Command};

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
    let output = Command::new("skopeo").arg("--insecure-policy").args(arguments).output().unwrap();
    assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Whether skopeo copies an image with everything below it, its digests kept; why not, if not. It verifies no
/// certificate.
///
/// # Errors
///
/// What skopeo says, if it fails.
pub fn copies(address: &str, path: &str, tag: &str, options: &[&str]) -> Result<(), String> {
    let to = tempfile::tempdir().unwrap();
    let (source, to) = (format!("docker://{address}/{path}:{tag}"), format!("dir:{}", to.path().display()));
    let command = ["copy", "--all", "--preserve-digests", "--src-tls-verify=false"];
    // One that waits for ever says no.
    let mut skopeo = Command::new("timeout");
    skopeo.args(["120", "skopeo", "--insecure-policy"]).args(command).args(options).args([source, to]);
    let output = skopeo.output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
