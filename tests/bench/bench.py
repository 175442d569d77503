"""Benchmarks: Moorage beside what people use, in one run and on one machine.

    bench.py [CASE...]     small multi layer large memory scale mark start
    RUNS=3                 how often each is measured; the table shows medians

Ours is the deployed stack, with release builds, as a user sees it: from Sync Now to SUCCESS. The peers are skopeo as Quay
runs it (`copy --all`, tag by tag) and `skopeo sync`, into a stock registry over the same S3. Both read the same registry
through a proxy that delays each request, limits each connection and counts, and both write through one that counts.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target" / "bench"
os.environ.update(
    MOORAGE_LOCAL=str(FOLDER), MOORAGE_ZIPS=str(ROOT / "target" / "lambda-release"),
    MOORAGE_PORT="auto", MOORAGE_AWS_PORT="auto", MOORAGE_UPSTREAM_PORT="auto")
sys.path.insert(0, str(ROOT / "infra" / "local"))

import images  # noqa: E402
import servers  # noqa: E402
import stack  # noqa: E402

RUNS = int(os.environ.get("RUNS", "3"))
MIB = 1024 * 1024
# Round trip to a registry that is not next door, and what one of its connections gives.
DELAY_MS = 20
CAPPED = 20 * 1000 * 1000
WAIT_SECONDS = 600


class Shape:
    """The shaping proxy in front of a server."""

    def __init__(self, name, target, delay_ms=0, rate=0, port=None):
        self.port = port or servers.free_port()
        self.address = f"127.0.0.1:{self.port}"
        command = [str(ROOT / "target/release/moorage-shape"), self.address, target, str(delay_ms), str(rate)]
        process = servers.start(FOLDER, name, command)
        servers.wait(process, name, f"http://{self.address}/_counts", FOLDER)

    def counts(self):
        return json.loads(urllib.request.urlopen(f"http://{self.address}/_counts").read())


def main(names):
    cases = {"small": small, "multi": multi, "layer": layer, "large": large, "memory": memory, "scale": scale,
             "mark": mark, "start": start}
    chosen = names or list(cases)
    rows = []
    if any(name != "mark" for name in chosen):
        port = servers.free_port()
        os.environ["MOORAGE_FUNCTIONS_ENDPOINT"] = f"http://127.0.0.1:{port}"
        stack.up()
        env = stack_env(port)
    else:
        env = None
    for name in chosen:
        print(f"== {name}", flush=True)
        rows += cases[name](env)
    print()
    print("| case | what | seconds | spread | CPU s | RSS MiB | upstream: requests (manifest GETs), MB | S3 requests |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


# Cases ---------------------------------------------------------------------------------------------------------------
def small(env):
    """100 tags that share a base: first sync, and a sync that finds nothing new."""
    return compared(env, "small", push_small, first=True, again=True)


def multi(env):
    """20 tags of four platforms each."""
    return compared(env, "multi", push_multi, first=True, again=True)


def layer(env):
    """One layer of 400 MB from a registry that gives 20 MB/s a connection."""
    return compared(env, "layer", lambda url, path: push_layers(url, path, 1, 400), rate=CAPPED, runs=1, first=True)


def large(env):
    """1.6 GB in 16 layers, unlimited."""
    return compared(env, "large", lambda url, path: push_layers(url, path, 16, 100), runs=1, first=True)


def memory(env):
    """One layer of 2 GB: the function's memory does not grow with it."""
    return compared(env, "memory", lambda url, path: push_layers(url, path, 1, 2000), runs=1, first=True, peers=False)


def scale(env):
    """1,000 unchanged tags."""
    return compared(env, "scale 1,000", lambda url, path: push_tags(url, path, 1000), runs=1, again=True, peers=False)


def mark(_env):
    """The collector's marks of a million links, and of ten."""
    rows = []
    for links in (1_000_000, 10_000_000):
        command = [str(ROOT / "target/release/examples/mark"), str(links)]
        usage = Usage()
        usage.run(*command)
        wall, cpu, rss = usage.measured()
        rows.append([f"mark {links:,} links", "ours", f"{wall:.2f}", "", f"{cpu:.2f}", f"{rss:.0f}", "", ""])
    return rows


def start(env):
    """Cold starts: from the process to the first question for work; and the size of the code."""
    rows = []
    for name in ("api", "registry", "sync", "gc"):
        binary = ROOT / "target/release" / f"moorage-{name}"
        times = [cold_start(env, binary) for _ in range(10)]
        size = binary.stat().st_size / 1e6
        rows.append([f"start {name}", "ours", f"{statistics.median(times):.3f}",
                     f"{min(times):.3f} to {max(times):.3f}", "", f"{size:.1f} MB binary", "", ""])
    return rows


def compared(env, name, push, rate=0, runs=RUNS, first=False, again=False, peers=True):
    results = {}
    for run in range(runs):
        for tool in [ours] + ([quay, skopeo_sync] if peers else []):
            # Content of its own: who comes second must not find the first one's.
            path = f"{name.split()[0]}-{run}-{tool.__name__.replace('_', '-')}/app"
            push(f"http://{env['MOORAGE_UPSTREAM']}", path)
            shape = f"shape-{path.replace('/', '-')}"
            upstream = Shape(shape, f"http://{env['MOORAGE_UPSTREAM']}", DELAY_MS, rate)
            for what, measured in tool(env, upstream, path, first, again):
                results.setdefault((what, tool.__name__), []).append(measured)
    order = {"ours": 0, "quay": 1, "skopeo_sync": 2}
    keys = sorted(results, key=lambda key: (key[0] != "first", order[key[1]]))
    return [row(f"{name}, {what}", tool, results[what, tool], results[what, "ours"]) for what, tool in keys]


# What is measured ----------------------------------------------------------------------------------------------------
def ours(env, upstream, path, first, again):
    org = f"bench-{uuid.uuid4().hex[:8]}"
    call(env, "POST", "organization/", {"name": org})
    call(env, "PUT", f"organization/{org}/robots/bot")
    call(env, "POST", "repository", {"namespace": org, "repository": "app", "visibility": "private", "description": ""})
    call(env, "POST", f"repository/{org}/app/mirror", {
        "external_reference": f"{upstream.address}/{path}", "external_registry_config": {"verify_tls": False},
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}, "sync_interval": 86400,
        "sync_start_date": "2099-01-01T00:00:00Z", "skopeo_timeout_interval": 300, "robot_username": f"{org}+bot"})
    for what, wanted in (("first", first), ("again", again)):
        drain(env, upstream)
        before, began = cpu_of(env), time.monotonic()
        call(env, "POST", f"repository/{org}/app/mirror/sync-now")
        while (status := call(env, "GET", f"repository/{org}/app/mirror")["sync_status"]) not in ("SUCCESS", "FAIL"):
            if time.monotonic() - began > WAIT_SECONDS:
                raise SystemExit(f"bench: {path} is still {status}")
            time.sleep(0.01)
        wall = time.monotonic() - began
        if status == "FAIL":
            raise SystemExit(f"bench: {call(env, 'GET', f'repository/{org}/app/mirror/runs?limit=1')}")
        cpu, rss = cpu_of(env), rss_of(env)
        if wanted:
            yield what, (wall, cpu - before, rss, upstream.counts(), s3(env))


def quay(env, upstream, path, first, again):
    """As Quay: the list of tags, then one copy after the other."""
    target = f"{uuid.uuid4().hex[:8]}/app"
    for what, wanted in (("first", first), ("again", again)):
        drain(env, upstream)
        usage = Usage()
        listed = usage.skopeo("list-tags", "--tls-verify=false", f"docker://{upstream.address}/{path}")
        for tag in json.loads(listed)["Tags"]:
            usage.skopeo("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false",
                         f"docker://{upstream.address}/{path}:{tag}", f"docker://{env['STOCK']}/{target}:{tag}")
        if wanted:
            yield what, (*usage.measured(), upstream.counts(), s3(env))


def skopeo_sync(env, upstream, path, first, again):
    target = uuid.uuid4().hex[:8]
    for what, wanted in (("first", first), ("again", again)):
        drain(env, upstream)
        usage = Usage()
        usage.skopeo("sync", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "--src", "docker", "--dest",
                     "docker", f"{upstream.address}/{path}", f"{env['STOCK']}/{target}")
        if wanted:
            yield what, (*usage.measured(), upstream.counts(), s3(env))


def row(case, tool, runs, reference):
    walls = [run[0] for run in runs]
    wall = statistics.median(walls)
    ratio = wall / statistics.median([run[0] for run in reference])
    _, cpu, rss, upstream, aws = sorted(runs, key=lambda run: run[0])[len(runs) // 2]
    requests = sum(upstream["requests"].values())
    gets = upstream["requests"].get("GET manifests", 0)
    s3_requests = sum(count for kind, count in aws["requests"].items() if kind.startswith("S3"))
    name = {"ours": "ours", "quay": "skopeo as Quay", "skopeo_sync": "skopeo sync"}[tool]
    return [case, name, f"{wall:.2f}" + ("" if tool == "ours" else f" ({ratio:.1f}×)"),
            f"{min(walls):.2f} to {max(walls):.2f}" if len(walls) > 1 else "one run", f"{cpu:.1f}", f"{rss:.0f}",
            f"{requests} ({gets}), {upstream['bytes'] / 1e6:.1f}", str(s3_requests)]


# Helpers -------------------------------------------------------------------------------------------------------------
def stack_env(port):
    """The stack, with a stock registry over its S3 whose requests are counted as the functions' are."""
    import shlex
    words = (word for word in shlex.split((FOLDER / "env").read_text()) if "=" in word)
    env = dict(word.split("=", 1) for word in words)
    import boto3
    boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL"]).create_bucket(Bucket="stock")
    counting = Shape("shape-aws", env["AWS_ENDPOINT_URL"], port=port)
    env["COUNTING"] = counting
    port = servers.free_port()
    storage = {"s3": {
        "region": env["AWS_REGION"], "regionendpoint": f"http://{counting.address}", "bucket": "stock",
        "forcepathstyle": True, "v4auth": True, "secure": False, "accesskey": "test", "secretkey": "test"}}
    servers.registry(FOLDER, "stock", port, {**storage, "redirect": {"disable": True}})
    env["STOCK"] = f"127.0.0.1:{port}"
    return env


def s3(env):
    return env["COUNTING"].counts()


def drain(env, upstream):
    upstream.counts()
    s3(env)


class Usage:
    """What the processes used that were run one after the other."""

    def __init__(self):
        self.began, self.cpu, self.rss = time.monotonic(), 0.0, 0.0

    def run(self, *command):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
            # What wait4 tells of memory begins with this process's own.
            while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                self.rss = max(self.rss, peak_of(pathlib.Path(f"/proc/{process.pid}")))
                time.sleep(0.01)
            process.returncode = os.waitstatus_to_exitcode(ended[1])
            for file in (out, err):
                file.seek(0)
            if process.returncode:
                raise SystemExit(f"bench: {command[:3]}: {err.read().decode().strip()}")
            self.cpu += ended[2].ru_utime + ended[2].ru_stime
            return out.read()

    def skopeo(self, *arguments):
        return self.run("skopeo", "--insecure-policy", *arguments)

    def measured(self):
        return time.monotonic() - self.began, self.cpu, self.rss


def functions(env):
    """The processes of the sync function."""
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={env['MOORAGE_SYNC_FUNCTION']}".encode()
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == "bootstrap":
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield entry
        except OSError:
            pass


def cpu_of(env):
    ticks = 0
    for process in functions(env):
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_of(env):
    return max((peak_of(process) for process in functions(env)), default=0)


def peak_of(process):
    """The most memory that a process has had so far, in MiB."""
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), default=0)


def cold_start(env, binary):
    """Seconds from the start of a function's process until it asks its runtime for work."""
    import socket
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        import boto3
        name = f"moorage-{binary.name.removeprefix('moorage-')}"
        client = boto3.client("lambda", endpoint_url=env["AWS_ENDPOINT_URL"])
        variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables |= {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}", "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "", "AWS_LAMBDA_LOG_STREAM_NAME": "", "AWS_REGION": env["AWS_REGION"],
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": env["AWS_ENDPOINT_URL"]}
        began = time.monotonic()
        process = subprocess.Popen([str(binary)], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.accept()[0].close()
            return time.monotonic() - began
        finally:
            process.kill()
            process.wait()


def call(env, method, path, body=None):
    headers = {"Authorization": f"Bearer {env['MOORAGE_TOKEN']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{env['MOORAGE_URL']}/api/v1/{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = response.read()
    return json.loads(answer) if answer else None


def push_small(url, path):
    registry, base = images.Registry(url), os.urandom(2 * MIB)
    for tag in range(100):
        push_image(registry, path, [base, os.urandom(20_000), os.urandom(5_000)], f"v{tag:03}")


def push_multi(url, path):
    registry = images.Registry(url)
    for tag in range(20):
        children = [push_image(registry, path, [os.urandom(50_000), os.urandom(5_000)], None, arch)
                    for arch in ("amd64", "arm64", "ppc64le", "s390x")]
        registry.push_list(path, children, tag=f"v{tag:02}")


def push_layers(url, path, count, megabytes):
    push_image(images.Registry(url), path, [os.urandom(megabytes * 1000 * 1000) for _ in range(count)], "v1")


def push_tags(url, path, count):
    """As many tags of a hundred images."""
    registry = images.Registry(url)
    blobs = [os.urandom(1000)]
    for tag in range(count):
        push_image(registry, path, blobs, f"v{tag:05}", note=str(tag % 100))


def push_image(registry, path, layers, tag, arch="amd64", note=""):
    types = images.TYPES["oci"]
    config = json.dumps({"architecture": arch, "os": "linux", "config": {"Labels": {"note": note}},
                         "rootfs": {"type": "layers", "diff_ids": [images.digest(it) for it in layers]}}).encode()
    for blob in [config, *layers]:
        registry.push_blob(path, blob)
    layer_type = types["layer"].removesuffix("+gzip")
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": types["manifest"], "config": images.descriptor(types["config"], config),
        "layers": [images.descriptor(layer_type, blob) for blob in layers]}).encode()
    registry.put_manifest(path, tag or images.digest(manifest), types["manifest"], manifest)
    return {**images.descriptor(types["manifest"], manifest), "platform": {"os": "linux", "architecture": arch}}


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except servers.Problem as problem:
        raise SystemExit(f"bench: {problem}")
    finally:
        servers.stop(FOLDER)
