"""Whether each function's bill of materials is valid CycloneDX, and has exactly the crates that cargo links into it.

    bills.py
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "infra"))

import sbom  # noqa: E402

# What is, and what is not, in a function's binary, whoever else needs it.
HAS = {"sync": {"reqwest", "moorage-upstream"}, "registry": {"moorage-storage", "aws-sdk-s3"}}
LACKS = {
    "registry": {"reqwest", "moorage-upstream", "moorage-tests"}, "api": {"aws-sdk-s3", "moorage-storage"},
    "console": {"aws-sdk-dynamodb", "oxc_minifier"},
}


def linked():
    """The crates in each function's binary, by cargo's plan of what it compiles: none of it is how the bills are made. The
    plan is an unstable option, which the variable allows; nothing is compiled."""
    command = ["cargo", "build", "--locked", "--workspace", "--bins", "--unit-graph", "-Zunstable-options"]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, env={**os.environ, "RUSTC_BOOTSTRAP": "1"})
    units = json.loads(ran.stdout)["units"]

    def is_linked(unit):
        return unit["mode"] == "build" and not {"proc-macro", "custom-build"} & set(unit["target"]["kind"])

    for root in units:
        if root["target"]["kind"] == ["bin"] and root["target"]["src_path"].startswith(str(ROOT / "functions")):
            found, left = set(), [root]
            while left:
                unit = left.pop()
                name = named(unit["pkg_id"])
                if is_linked(unit) and name not in found:
                    found.add(name)
                    left += [units[it["index"]] for it in unit["dependencies"]]
            yield root["target"]["name"].removeprefix("moorage-"), found


def named(package):
    """`registry+…#name@version`, or `path+file:///…/folder#version` where the folder has the name."""
    place, _, last = package.partition("#")
    return last if "@" in last else f"{place.rsplit('/', 1)[1]}@{last}"


def main():
    expected, validator = dict(linked()), JsonStrictValidator(SchemaVersion.V1_6)
    with tempfile.TemporaryDirectory() as folder:
        sbom.write(pathlib.Path(folder))
        files = sorted(pathlib.Path(folder).iterdir())
        again = [it.read_bytes() for it in files]
        sbom.write(pathlib.Path(folder))
        assert again == [it.read_bytes() for it in files], "the same sources give the same files"
        bills = {it.name.removesuffix(".cdx.json"): it.read_text() for it in files}
    assert bills.keys() == expected.keys() == {it.parents[1].name for it in ROOT.glob("functions/*/src/main.rs")}, bills.keys()
    for function, text in bills.items():
        if wrong := validator.validate_str(text):
            sys.exit(f"bills: {function}: {wrong}")
        bill = json.loads(text)
        components = [*bill["components"], bill["metadata"]["component"]]
        said = {f"{it['name']}@{it['version']}" for it in components}
        assert said == expected[function], f"{function}: {sorted(said ^ expected[function])}"
        names = {it["name"] for it in components}
        assert HAS.get(function, set()) <= names and not LACKS.get(function, set()) & names, f"{function}: {sorted(names)}"
        for it in components:
            assert it["licenses"] and ("purl" in it) == ("hashes" in it) == (not it["name"].startswith("moorage-")), it
        references = {it["bom-ref"] for it in components}
        assert {it["ref"] for it in bill["dependencies"]} == references, function
        assert all(references >= set(it["dependsOn"]) for it in bill["dependencies"]), function
    print(f"bills: {', '.join(f'{name} {len(it)}' for name, it in sorted(expected.items()))} crates, as cargo links them")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"bills: {error}")
