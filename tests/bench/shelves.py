"""Buckets in memory that take their time (`tests/src/bin/shelf`), and functions that have them for S3."""
import contextlib
import json
import urllib.request

import servers
from measure import program


class Shelf:
    """A bucket with so many repositories of so many tags, and a registry that has the same."""

    def __init__(self, address):
        self.address, self.url = address, f"http://{address}"

    def counts(self):
        """What was asked of S3 since this was asked last."""
        return self._get("_counts")

    def tags(self, repository):
        """A repository's tags, and their digests."""
        return self._get(f"_tags/{repository}")

    def _get(self, path):
        with urllib.request.urlopen(f"{self.url}/{path}") as answer:
            return json.load(answer)


@contextlib.contextmanager
def shelf(bed, delay_ms, namespace, repositories, tags):
    port = servers.free_port()
    made = Shelf(f"127.0.0.1:{port}")
    command = [program("shelf"), made.address, str(delay_ms), namespace, str(repositories),
               str(tags)]
    process = servers.start(bed.folder, f"shelf-{port}", command)
    servers.wait(process, "shelf", f"{made.url}/_counts", bed.folder)
    try:
        yield made
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def deployed(bed, function, code, own, url):
    """A function with this code, and that S3; afterwards as it was, with the code of the build, which is called `own`."""
    client = bed.client("lambda")
    before = client.get_function_configuration(FunctionName=function)
    variables = before["Environment"]["Variables"]
    client.update_function_code(FunctionName=function, ZipFile=code.read_bytes())
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": {**variables, "AWS_ENDPOINT_URL_S3": url}})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        client.update_function_code(FunctionName=function, ZipFile=(bed.zips / f"{own}.zip").read_bytes())
