"""The deployment's API and registry, as clients call them."""
import base64
import http.client
import json
import pathlib
import shutil
import subprocess
import time
import urllib.parse


class Problem(Exception):
    """A step did not come to what it should."""


class Deployment:
    """A deployed stack, at the address where clients reach it."""

    def __init__(self, name, outputs, url, token):
        self.name, self.outputs, self.url, self.token = name, outputs, url.rstrip("/"), token
        self.host = urllib.parse.urlsplit(self.url).netloc
        self.is_plain = self.url.startswith("http://")

    def call(self, method, path, body=None):
        """Calls the management API, and returns what it answers."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        answer = self.ask(method, f"/api/v1/{path}", headers, None if body is None else json.dumps(body))
        if answer.status >= 300:
            raise Problem(f"{method} {path} was answered with {answer.status}: {answer.body.decode(errors='replace')[:500]}")
        return json.loads(answer.body) if answer.body else None

    def ask(self, method, path, headers=None, body=None):
        return ask(method, self.url + path, headers, body)

    def mirror(self, organization, image, config, rule):
        """Makes an organization, its robot, and a mirror of an image's repository. Returns the robot's credentials."""
        self.call("POST", "organization/", {"name": organization, "email": "ops@example.com"})
        robot = self.call("PUT", f"organization/{organization}/robots/mirror", {"description": "writes the mirror"})
        self.call("POST", "repository", {
            "namespace": organization, "repository": "app", "visibility": "private", "description": "",
            "repo_kind": "image"})
        self.call("POST", f"repository/{organization}/app/mirror", {
            "external_reference": image, "external_registry_config": config,
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": rule}, "sync_interval": 86400,
            "sync_start_date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400)),
            "skopeo_timeout_interval": 300, "robot_username": f"{organization}+mirror"})
        return f"{robot['name']}:{robot['token']}"

    def state(self, organization):
        return self.call("GET", f"repository/{organization}/app/mirror")

    def last_run(self, organization):
        runs = self.call("GET", f"repository/{organization}/app/mirror/runs?limit=1")["runs"]
        return runs[0] if runs else None

    def sync_now(self, organization):
        self.call("POST", f"repository/{organization}/app/mirror/sync-now", {})

    def sync(self, organization, seconds):
        """Syncs, and returns the run."""
        self.sync_now(organization)
        return self.until_synced(organization, seconds)

    def until_synced(self, organization, seconds):
        status = eventually(
            f"the sync of {organization} ends", seconds, lambda: self.state(organization)["sync_status"],
            lambda status: status in ("SUCCESS", "FAIL"))
        run = self.last_run(organization)
        if status != "SUCCESS":
            raise Problem(f"the sync of {organization} failed: {json.dumps(run)}")
        return run


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()


def ask(method, url, headers=None, body=None):
    """One request, whose answer may be anything; no redirect is followed."""
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=60)
    try:
        connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def basic(credentials):
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


def eventually(what, seconds, look, is_it=bool):
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not is_it(seen := look()):
        if time.monotonic() > deadline:
            raise Problem(f"not within {seconds} s: {what}: {seen}")
        time.sleep(0.3)
    return seen


def skopeo(*arguments):
    if not shutil.which("skopeo"):
        raise Problem("skopeo is missing: it pulls, and compares")
    ran = subprocess.run(["skopeo", "--insecure-policy", *arguments], capture_output=True, check=False)
    if ran.returncode:
        raise Problem(f"skopeo {arguments[0]} failed: {ran.stderr.decode().strip()}")
    return ran.stdout


def raw(reference, is_plain, credentials=None):
    """The manifest that a tag has, as its registry gives it."""
    login = ["--creds", credentials] if credentials else ["--no-creds"]
    return skopeo("inspect", "--raw", f"--tls-verify={'false' if is_plain else 'true'}", *login, f"docker://{reference}")


def pull(reference, is_plain, credentials, folder):
    """Pulls all of an image, which skopeo checks digest by digest, and returns its manifest."""
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)
    skopeo("copy", "--all", f"--src-tls-verify={'false' if is_plain else 'true'}", "--src-creds", credentials,
           f"docker://{reference}", f"dir:{folder}")
    return (pathlib.Path(folder) / "manifest.json").read_bytes()
