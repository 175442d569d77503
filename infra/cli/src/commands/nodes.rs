//! `nodes`.

use std::collections::BTreeMap;

use moorage_client::Address;
use moorage_domain::{Origin, RepositoryName};
use serde_json::{Value, json};

use crate::{
    arguments::{NodeFile, Nodes},
    context::Context,
    error::CliError,
    exit::Exit,
    output::note,
};

/// Where containerd looks for what it is to do with every registry.
const HOSTS: &str = "/etc/containerd/certs.d/_default/hosts.toml";
/// Where podman and CRI-O look.
const REGISTRIES: &str = "/etc/containers/registries.conf.d/moorage.conf";

/// The mirrors of each repository, by what clients call that.
type Mirrors = BTreeMap<String, Vec<RepositoryName>>;

pub(super) async fn run(asked: &Nodes, context: &Context) -> Result<Exit, CliError> {
    let (client, address, screen) = (context.client()?, context.address()?, context.screen);
    let hosts = hosts(&address);
    if asked.file == Some(NodeFile::Hosts) && !screen.is_json() {
        // It is the same whatever there is.
        screen.raw(hosts.as_bytes())?;
        return Ok(Exit::Done);
    }
    let most = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let found = client.pages("mirror/overview?limit=100", "mirrors", most).await?;
    let registries = registries(&address, &mirrors(&found.entries));
    if screen.is_json() {
        let files = json!({"hosts_toml": hosts, "registries_conf": registries, "is_more": found.is_more});
        screen.json(&files)?;
        return Ok(Exit::Done);
    }
    let text = match asked.file {
        Some(_) => registries,
        None => format!("# {HOSTS}\n{hosts}\n# {REGISTRIES}\n{registries}"),
    };
    screen.raw(text.as_bytes())?;
    if found.is_more {
        note("There are more mirrors: --limit says how many are listed.");
    }
    Ok(Exit::Done)
}

/// Which repositories are mirrored, of those mirrors that can be understood.
fn mirrors(found: &[Value]) -> Mirrors {
    let mut mirrors = Mirrors::new();
    for mirror in found {
        let text = |name: &str| mirror[name].as_str().unwrap_or_default();
        let name = RepositoryName::new(text("namespace"), text("repository"));
        if let (Ok(name), Ok(origin)) = (name, text("external_reference").parse::<Origin>()) {
            mirrors.entry(origin.reference()).or_default().push(name);
        }
    }
    // Those of one repository are asked in the order of their names here, too.
    for names in mirrors.values_mut() {
        names.sort_unstable();
    }
    mirrors
}

/// containerd's file.
fn hosts(address: &Address) -> String {
    format!("[host.\"{}\"]\n  capabilities = [\"pull\", \"resolve\"]\n", address.root())
}

/// Podman's file. Names hold nothing that a text of TOML would take for its end.
fn registries(address: &Address, mirrors: &Mirrors) -> String {
    let root = address.root();
    let host = root.split_once("://").map_or(root.as_str(), |(_, host)| host);
    let insecure = if address.is_encrypted() { "" } else { "insecure = true\n" };
    let mirror = |name: &RepositoryName| format!("\n[[registry.mirror]]\nlocation = \"{host}/{name}\"\n{insecure}");
    let entry = |(original, names): (&String, &Vec<RepositoryName>)| {
        let mirrors: String = names.iter().map(mirror).collect();
        format!("[[registry]]\nlocation = \"{original}\"\n{mirrors}")
    };
    mirrors.iter().map(entry).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people copy.
    const PAGE: &str = include_str!("../../../../functions/registry/NODES.md");

    fn address(url: &str) -> Address {
        Address::parse(url, false).unwrap()
    }

    fn mirror(name: &str, reference: &str) -> Value {
        let (namespace, repository) = name.split_once('/').unwrap();
        json!({"namespace": namespace, "repository": repository, "external_reference": reference})
    }

    #[test]
    fn the_files_are_those_of_the_page() {
        let address = address("https://moorage.example.com");
        let found = mirrors(&[mirror("acme/nginx", "docker.io/nginx")]);
        for file in [hosts(&address), registries(&address, &found)] {
            assert!(PAGE.contains(&format!("```toml\n{file}```\n")), "{file}");
        }
        for place in [HOSTS, REGISTRIES] {
            assert!(PAGE.contains(place), "{place}");
        }
    }

    #[test]
    fn each_repository_has_one_entry() {
        let found = mirrors(&[
            mirror("b/nginx", "registry-1.docker.io/library/nginx"),
            mirror("a/nginx", "docker.io/nginx"),
            mirror("a/app", "Quay.io:443/acme/app"),
            mirror("a/later", ""),
        ]);
        let file = registries(&address("http://localhost:8080/"), &found);
        let expected = "[[registry]]
location = \"docker.io/library/nginx\"

[[registry.mirror]]
location = \"localhost:8080/a/nginx\"
insecure = true

[[registry.mirror]]
location = \"localhost:8080/b/nginx\"
insecure = true

[[registry]]
location = \"quay.io/acme/app\"

[[registry.mirror]]
location = \"localhost:8080/a/app\"
insecure = true
";
        assert_eq!(file, expected);
        assert_eq!(registries(&address("https://h"), &Mirrors::new()), "");
    }
}
