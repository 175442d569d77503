"""What everything runs on: a deployed stack, an S3, a DynamoDB and an external registry that are not the limit, proxies in
between, and stock registries over the same S3 for the peers."""
import contextlib
import json
import os
import shlex
import subprocess
import sys
import urllib.request

import functions
import servers
from content import Content
from measure import ROOT, Shape, program

# Round trip to a registry that is not next door.
DELAY_MS = 20
# The DynamoDB of everything here, which run.sh builds.
TABLE = str(ROOT / "target/table/release/moorage-table")
# What each request to S3 and DynamoDB takes on top, in milliseconds, unless a case says otherwise.
LATENCY_MS = int(os.environ.get("LATENCY", "0"))


class Bed:
    """The stack of a build: its zips, and the template that they are deployed by."""

    def __init__(self, folder, zips, infra):
        self.folder = folder
        # Lambda's limits of memory, which the emulator does not know.
        self.zips = functions.limited(zips, folder.with_name(f"{folder.name}-limited"))
        port, s3 = servers.free_port(), f"127.0.0.1:{servers.free_port()}"
        settings = {
            "MOORAGE_LOCAL": str(folder), "MOORAGE_ZIPS": str(self.zips), "MOORAGE_PORT": "auto", "MOORAGE_AWS_PORT": "auto",
            "MOORAGE_UPSTREAM_PORT": "auto", "MOORAGE_FUNCTIONS_ENDPOINT": f"http://127.0.0.1:{port}",
            # All builds have the same emulator.
            "PYTHONPATH": str(ROOT / "tests/bench/emulator")}
        subprocess.run([sys.executable, str(infra / "local/stack.py"), "up"], env=os.environ | settings, check=True)
        words = (word for word in shlex.split((folder / "env").read_text()) if "=" in word)
        self.env = dict(word.split("=", 1) for word in words)
        self.s3 = f"http://{s3}"
        servers.wait(servers.start(folder, "s3", [program("s3"), s3]), "s3", self.s3, folder)
        self.dynamodb = self.table()
        # The stack's external registry's content, without its processor time.
        self.origin = f"127.0.0.1:{servers.free_port()}"
        origin = servers.start(folder, "origin", [program("origin"), self.origin, str(folder / "upstream")])
        servers.listens(origin, "origin", self.origin, folder)
        # Functions and stock registries reach AWS by this one.
        self.aws = Shape(
            folder, "shape-aws", self.env["AWS_ENDPOINT_URL"], port=port, delay=LATENCY_MS, s3=self.s3, dynamodb=self.dynamodb)
        self.made = 0
        # The same of another build.
        self.before = None

    def client(self, service, endpoint=None):
        import boto3
        endpoint = endpoint or (self.dynamodb if service == "dynamodb" else self.env["AWS_ENDPOINT_URL"])
        return boto3.client(
            service, endpoint_url=endpoint, region_name=self.env["AWS_REGION"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"])

    def table(self):
        """A DynamoDB with a table as the template made it; where it is."""
        address = f"127.0.0.1:{servers.free_port()}"
        servers.listens(servers.start(self.folder, "table", [TABLE, address]), "table", address, self.folder)
        emulated = self.client("dynamodb", self.env["AWS_ENDPOINT_URL"])
        made = emulated.describe_table(TableName=self.env["MOORAGE_TABLE"])["Table"]
        indices = [{key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
                   for index in made.get("GlobalSecondaryIndexes", [])]
        self.client("dynamodb", f"http://{address}").create_table(
            **{key: made[key] for key in ("TableName", "KeySchema", "AttributeDefinitions")},
            **({"GlobalSecondaryIndexes": indices} if indices else {}), BillingMode="PAY_PER_REQUEST")
        return f"http://{address}"

    def content(self, make):
        """New content, which no tool has seen."""
        self.made += 1
        content = Content(self.folder / "upstream", f"content-{self.made}/app")
        make(content)
        return content

    def upstream(self, rate=0, tls=False, registry=None):
        """The bed's registry, or another one, 20 ms away; `rate` bytes a second of each connection; by https or by http."""
        self.made += 1
        target = f"http://{registry or self.origin}"
        return Shape(self.folder, f"shape-{self.made}", target, delay=DELAY_MS, rate=rate, tls=tls)

    @contextlib.contextmanager
    def distant(self, milliseconds):
        """S3 and DynamoDB so far away, for a while."""
        beds = [self, *([self.before] if self.before else [])]
        for bed in beds:
            bed.aws.delay(milliseconds)
        try:
            yield
        finally:
            for bed in beds:
                bed.aws.delay(LATENCY_MS)

    def stock(self, name):
        """A stock registry with a bucket of its own."""
        port = servers.free_port()
        s3 = {
            "region": self.env["AWS_REGION"], "regionendpoint": f"http://{self.aws.address}", "bucket": f"stock-{name}",
            "forcepathstyle": True, "v4auth": True, "secure": False, "accesskey": "test", "secretkey": "test"}
        servers.registry(self.folder, f"stock-{name}", port, {"s3": s3, "redirect": {"disable": True}})
        return f"127.0.0.1:{port}"

    def empty(self):
        """Empties all buckets: they are in memory."""
        urllib.request.urlopen(f"{self.s3}/_empty").close()
        self.aws.counts()
        if self.before:
            self.before.empty()

    def call(self, method, path, body=None):
        """Calls the API."""
        headers = {"Authorization": f"Bearer {self.env['MOORAGE_TOKEN']}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.env['MOORAGE_URL']}/api/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read()
        return json.loads(answer) if answer else None
