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
    say("Pulling the images back: from Moorage with the robot's token, and from a stock registry over the bucket")
    stock = serve_bucket(env)
    compare(upstream, {"Moorage": moorage(env), "the stock registry": stock})


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


def moorage(env):
    """Our own registry, and the credentials for it."""
    robot = call(env, "GET", "organization/acme/robots/mirror")
    return env["MOORAGE_URL"].removeprefix("http://"), f"{robot['name']}:{robot['token']}"


def serve_bucket(env):
    port = servers.free_port()
    servers.serve(FOLDER, "stock", port, ROOT / "infra" / "registry" / "registry-2.8.yml", {
        "REGISTRY_STORAGE_S3_BUCKET": env["MOORAGE_BUCKET"], "REGISTRY_STORAGE_S3_REGION": env["AWS_REGION"],
        # The emulator's.
        "REGISTRY_STORAGE_S3_REGIONENDPOINT": env["AWS_ENDPOINT_URL"], "REGISTRY_STORAGE_S3_SECURE": "false",
        "REGISTRY_STORAGE_S3_FORCEPATHSTYLE": "true", "AWS_ACCESS_KEY_ID": env["AWS_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": env["AWS_SECRET_ACCESS_KEY"],
    })
    return f"127.0.0.1:{port}", None


def compare(upstream, registries):
    for name, (address, credentials) in registries.items():
        login = ["--creds", credentials] if credentials else ["--no-creds"]
        listed = skopeo("list-tags", "--tls-verify=false", *login, f"docker://{address}/acme/app")
        if sorted(json.loads(listed)["Tags"]) != MIRRORED:
            raise SystemExit(f"demo: {name} has the tags {listed} instead of {MIRRORED}")
    print(f"  {'tag':<8} {'digest at the source':<26}" + "".join(f" {'from ' + name:<26}" for name in registries))
    for tag in MIRRORED:
        source = sha256(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{upstream}/samples/app:{tag}"))
        line = f"  {tag:<8} {source[:25]:<26}"
        for name, (address, credentials) in registries.items():
            folder = FOLDER / "pulled" / name / tag
            folder.mkdir(parents=True)
            login = ["--src-creds", credentials] if credentials else ["--src-no-creds"]
            # skopeo checks the digest of every manifest and blob that it pulls.
            skopeo("copy", "--all", "--src-tls-verify=false", *login, f"docker://{address}/acme/app:{tag}", f"dir:{folder}")
            pulled = sha256((folder / "manifest.json").read_bytes())
            line += f" {pulled[:25]:<26}"
            if source != pulled:
                raise SystemExit(f"{line}\ndemo: {tag} from {name} is not what the source has")
        print(f"{line} equal", flush=True)
    say(f"All {len(MIRRORED)} tags were mirrored and pulled back unchanged; nightly was left out by the rule")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def skopeo(*arguments):
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
