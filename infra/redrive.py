"""What is in a stack's dead-letter queue: shows it, or gives it to its function once more, or throws it away.

    redrive.py STACK [show | redrive | discard]

Each event is a sync, a task, a collection or a stack's request that was not done. Doing it again does no harm: a sync that is
not due, or whose mirror is gone, ends at once. What fails again comes back into the queue. Needs boto3, and AWS credentials that may
read the stack's outputs, receive and delete the queue's messages, and invoke the functions.
"""
import json
import sys

import boto3

# How long others do not see what is being looked at, in seconds: longer than this takes.
HIDDEN = 120
# SQS gives so many messages at once.
BATCH = 10


def events(sqs, url):
    """The messages that are in the queue, each once; what comes meanwhile is left for the next time."""
    attribute = "ApproximateNumberOfMessages"
    count = int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])["Attributes"][attribute])
    found = {}
    while len(found) < count:
        received = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=BATCH, VisibilityTimeout=HIDDEN, WaitTimeSeconds=2,
            MessageAttributeNames=["All"])
        messages = {message["MessageId"]: message for message in received.get("Messages", [])}
        if not messages.keys() - found.keys():
            break
        found.update(messages)
    return found.values()


def parsed(message, functions):
    """The function that an event was for, the event, and why it is here."""
    try:
        body = json.loads(message["Body"])
    except ValueError:
        body = None
    if isinstance(body, dict) and "requestPayload" in body:
        # Lambda's: the function failed, or could not be started in time.
        context, answer = body.get("requestContext") or {}, body.get("responsePayload")
        # What a function answers that did not fail may be anything.
        answer = answer if isinstance(answer, dict) else {}
        name = context.get("functionArn", "").split(":function:")[-1].split(":")[0]
        reason = " ".join(filter(None, (context.get("condition"), answer.get("errorType"), answer.get("errorMessage"))))
        return name, body["requestPayload"], reason
    # Scheduler's: the event itself, which Lambda did not take.
    attributes = {key: value.get("StringValue", "") for key, value in message.get("MessageAttributes", {}).items()}
    name = attributes.get("TARGET_ARN", "").split(":function:")[-1].split(":")[0]
    if not name and isinstance(body, dict):
        # What its own function could not do: a message on its way.
        is_message = "uuid" in body
        name = functions["events" if is_message else "sync" if "repository" in body or "task" in body else "gc"]
    return name, body, " ".join(filter(None, (attributes.get("ERROR_CODE"), attributes.get("ERROR_MESSAGE"))))


def shown(event):
    """The event without the URL at which a stack is answered: whoever has it may answer."""
    return {**event, "ResponseURL": "********"} if isinstance(event, dict) and "ResponseURL" in event else event


def main(stack, action):
    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described}
    functions = {"sync": outputs["SyncFunctionName"], "gc": outputs["GcFunctionName"],
                 "events": outputs["EventsFunctionName"], "resource": outputs.get("ResourceFunctionName")}
    sqs, url = boto3.client("sqs"), outputs["DeadLetterQueueUrl"]
    found = events(sqs, url)
    for message in found:
        name, event, reason = parsed(message, functions)
        print(f"{name}: {json.dumps(shown(event))}: {reason}")
        if action == "redrive" and name not in functions.values():
            print("redrive: this is no event of this stack; it stays")
            continue
        if action == "redrive":
            boto3.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
        if action == "show":
            # Others, and the next call, see it at once.
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        else:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    print(f"{len(found)} events")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) not in (1, 2) or arguments[1:] not in ([], ["show"], ["redrive"], ["discard"]):
        raise SystemExit(__doc__)
    main(arguments[0], arguments[1] if arguments[1:] else "show")
