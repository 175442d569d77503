"""Clients that do one thing only: pull an image, and fill an S3."""
import base64
import concurrent.futures
import json
import os
import re
import time
import urllib.error
import urllib.request
import uuid

import images

PART = 8 * 1024 * 1024
MANIFEST = images.TYPES["oci"]["manifest"]


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def http_error_307(self, _request, file, *_):
        return file


def pull(bed, repository, tag, robot, waits):
    """What a client asks of the registry that has nothing yet; blobs themselves are S3's to send. How long it waited goes
    to `waits`."""
    registry = f"{bed.env['MOORAGE_URL']}/v2"

    def ask(what, url, headers):
        began = time.monotonic()
        with urllib.request.build_opener(Stay).open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            body = answer.read()
        waits.setdefault(what, []).append(time.monotonic() - began)
        return body

    url = f"{registry}/token?service=registry&scope=repository:{repository}:pull"
    token = json.loads(ask("token", url, basic(robot)))["token"]
    headers = {"Authorization": f"Bearer {token}", "Accept": MANIFEST}
    manifest = json.loads(ask("manifest", f"{registry}/{repository}/manifests/{tag}", headers))
    for blob in [manifest["config"], *manifest["layers"]]:
        ask("blob", f"{registry}/{repository}/blobs/{blob['digest']}", headers)


def pulled(bed, repository, tag, robot):
    """The digest of the manifest that a tag gives to who pulls it; nothing as long as there is no such tag."""
    url = f"{bed.env['MOORAGE_URL']}/v2/{repository}/manifests/{tag}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={**basic(robot), "Accept": MANIFEST}), timeout=30) as answer:
            return images.digest(answer.read())
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None


def basic(robot):
    return {"Authorization": "Basic " + base64.b64encode(f"{robot['name']}:{robot['token']}".encode()).decode()}


def upload(bed, size):
    """Seconds that the S3 takes for an object in parts, twelve at a time, from a client that does nothing else, by the same
    proxy."""
    body = os.urandom(PART)
    url = f"http://{bed.aws.address}/{bed.env['MOORAGE_BUCKET']}/{uuid.uuid4().hex}"
    begun = send(f"{url}?uploads=", b"", "POST").read().decode()
    upload_id = re.search("<UploadId>(.*)</UploadId>", begun)[1]
    numbers = range(1, -(-size // PART) + 1)

    def put(number):
        send(f"{url}?partNumber={number}&uploadId={upload_id}", body[:size - (number - 1) * PART], "PUT").close()

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(put, numbers))
    named = "".join(f"<Part><PartNumber>{number}</PartNumber></Part>" for number in numbers)
    send(f"{url}?uploadId={upload_id}", f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode(), "POST").close()
    return time.monotonic() - began


def send(url, data, method):
    headers = {"Content-Type": "application/octet-stream"}
    return urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method))
