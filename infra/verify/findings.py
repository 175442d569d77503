"""What the deployment assumes of AWS and no test here can show, and what was seen of it. infra/README.md has the same table."""
import dataclasses

HOLDS, FAILS, NOT_TRIED = "holds", "does not hold", "not tried"


@dataclasses.dataclass
class Row:
    assumption: str
    verdict: str = NOT_TRIED
    seen: str = "the run ended before it"


# By what the steps call them.
ASSUMPTIONS = {
    # API Gateway.
    "root": "`$default` takes `/v2/` itself",
    "challenge": "a 401 of `/v2/` comes with `www-authenticate: Bearer …`",
    "head_manifest": "`HEAD` of a manifest has its length as `content-length`",
    "head_blob": "`HEAD` of a blob has its length as `content-length`",
    "turned_away": "callers of a function that is turned away get 429 or 503",
    "gateway_time": "an answer that takes 30 seconds is given up",
    "large_answer": "an answer of more than 6 MB is none",
    # S3.
    "presigned": "a presigned URL gives its blob and parts of it, and lets nobody write",
    "tls_only": "the bucket refuses plain http",
    "put_absent": "of sixteen `PUT`s with `If-None-Match: *` at once, one wins",
    "put_match": "`PUT` with `If-Match` takes the right entity tag, and refuses another one",
    "complete_absent": "the completion of an upload with `If-None-Match: *` is refused where the object exists",
    "delete_match": "`DELETE` with `If-Match` refuses another entity tag, and takes the right one",
    "checksum": "bytes that are not those of their checksum are refused",
    "small_part": "an upload whose first part is below 5 MiB is refused",
    # DynamoDB, KMS.
    "old_item": "a conditional write that is refused tells the item that was in its way",
    "transaction": "a transaction that is refused tells which of its writes was in the way",
    "ttl": "the table forgets by `expires_at`",
    "context": "what KMS has encrypted with one context it decrypts with no other",
    # Scheduler.
    "schedule": "Scheduler takes a mirror's schedule as it is sent",
    "role": "Scheduler delivers by the schedule role",
    "punctual": "Scheduler delivers within a minute of the time",
    "one_time": "a one-time schedule is gone once it has fired",
    # Lambda.
    "starts": "an asynchronous invocation starts within two seconds",
    "cold": "a function starts within a second from nothing",
    "memory": "no invocation takes more memory than its function has",
    "arm64": "the functions run on arm64",
    "no_repeat": "an invocation that fails is not repeated, and its event is in the dead-letter queue",
    "killed": "a sync that was killed is taken over by itself, and loses nothing",
    "parked": "a sync that its registry refuses waits without running, and goes on by itself",
    "recursion": "a chain of more than sixteen invocations is not ended",
    "repeats_throttled": "an asynchronous invocation that is turned away comes again",
    # Roles, the rest.
    "policies": "the roles allow what the functions do",
    "logs": "the functions write their logs by their roles",
    "ecr": "what EventBridge says of ECR starts a sync",
    "retained": "a deleted stack leaves its bucket, table and key, and nothing else",
}


class Findings:
    """A row for each assumption."""

    def __init__(self):
        self.rows = {name: Row(text) for name, text in ASSUMPTIONS.items()}

    def saw(self, name, holds, seen):
        row = self.rows[name]
        row.verdict, row.seen = HOLDS if holds else FAILS, seen

    def not_tried(self, name, why):
        row = self.rows[name]
        row.verdict, row.seen = NOT_TRIED, why

    def failed(self):
        return [row.assumption for row in self.rows.values() if row.verdict == FAILS]
