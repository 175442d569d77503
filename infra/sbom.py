"""Writes what each function is made of: a software bill of materials, in CycloneDX 1.6.

    sbom.py FOLDER [TARGET]      FOLDER/<function>.cdx.json, for the machine TARGET, or this one

A function's components are the crates that its binary links, as cargo resolves them when all functions are built together,
which is how they are deployed: features of one are features of all. Build scripts, macros and tests are in no binary. The
same sources give the same file.
"""
import json
import pathlib
import subprocess
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def run(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def cargo(*arguments):
    return run("cargo", *arguments)


def linked(target):
    """What each crate of the workspace links: the crates that it needs, by (name, version)."""
    tree = cargo("tree", "--locked", "--workspace", "--edges", "normal,no-proc-macro", "--target", target,
                 "--prefix", "depth", "--format", " {p}")
    needs, path = {}, []
    for line in filter(None, tree.splitlines()):
        depth, name, version = line.split()[:3]
        crate = (name, version.removeprefix("v"))
        # A crate that was shown before is shown without what it needs.
        needs.setdefault(crate, set())
        path = [*path[:int(depth)], crate]
        if len(path) > 1:
            needs[path[-2]].add(crate)
    return needs


def reached(needs, crate):
    found, left = set(), [crate]
    while left:
        if (it := left.pop()) not in found:
            found.add(it)
            left += needs[it]
    return found


def packages(target):
    """What cargo knows of each crate, by (name, version)."""
    listed = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))["packages"]
    return {(it["name"], it["version"]): it for it in listed}


def checksums():
    """The SHA-256 of each crate that comes from a registry, by (name, version)."""
    found, crate = {}, {}
    for line in (ROOT / "Cargo.lock").read_text().splitlines():
        key, _, value = line.partition(" = ")
        crate = {} if line == "[[package]]" else {**crate, key: value.strip('"')}
        if key == "checksum":
            found[crate["name"], crate["version"]] = crate["checksum"]
    return found


def component(crate, package, checksum):
    name, version = crate
    said = {"type": "library", "bom-ref": reference(crate, package), "name": name, "version": version}
    if package["license"]:
        # Older crates write `/` for what is `OR` today.
        said["licenses"] = [{"expression": " OR ".join(it.strip() for it in package["license"].split("/"))}]
    if checksum:
        said["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["source"]:
        said["purl"] = reference(crate, package)
    return said


def reference(crate, package):
    # Ours are in no registry.
    return f"{'pkg:cargo/' if package['source'] else ''}{crate[0]}@{crate[1]}"


def bill(function, needs, known, sums, cargo_version):
    """One function's document."""
    crates = sorted(reached(needs, function))
    components = {it: component(it, known[it], sums.get(it)) for it in crates}
    document = {
        "$schema": SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": "cargo", "version": cargo_version}]},
            "component": {**components.pop(function), "type": "application"},
        },
        "components": list(components.values()),
        "dependencies": [
            {"ref": reference(it, known[it]), "dependsOn": sorted(reference(on, known[on]) for on in needs[it])}
            for it in crates],
    }
    content = json.dumps(document, sort_keys=True)
    return {**document, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"}


def write(folder, target=None):
    """Writes the document of each function."""
    target = target or run("rustc", "--print", "host-tuple").strip()
    needs, known, sums, cargo_version = linked(target), packages(target), checksums(), cargo("--version").split()[1]
    folder.mkdir(parents=True, exist_ok=True)
    for main in sorted(ROOT.glob("functions/*/src/main.rs")):
        function = main.parents[1].name
        crate = next(it for it in needs if it[0] == f"moorage-{function}")
        document = bill(crate, needs, known, sums, cargo_version)
        (folder / f"{function}.cdx.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    write(pathlib.Path(sys.argv[1]), *sys.argv[2:])
