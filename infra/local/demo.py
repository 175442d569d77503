"""The story of a mirror, on this machine: push samples to a registry, mirror them, pull them back, compare.

Uses a stack of its own on free ports and leaves nothing running.
"""
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(os.environ.get("MOORAGE_LOCAL", ROOT / "target" / "demo")).resolve()
os.environ["MOORAGE_LOCAL"] = str(FOLDER)
for variable in ("MOORAGE_PORT", "MOORAGE_AWS_PORT", "MOORAGE_UPSTREAM_PORT"):
    os.environ.setdefault(variable, "auto")

import images  # noqa: E402
import servers  # noqa: E402
import stack  # noqa: E402

RULE = ["v*", "latest"]
MIRRORED = ["latest", "v1", "v2", "v3", "v4"]
SYNC_SECONDS = 120


def main():
    say("Starting the stack: the template and the functions on an emulator of AWS, and a registry:2")
    stack.up()
    env = read_env(FOLDER / "env")
    upstream = env["MOORAGE_UPSTREAM"]
    say(f"Pushing sample images to the external registry {upstream}/samples/app")
    images.push_samples(f"http://{upstream}", "samples/app")
    create_mirror(env)
    sync(env)
    say("Pulling the images back, from a stock registry over the bucket")
    stock = serve_bucket(env)
    compare(upstream, stock)


def create_mirror(env):
    say(f"Creating organization, robot, repository and mirror through the API; the rule is {', '.join(RULE)}")
    call(env, "POST", "organization/", {"name": "acme", "email": "ops@example.com"})
    call(env, "PUT", "organization/acme/robots/mirror", {"description": "writes the mirror"})
    call(env, "POST", "repository", {
        "namespace": "acme", "repository": "app", "visibility": "private", "description": "", "repo_kind": "image"})
    call(env, "POST", "repository/acme/app/mirror", {
        "external_reference": f"{env['MOORAGE_UPSTREAM']}/samples/app",
        "external_registry_config": {"verify_tls": False},
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": RULE},
        "sync_interval": 86400,
        "sync_start_date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400)),
        "skopeo_timeout_interval": 300,
        "robot_username": "acme+mirror",
    })


def sync(env):
    say("Sync Now")
    call(env, "POST", "repository/acme/app/mirror/sync-now", {})
    deadline, shown = time.monotonic() + SYNC_SECONDS, None
    while time.monotonic() < deadline:
        status = call(env, "GET", "repository/acme/app/mirror")["sync_status"]
        for run in call(env, "GET", "repository/acme/app/mirror/runs?limit=1")["runs"]:
            line = (f"  {status:<8} tags {run['tags_done']}/{run['tags_total']}, "
                    f"{run['bytes_done'] / 1e6:.1f} of {run['bytes_total'] / 1e6:.1f} MB")
            if line != shown:
                print(line, flush=True)
            shown = line
        if status == "SUCCESS":
            return
        if status == "FAIL":
            raise SystemExit(f"demo: the sync failed: {json.dumps(run['failure'])}; the stack's logs are in {FOLDER}")
        time.sleep(0.2)
    raise SystemExit(f"demo: the sync did not end within {SYNC_SECONDS} s; the stack's logs are in {FOLDER}")


def serve_bucket(env):
    port = servers.free_port()
    storage = {"s3": {
        "region": env["AWS_REGION"], "regionendpoint": env["AWS_ENDPOINT_URL"], "bucket": env["MOORAGE_BUCKET"],
        "forcepathstyle": True, "v4auth": True, "secure": False,
        "accesskey": env["AWS_ACCESS_KEY_ID"], "secretkey": env["AWS_SECRET_ACCESS_KEY"],
    }}
    # The emulator is not where clients look for S3, so the registry hands blobs out itself.
    servers.registry(FOLDER, "stock", port, {**storage, "redirect": {"disable": True}}, read_only=True)
    return f"127.0.0.1:{port}"


def compare(upstream, stock):
    listed = json.loads(urllib.request.urlopen(f"http://{stock}/v2/acme/app/tags/list").read())["tags"]
    if sorted(listed) != MIRRORED:
        raise SystemExit(f"demo: the mirror has the tags {sorted(listed)} instead of {MIRRORED}")
    print(f"  {'tag':<8} {'digest at the source':<26} {'digest pulled':<26}")
    for tag in MIRRORED:
        source = sha256(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{upstream}/samples/app:{tag}"))
        folder = FOLDER / "pulled" / tag
        # skopeo checks the digest of every manifest and blob that it pulls.
        skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{stock}/acme/app:{tag}", f"dir:{folder}")
        pulled = sha256((folder / "manifest.json").read_bytes())
        print(f"  {tag:<8} {source[:25]:<26} {pulled[:25]:<26} {'equal' if source == pulled else 'DIFFERENT'}")
        if source != pulled:
            raise SystemExit(f"demo: {tag} was not mirrored byte for byte")
    say(f"All {len(MIRRORED)} tags were mirrored and pulled back unchanged; nightly was left out by the rule")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def skopeo(*arguments):
    (FOLDER / "pulled").mkdir(exist_ok=True)
    result = subprocess.run(["skopeo", "--insecure-policy", *arguments], capture_output=True, check=False)
    if result.returncode:
        raise SystemExit(f"demo: skopeo {arguments[0]} failed: {result.stderr.decode().strip()}")
    return result.stdout


def call(env, method, path, body=None):
    headers = {"Authorization": f"Bearer {env['MOORAGE_TOKEN']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{env['MOORAGE_URL']}/api/v1/{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"demo: {method} {path} was answered with {error.code}: {error.read().decode()}") from None
    return json.loads(answer) if answer else None


def read_env(file):
    assignments = (word for word in shlex.split(file.read_text()) if "=" in word)
    return dict(assignment.split("=", 1) for assignment in assignments)


def say(text):
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except servers.Problem as problem:
        raise SystemExit(f"demo: {problem}")
    finally:
        servers.stop(FOLDER)
        if left := servers.alive(servers.marked(FOLDER)):
            print(f"demo: these processes would not end: {left}", file=sys.stderr)
