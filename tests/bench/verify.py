"""A verification of a repository of many tags, in an S3 of its own that takes its time."""
import time
import uuid

import shelves
from measure import cpu_of, forget_peaks, peak_of, processes

# Items of one write to the table: DynamoDB's limit.
BATCH = 25
# How often it is looked whether the verification has ended, in seconds.
LOOK_EVERY = 2


def run(bed, code, tags, delay_ms, most_seconds):
    """Seconds, the run as it ended or as far as it is, what S3 was asked, and processor and memory."""
    org, function = f"verify-{uuid.uuid4().hex[:8]}", bed.env["MOORAGE_SYNC_FUNCTION"]
    repository = f"{org}/r00000"
    with shelves.shelf(bed, delay_ms, org, 1, tags) as shelf:
        mirrored(bed, org, repository, shelf)
        held(bed, repository, shelf.tags(repository))
        with shelves.deployed(bed, function, code, "sync", shelf.url):
            forget_peaks(processes(bed, function))
            shelf.counts()
            began = time.monotonic()
            asked = bed.call("POST", f"repository/{repository}/mirror/verify")
            ended = wait(bed, f"repository/{repository}/mirror/runs/{asked['run_id']}", began, most_seconds)
            took, pids = time.monotonic() - began, list(processes(bed, function))
            used = sum(cpu_of(pids).values()), max(map(peak_of, pids), default=0)
        return took, ended, shelf.counts(), used


def mirrored(bed, org, repository, shelf):
    """Makes the mirror, of the registry that the shelf is, too. Nothing starts it by itself."""
    bed.call("POST", "organization/", {"name": org})
    bed.call("PUT", f"organization/{org}/robots/bot")
    bed.call("POST", "repository", {
        "namespace": org, "repository": "r00000", "visibility": "private", "description": ""})
    bed.call("POST", f"repository/{repository}/mirror", {
        "external_reference": f"{shelf.address}/{repository}", "external_registry_config": {"verify_tls": False},
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}, "sync_interval": 86400,
        "sync_start_date": "2099-01-01T00:00:00Z", "skopeo_timeout_interval": 300, "robot_username": f"{org}+bot"})


def held(bed, repository, digests):
    """Has the table hold the tags, as a sync would have left them."""
    dynamodb, table = bed.client("dynamodb"), bed.env["MOORAGE_TABLE"]
    org, name = repository.split("/")
    key = {"pk": {"S": f"NS#{org}"}, "sk": {"S": f"REPOSITORY#{name}"}}
    generation = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]["id"]
    digests = list(digests.items())
    for at in range(0, len(digests), BATCH):
        items = [{
            "pk": {"S": f"REPO#{repository}"}, "sk": {"S": f"TAG#{tag}"}, "tag": {"S": tag}, "digest": {"S": digest},
            "media_type": {"S": "application/vnd.oci.image.manifest.v1+json"}, "size": {"N": "500"},
            "first_seen": {"N": "1767225600"}, "last_seen": {"NULL": True}, "manifests": {"L": []},
            "generation": generation} for tag, digest in digests[at:at + BATCH]]
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": it}} for it in items]})


def wait(bed, path, began, most_seconds):
    """The run when it has ended, or when it has taken too long."""
    while True:
        time.sleep(LOOK_EVERY)
        # Until it begins there is none; and it lists what became of each tag, which takes the API its time.
        runs = bed.call("GET", path.rsplit("/", 1)[0] + "?limit=1")["runs"]
        ended = runs[0] if runs else {"status": "SYNCING"}
        if ended["status"] != "SYNCING" or time.monotonic() - began > most_seconds:
            return {"duration_ms": 0, **ended}
