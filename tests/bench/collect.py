"""A collection of many repositories, in an S3 of its own that takes its time."""
import json
import time

import shelves
from measure import cpu_of, peak_of, processes

# Items of one write to the table: DynamoDB's limit.
BATCH = 25


def run(bed, code, repositories, tags, delay_ms, most_seconds):
    """Seconds, the collection as it ended or as far as it is, what S3 was asked, and processor and memory."""
    namespace = f"collect{int(time.time())}"
    known(bed, namespace, repositories)
    with shelves.shelf(bed, delay_ms, namespace, repositories, tags) as shelf:
        with shelves.deployed(bed, name(bed), code, "gc", shelf.url):
            earlier, began = newest(bed), time.monotonic()
            request = json.dumps({"run_id": None}).encode()
            bed.client("lambda").invoke(FunctionName=name(bed), InvocationType="Event", Payload=request)
            ended = wait(bed, earlier, began, most_seconds)
            took, pids = time.monotonic() - began, list(processes(bed, name(bed)))
            used = sum(cpu_of(pids).values()), max(map(peak_of, pids), default=0)
        return took, ended, shelf.counts(), used


def name(bed):
    return bed.env["MOORAGE_GC_FUNCTION"]


def known(bed, namespace, repositories):
    """Makes the repositories, straight in the table: copies of one that the API has made."""
    bed.call("POST", "organization/", {"name": namespace})
    body = {"namespace": namespace, "repository": "r00000", "visibility": "private", "description": "", "repo_kind": "image"}
    bed.call("POST", "repository", body)
    dynamodb, table = bed.client("dynamodb"), bed.env["MOORAGE_TABLE"]
    key = {"pk": {"S": f"NS#{namespace}"}, "sk": {"S": "REPOSITORY#r00000"}}
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    names = [f"r{number:05}" for number in range(1, repositories)]
    for at in range(0, len(names), BATCH):
        items = [{**item, "sk": {"S": f"REPOSITORY#{it}"}, "repository": {"S": f"{namespace}/{it}"}}
                 for it in names[at:at + BATCH]]
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": it}} for it in items]})


def newest(bed):
    """The newest collection, as the table has it; nothing if there was none."""
    query = {
        "TableName": bed.env["MOORAGE_TABLE"], "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": {":pk": {"S": "GARBAGE"}, ":sk": {"S": "COLLECTION#"}},
        "ScanIndexForward": False, "Limit": 1, "ConsistentRead": True}
    items = bed.client("dynamodb").query(**query)["Items"]
    return {key: next(iter(value.values())) for key, value in items[0].items()} if items else {}


def wait(bed, earlier, began, most_seconds):
    """The collection after an earlier one when it has ended, or when it has taken too long."""
    while True:
        found = newest(bed)
        ended = found if found.get("sk") != earlier.get("sk") else {}
        if ended.get("stage") == "done" or time.monotonic() - began > most_seconds:
            return {"duration_ms": 0, **ended}
        time.sleep(0.5)
