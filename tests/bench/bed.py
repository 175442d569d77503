"""What everything runs on: the deployed stack, stock registries over its S3 for the peers, proxies between them."""
import json
import os
import shlex
import urllib.request

import servers
import stack
from content import Content
from measure import Shape

# Round trip to a registry that is not next door.
DELAY_MS = 20
# The keys that one request deletes.
DELETE_BATCH = 1000


class Bed:
    def __init__(self, folder):
        self.folder = folder
        port = servers.free_port()
        os.environ["MOORAGE_FUNCTIONS_ENDPOINT"] = f"http://127.0.0.1:{port}"
        stack.up()
        words = (word for word in shlex.split((folder / "env").read_text()) if "=" in word)
        self.env = dict(word.split("=", 1) for word in words)
        # Functions and stock registries reach AWS by this one.
        self.aws = Shape(folder, "shape-aws", self.env["AWS_ENDPOINT_URL"], port=port)
        self.made = 0

    def client(self, service):
        import boto3
        return boto3.client(service, endpoint_url=self.env["AWS_ENDPOINT_URL"])

    def content(self, make):
        """New content, which no tool has seen."""
        self.made += 1
        content = Content(self.folder / "upstream", f"content-{self.made}/app")
        make(content)
        return content

    def upstream(self, rate=0):
        """The registry, 20 ms away; `rate` bytes a second of each connection."""
        self.made += 1
        target = f"http://{self.env['MOORAGE_UPSTREAM']}"
        return Shape(self.folder, f"shape-{self.made}", target, DELAY_MS, rate)

    def stock(self, name):
        """A stock registry with a bucket of its own."""
        self.client("s3").create_bucket(Bucket=f"stock-{name}")
        port = servers.free_port()
        s3 = {
            "region": self.env["AWS_REGION"], "regionendpoint": f"http://{self.aws.address}", "bucket": f"stock-{name}",
            "forcepathstyle": True, "v4auth": True, "secure": False, "accesskey": "test", "secretkey": "test"}
        servers.registry(self.folder, f"stock-{name}", port, {"s3": s3, "redirect": {"disable": True}})
        return f"127.0.0.1:{port}"

    def empty(self):
        """Empties all buckets but the code's: the emulator holds them in memory."""
        s3 = self.client("s3")
        for bucket in (it["Name"] for it in s3.list_buckets()["Buckets"]):
            if bucket == stack.CODE_BUCKET:
                continue
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                keys = [{"Key": it["Key"], "VersionId": it["VersionId"]} for it in found]
                for at in range(0, len(keys), DELETE_BATCH):
                    s3.delete_objects(Bucket=bucket, Delete={"Objects": keys[at:at + DELETE_BATCH], "Quiet": True})
        self.aws.counts()

    def call(self, method, path, body=None):
        """Calls the API."""
        headers = {"Authorization": f"Bearer {self.env['MOORAGE_TOKEN']}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.env['MOORAGE_URL']}/api/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = response.read()
        return json.loads(answer) if answer else None
