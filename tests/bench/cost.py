"""What AWS would charge, from what was counted. Free tiers, data transfer and tax are left out."""
from prices import (
    DYNAMODB_READ, DYNAMODB_WRITE, GATEWAY_REQUEST, KMS_KEY_MONTH, KMS_REQUEST, LAMBDA_GB_SECOND, LAMBDA_REQUEST, LOG_GB,
    METRIC_MONTH, S3_GB_MONTH, S3_READ, S3_WRITE, SCHEDULER_INVOCATION, SECRET_MONTH)
from table import markdown

HOURS = 730
# What the template gives the functions, in MB; at 1,769 MB Lambda gives one whole processor.
SYNC_MEMORY, REGISTRY_MEMORY, WHOLE_PROCESSOR = 512, 256, 1769
# Bytes a second that a function below 2 GB gets from the network.
NETWORK = 75e6
# A line of the gateway's access log, in bytes.
ACCESS_LINE = 400


def table(results):
    def find(case, step):
        return next((it for it in results if (it.case, it.step, it.tool) == (case, step, "ours")), None)

    rows, parts = [], ["Lambda", "S3", "DynamoDB", "logs", "metrics", "the rest"]

    def add(what, times, charges):
        charges = many(times, charges)
        rest = sum(charge for name, charge in charges.items() if name not in parts)
        shown = [charges.get(name, 0) for name in parts[:-1]] + [rest]
        rows.append([what, f"**{dollars(sum(charges.values()))}**", *map(dollars, shown)])

    if again := find("small", "by the schedule"):
        add("1,000 mirrors of 100 unchanged tags, synced once", 1000, of_sync(again.typical))
    if first := find("small", "first"):
        add("1,000 first syncs of 100 small images", 1000, of_sync(first.typical))
    if large := find("large", "first"):
        add("1,000 GB mirrored, in layers of 100 MB", 1e12 / large.unique, of_sync(large.typical, large.unique))
    if pull := find("pull", "100 images"):
        add("a million pulls: a token, a manifest, four blobs", 1e6 / 100, of_pulls(pull.typical, 400))
    if rows:
        # A tenth of a second each hour, a second each day.
        hourly = lambda_(0.1 * HOURS, SYNC_MEMORY, HOURS) + HOURS * SCHEDULER_INVOCATION
        daily = lambda_(30, SYNC_MEMORY, 30) + 30 * SCHEDULER_INVOCATION
        add("a month of nothing: a key, two secrets, the hourly and the daily task", 1,
            {"Lambda": hourly + daily, "key and secrets": KMS_KEY_MONTH + 2 * SECRET_MONTH})
        add("1,000 GB stored for a month", 1, {"S3": 1000 * S3_GB_MONTH})
    return markdown(["dollars", "in all", *parts], rows)


def many(times, charges):
    """The charges of so many. Metrics are those of the namespace, which all of the mirrors are in, however many they are."""
    return {name: charge if name == "metrics" else times * charge for name, charge in charges.items()}


def of_many(times, charges):
    """What they are in all."""
    return sum(many(times, charges).values())


def told(results):
    """What runs count of themselves beside this model."""
    rows = []
    for result in results:
        if (share := off(result)) is not None:
            sample = result.typical
            rows.append([f"{result.case}, {result.step}", f"{modelled(sample):.3g}", f"{sample.told:.3g} ({share:+.0%})"])
    return markdown(["dollars", "by the model", "by the run's own counts"], rows) if rows else None


def off(result):
    """By what part the run's own figure is more than the model's, if it has one."""
    sample = result.typical
    return sample.told / modelled(sample) - 1 if result.tool == "ours" and sample.told else None


def modelled(sample):
    """One sync as a run can count it: without the namespace's metrics and without the schedule; with the time that it took."""
    return lambda_(sample.inside, SYNC_MEMORY, len(sample.invocations)) + sum(common(sample).values())


def of_sync(sample, moved=0):
    """One sync that its schedule starts. Its time is this machine's, or what the function's share of a processor or the
    network would take, if that is more."""
    share = SYNC_MEMORY / WHOLE_PROCESSOR
    seconds = max(sample.inside, sample.cpu / share, moved / NETWORK)
    return {
        "Lambda": lambda_(seconds, SYNC_MEMORY, len(sample.invocations)),
        **common(sample), "schedule": SCHEDULER_INVOCATION,
        # Each is charged for the hour in which it is sent.
        "metrics": sample.metrics * METRIC_MONTH / HOURS,
    }


def of_pulls(sample, blobs):
    share = REGISTRY_MEMORY / WHOLE_PROCESSOR
    requests = len(sample.invocations)
    charges = common(sample)
    charges["S3"] += blobs * S3_READ
    charges["logs"] += requests * ACCESS_LINE / 1e9 * LOG_GB
    seconds = max(sample.inside, sample.cpu / share)
    return {"Lambda": lambda_(seconds, REGISTRY_MEMORY, requests), **charges, "gateway": requests * GATEWAY_REQUEST}


def common(sample):
    aws = sample.aws
    kms = sum(number for kind, number in aws["requests"].items() if kind.startswith("TrentService"))
    return {
        "S3": sample.s3("PUT", "POST", "COPY", "LIST") * S3_WRITE + sample.s3("GET", "HEAD") * S3_READ,
        "DynamoDB": aws["write_units"] * DYNAMODB_WRITE + aws["read_units"] * DYNAMODB_READ,
        "logs": sample.log_bytes / 1e9 * LOG_GB, "kms": kms * KMS_REQUEST,
    }


def lambda_(seconds, megabytes, requests):
    return requests * LAMBDA_REQUEST + seconds * megabytes / 1024 * LAMBDA_GB_SECOND


def dollars(amount):
    return "0" if not amount else f"{amount:.2f}" if amount >= 1 else f"{amount:.2g}" if amount >= 0.0001 else "<0.0001"
