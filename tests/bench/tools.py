"""Ours and the peers: each mirrors one repository, as often as it is told to."""
import dataclasses
import datetime
import json
import math
import os
import shutil
import time
import uuid

import functions
from measure import ROOT, Sample, Usage, cpu_of, forget_peaks, peak_of, processes

# How often a mirror is synced, and how soon after its start was set.
INTERVAL, DUE = datetime.timedelta(days=1), datetime.timedelta(seconds=3)


class Ours:
    """The deployed stack: Sync Now by its API, until the sync says that it has ended."""
    name, runs = "ours", math.inf

    def __init__(self, bed, upstream, content):
        self.bed, self.upstream = bed, upstream
        org = f"bench-{uuid.uuid4().hex[:8]}"
        # The next start by the schedule is half a day away.
        began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=12)
        self.repository = f"{org}/app"
        bed.call("POST", "organization/", {"name": org})
        bed.call("PUT", f"organization/{org}/robots/bot")
        bed.call("POST", "repository", {
            "namespace": org, "repository": "app", "visibility": "private", "description": ""})
        bed.call("POST", f"repository/{self.repository}/mirror", {
            "external_reference": f"{upstream.address}/{content.repository}",
            "external_registry_config": {"verify_tls": False},
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}, "skopeo_timeout_interval": 300,
            "sync_interval": int(INTERVAL.total_seconds()), "sync_start_date": f"{began:%Y-%m-%dT%H:%M:%SZ}",
            "robot_username": f"{org}+bot"})

    def reader(self):
        """The robot, which may pull from now on."""
        org = self.repository.split("/")[0]
        self.bed.call("PUT", f"repository/{self.repository}/permissions/user/{org}+bot", {"role": "read"})
        return self.bed.call("GET", f"organization/{org}/robots/bot")

    def sync(self):
        """By Sync Now."""
        return self.measured(lambda: self.bed.call("POST", f"repository/{self.repository}/mirror/sync-now"))

    def scheduled(self):
        """By the schedule, which nobody calls the API for; its seconds are those of the function."""
        due = datetime.datetime.now(datetime.UTC) - INTERVAL + DUE
        start = {"sync_start_date": f"{due:%Y-%m-%dT%H:%M:%SZ}"}
        self.bed.call("PUT", f"repository/{self.repository}/mirror", start)
        sample = self.measured(lambda: None)
        return dataclasses.replace(sample, seconds=sample.inside)

    def measured(self, begin):
        bed, function = self.bed, self.bed.env["MOORAGE_SYNC_FUNCTION"]
        drain(self)
        forget_peaks(processes(bed, function))
        before, began = cpu_of(processes(bed, function)), time.time()
        begin()
        invocations, log_bytes, metrics = functions.ended(bed, began, self.repository)
        upstream, aws = self.upstream.counts(), bed.aws.counts()
        if invocations[-1]["run.status"] != "Success":
            raise SystemExit(f"bench: {invocations[-1]}")
        pids = list(processes(bed, function))
        after, rss = cpu_of(pids), max(map(peak_of, pids), default=0)
        cpu = sum(seconds - before.get(pid, 0) for pid, seconds in after.items())
        limit = functions.memory(bed, function)
        # Builds from before runs were counted do not say it.
        run = bed.call("GET", f"repository/{self.repository}/mirror/runs?limit=1")["runs"][0]
        return Sample(
            invocations[-1]["ended"] - began, cpu, rss, upstream, aws, invocations, log_bytes, metrics, limit,
            told=float(run["cost"]) if "cost" in run else None)


class Before(Ours):
    """The other build, on a stack of its own."""
    name = "before"

    def __init__(self, bed, upstream, content):
        super().__init__(bed.before, upstream, content)


class Peer:
    """A tool that copies from registry to registry: into a stock one with its S3 driver."""

    stocks = {}
    # How often it is measured at most: most take half a minute.
    runs = 1

    def __init__(self, bed, upstream, content):
        self.bed, self.upstream, self.content = bed, upstream, content
        name = type(self).__name__.lower()
        if name not in self.stocks:
            self.stocks[name] = bed.stock(name)
        self.source = f"{upstream.address}/{content.repository}"
        self.target = f"{self.stocks[name]}/{uuid.uuid4().hex[:8]}"

    def sync(self):
        drain(self)
        usage = Usage()
        self.copy(usage)
        return usage.sample(self.upstream, self.bed.aws)

    @staticmethod
    def skopeo(usage, *arguments):
        return usage.run("skopeo", "--insecure-policy", *arguments)


class Quay(Peer):
    """As Quay's worker does: the list of tags, then one copy after the other."""
    name = "skopeo as Quay"

    def copy(self, usage):
        listed = self.skopeo(usage, "list-tags", "--tls-verify=false", f"docker://{self.source}")
        for tag in json.loads(listed)["Tags"]:
            self.skopeo(usage, "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false",
                        f"docker://{self.source}:{tag}", f"docker://{self.target}/app:{tag}")


class SkopeoSync(Peer):
    name = "skopeo sync"

    def copy(self, usage):
        self.skopeo(usage, "sync", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "--src", "docker",
                    "--dest", "docker", self.source, self.target)


class Crane(Peer):
    """`crane copy --all-tags`; with as many jobs as we have requests in flight. `--insecure` is for certificates that nobody
    vouches for, too."""
    name, runs = "crane -j 32", 2
    binary = ROOT / "target/peers/crane"

    def copy(self, usage):
        usage.run(str(self.binary), "copy", "--all-tags", "--jobs", "32", "--insecure", self.source,
                  f"{self.target}/app")


def peers():
    """The peers that are there."""
    found = [Quay, SkopeoSync]
    if Crane.binary.exists():
        found.append(Crane)
    if not shutil.which("skopeo"):
        raise SystemExit("bench: skopeo is missing: run `make setup`")
    # skopeo remembers what it has seen where.
    os.environ["XDG_DATA_HOME"] = str(ROOT / "target/bench/cache")
    return found


def drain(tool):
    tool.upstream.counts()
    tool.bed.aws.counts()
