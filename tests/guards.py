#!/usr/bin/env python3
"""Plants what .ci/guards is to find in a copy of the tree, one thing after the other, and looks whether it is found."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def copy(to):
    """What the guards look at: the files that git knows, and the script under test."""
    listed = subprocess.run(["git", "ls-files", "-z", "functions", "shared", "infra/cli", "tests", "Cargo.*",
                             ".ci"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def guards(tree):
    """Runs the guards. Returns whether they are content, and what they said."""
    # What is planted in a manifest must be in the lock, too, or cargo refuses to look at either.
    subprocess.run(["cargo", "metadata", "--offline", "--format-version=1"], cwd=tree, check=True, capture_output=True)
    ran = subprocess.run([tree / ".ci/guards"], cwd=tree, capture_output=True, text=True)
    return ran.returncode == 0, ran.stdout + ran.stderr


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def depend(crate, on):
    """Plants a dependency."""
    def plant(tree):
        manifest = tree / crate / "Cargo.toml"
        manifest.write_text(manifest.read_text().replace("[dependencies]\n", f"[dependencies]\n{on}.workspace = true\n", 1))
    return plant


def say(file, text):
    """Plants a line of code."""
    return lambda tree: append(tree / file, f"\n{text}\n")


def circle(a, b, root=""):
    """Plants two files that need each other."""
    def plant(tree):
        source = tree / "shared/storage/src"
        (source / "planted_a.rs").write_text(a)
        (source / "planted_b.rs").write_text(b)
        append(source / "lib.rs", f"\nmod planted_a;\nmod planted_b;\n{root}")
    return plant


# By a path in one, and a tree of `use` in the other.
BY_PATHS = circle("pub(crate) fn a() { crate::planted_b::b() }\n",
                  "use super::{key, planted_a::{self}};\npub(crate) fn b() { planted_a::a() }\n")
# By what the root gives on under another name.
BY_REEXPORT = circle("pub(crate) fn a() { crate::planted_b::b() }\n", "pub(crate) fn b() { crate::given() }\n",
                     "pub(crate) use planted_a::{a as given};\n")
# By a method of a type that the one declares and the other adds to.
BY_METHOD = circle("pub(crate) struct Planted;\nimpl Planted {\n    pub(crate) fn a(&self) { self.b() }\n}\n",
                   "use crate::planted_a::Planted;\nimpl Planted {\n    pub(crate) fn b(&self) {}\n}\n")
# By a method that is called on a parameter.
BY_PARAMETER = circle("pub(crate) struct Planted;\npub(crate) fn a(it: &mut Planted) { it.b() }\n",
                      "use crate::planted_a::Planted;\nimpl Planted {\n    pub(crate) fn b(&self) {}\n}\n")


def parent(tree):
    """Plants a module and one inside it that need each other, and a circle that only a comment, a string and a test
    speak of: none is a circle of files."""
    source = tree / "shared/storage/src"
    (source / "planted").mkdir()
    (source / "planted.rs").write_text("mod inside;\npub(crate) fn a() { inside::b() }\n")
    (source / "planted/inside.rs").write_text("pub(crate) fn b() { super::a() }\n")
    (source / "quoted.rs").write_text(
        '// crate::planted::a()\nconst _: &str = "crate::planted::a";\npub(crate) fn c() {}\n'
        "#[cfg(test)]\nmod tests {\n    use crate::planted;\n}\n"
    )
    append(source / "planted.rs", "pub(crate) fn d() { crate::quoted::c() }\n")
    append(source / "lib.rs", "\nmod planted;\nmod quoted;\n")


# What is planted, and what the guards are to say of it; nothing where it is allowed.
PLANTED = [
    ("nothing", lambda tree: None, None),
    ("a module and what is inside it", parent, None),
    ("a circle of files", BY_PATHS, "planted_a needs planted_b"),
    ("a circle by a re-export", BY_REEXPORT, "planted_b needs planted_a"),
    ("a circle by a method", BY_METHOD, "planted_a needs planted_b"),
    ("a circle by a parameter's method", BY_PARAMETER, "planted_a needs planted_b"),
    ("lambda_http in management", depend("shared/management", "lambda_http"), "moorage-management must not depend on: lambda_http"),
    ("lambda_http in distribution", depend("shared/distribution", "lambda_http"), "moorage-distribution must not depend on: lambda_http"),
    ("lambda_http in the state", depend("shared/state", "lambda_http"), "moorage-state must not depend on: lambda_http"),
    ("lambda_runtime in the engine", depend("shared/engine", "lambda_runtime"), "moorage-engine must not depend on: lambda_runtime"),
    ("a client in the signatures", depend("shared/signatures", "reqwest"), "moorage-signatures must not depend on:"),
    ("S3 in the API", depend("functions/api", "aws-sdk-s3"), "moorage-api must not depend on: aws-sdk-s3"),
    ("the registry client in the API", depend("functions/api", "oci-client"), "moorage-api must not depend on: oci-client"),
    ("identity providers in the registry", depend("functions/registry", "moorage-identity"), "moorage-registry must not depend on:"),
    ("a client of the API's own", say("functions/api/src/main.rs", "// Client::builder()"), "may not be said in"),
    ("the state in the schedule", depend("shared/schedule", "moorage-state"), "moorage-schedule must not depend on: moorage-state"),
    ("another way into what is deployed", depend("shared/resources", "moorage-management"), "moorage-resources must not depend on:"),
    ("a client in what is declared", depend("shared/declaration", "reqwest"), "moorage-declaration must not depend on:"),
    ("the state in the command", depend("infra/cli", "moorage-state"), "moorage-cli must not depend on:"),
    ("a task that nobody owns", say("shared/engine/src/lib.rs", "fn f() { tokio::spawn(async {}); }"), "tasks are started that nobody owns"),
    ("content without a proof", say("shared/engine/src/lib.rs", "// attested"), "attested may not be said in"),
]


def main():
    # Also what this machine does not build: the guards look at all of the lock, without asking anybody.
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=ROOT, check=True)
    failed = 0
    for what, plant, expected in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            copy(tree)
            plant(tree)
            content, said = guards(tree)
            if content != (expected is None) or (expected or "") not in said:
                failed += 1
                print(f"guards: {what}: expected {expected or 'nothing'}, and they said:\n{said}", file=sys.stderr)
    print("guards: what is planted is found" if not failed else f"guards: {failed} of {len(PLANTED)} fail")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
