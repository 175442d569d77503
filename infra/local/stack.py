"""The local stack: the template and the functions on this machine.

    stack.py up | down

Environment: MOORAGE_LOCAL (folder, target/local), MOORAGE_PORT (8080), MOORAGE_AWS_PORT (4566),
MOORAGE_UPSTREAM_PORT (5100), MOORAGE_ZIPS (target/lambda), MOORAGE_PARAMETERS (Name=value,... of the template),
MOORAGE_BROWSER_PORT (none: no chromedriver), MOORAGE_PROVIDER_PORT (none: nobody signs in with a provider).
"""
import os
import pathlib
import shlex
import shutil
import signal
import sys

import provider
import servers
from servers import Problem

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(os.environ.get("MOORAGE_LOCAL", ROOT / "target" / "local")).resolve()
ZIPS = pathlib.Path(os.environ.get("MOORAGE_ZIPS", ROOT / "target" / "lambda")).resolve()
STACK = "moorage"
CODE_BUCKET = "moorage-code"
REGION = "us-east-1"
# The emulator takes any credentials.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
# More than one sync asks for at once (RegistryRequests): another Moorage can be its registry.
REGISTRY_CONCURRENCY = 80
# API Gateway's limit on bodies.
MAX_BODY = "10m"


def up():
    if servers.alive(servers.marked(FOLDER)):
        raise Problem(f"a stack runs in {FOLDER} already: `make down` stops it")
    ports = {
        "api": servers.port("MOORAGE_PORT", 8080),
        "aws": servers.port("MOORAGE_AWS_PORT", 4566),
        "upstream": servers.port("MOORAGE_UPSTREAM_PORT", 5100),
    }
    if not ZIPS.is_dir():
        raise Problem(f"there is no code in {ZIPS}: `make build` makes it")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        start(ports)
    except BaseException:
        servers.stop(FOLDER)
        raise


def start(ports):
    endpoint = f"http://127.0.0.1:{ports['aws']}"
    emulator = emulate(ports["aws"], endpoint)
    storage = {"filesystem": {"rootdirectory": str(FOLDER / "upstream")}}
    servers.registry(FOLDER, "upstream", ports["upstream"], storage)
    servers.wait(emulator, "emulator", f"{endpoint}/_localstack/health", FOLDER)

    os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=endpoint)
    os.environ.pop("AWS_CA_BUNDLE", None)
    public_url, people = f"http://localhost:{ports['api']}", {}
    if "MOORAGE_PROVIDER_PORT" in os.environ:
        ports["provider"] = servers.port("MOORAGE_PROVIDER_PORT", "auto")
        people = provider.start(FOLDER, ports["provider"], f"{public_url}/console")
    outputs = deploy(public_url, people)
    proxy(ports["api"], ports["aws"], outputs["ApiId"])
    if "MOORAGE_BROWSER_PORT" in os.environ:
        ports["browser"] = browser(servers.port("MOORAGE_BROWSER_PORT", "auto"))
    write_env(ports, endpoint, outputs)


def emulate(port, endpoint):
    env = {
        # The functions inherit it: that is how they find the emulator; benchmarks count in between.
        **CREDENTIALS, "AWS_ENDPOINT_URL": os.environ.get("MOORAGE_FUNCTIONS_ENDPOINT", endpoint), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1",
        # Else it listens on further ports, and one of them on all interfaces.
        "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
        # The functions get the credentials of their roles, and their policies are enforced.
        "AUTH": "true",
    }
    return servers.start(FOLDER, "emulator", [sys.executable, str(ROOT / "infra" / "local" / "emulator.py")], env)


def deploy(public_url, people):
    import boto3

    sys.path.insert(0, str(ROOT / "infra"))
    from deploy import deploy as deploy_template

    boto3.client("s3").create_bucket(Bucket=CODE_BUCKET)
    given = os.environ.get("MOORAGE_PARAMETERS", "")
    parameters = {
        "Architecture": "arm64" if os.uname().machine == "aarch64" else "x86_64",
        "SsrfAllowedHosts": "localhost,127.0.0.0/8,::1",
        # Any key of the emulator.
        "SignatureKeyArns": "arn:aws:kms:*:000000000000:key/*",
        # Whom mirrors of the tests may be: played ones. There is one namespace's role, and that of another one.
        "CloudGrants": " ".join([
            "*=ecr", "*=arn:aws:iam::000000000000:role/clouds-of-its-namespace",
            "*=arn:aws:iam::000000000000:role/clouds-of-another", "*=puller@played.iam.gserviceaccount.com",
            "*=11111111-2222-4333-8444-555555555555/66666666-7777-4888-9999-000000000000",
        ]),
        "CloudRoles": "arn:aws:iam::000000000000:role/clouds-*",
        "CloudRepositories": "arn:aws:ecr:*:000000000000:repository/*",
        "ResourceSecretArns": "arn:aws:secretsmanager:*:000000000000:secret:declared-*",
        "NotificationTopicArns": "arn:aws:sns:*:000000000000:told-*",
        "NotificationBusArns": "arn:aws:events:*:000000000000:event-bus/told-*",
        "PublicUrl": public_url,
        **people,
        **dict(pair.split("=", 1) for pair in given.split(",") if pair),
    }
    outputs = deploy_template(STACK, CODE_BUCKET, ZIPS, parameters)
    adapt(outputs, parameters)
    check(outputs)
    return outputs


def adapt(outputs, parameters):
    """What cannot be here as the template has it.

    All policies of the functions' roles hold as they are, with their conditions: emulator.py sees to that. The bucket's
    own does not: it denies plain http, which is what the emulator speaks. Nobody assumes Scheduler's role, so that
    neither its rights nor its trust are tried: the emulator delivers by itself. Nor does it throttle a stage's requests,
    and it passes over what the template reserves of concurrency, which is set here.
    """
    import boto3

    boto3.client("s3").delete_bucket_policy(Bucket=outputs["BucketName"])
    # The emulator would run hundreds of environments at once, which then wait for its S3 until they give up.
    reserved = {outputs["RegistryFunctionName"]: REGISTRY_CONCURRENCY}
    if syncs := int(parameters.get("SyncConcurrency", 0)):
        reserved[outputs["SyncFunctionName"]] = syncs
    for name, count in reserved.items():
        boto3.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=count)


def check(outputs):
    """Looks at what the emulator made of the template: it passes over what it does not know."""
    import boto3

    functions = boto3.client("lambda")
    for name in (outputs["SyncFunctionName"], outputs["ApiFunctionName"], outputs["RegistryFunctionName"],
                 outputs["ConsoleFunctionName"], outputs["EventsFunctionName"], outputs["ResourceFunctionName"]):
        functions.get_function(FunctionName=name)
    dynamodb = boto3.client("dynamodb")
    live = dynamodb.describe_time_to_live(TableName=outputs["TableName"])["TimeToLiveDescription"]
    if live["TimeToLiveStatus"] != "ENABLED":
        dynamodb.update_time_to_live(
            TableName=outputs["TableName"], TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"})
    boto3.client("scheduler").get_schedule_group(Name=outputs["ScheduleGroupName"])
    if boto3.client("s3").get_bucket_versioning(Bucket=outputs["BucketName"]).get("Status") != "Enabled":
        raise Problem("the emulator did not turn the bucket's versioning on")
    if not boto3.client("apigatewayv2").get_routes(ApiId=outputs["ApiId"])["Items"]:
        raise Problem("the emulator made no routes")


def proxy(port, aws_port, api_id):
    """Makes http://localhost:PORT the API Gateway: the emulator has it below a path."""
    (FOLDER / "nginx.conf").write_text(f"""
daemon off;
worker_processes 1;
pid {FOLDER}/nginx.pid;
error_log {FOLDER}/proxy.log warn;
# Two for each client: theirs and the emulator's.
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_max_body_size {MAX_BODY};
  client_body_temp_path {FOLDER}/nginx;
  proxy_temp_path {FOLDER}/nginx;
  fastcgi_temp_path {FOLDER}/nginx;
  uwsgi_temp_path {FOLDER}/nginx;
  scgi_temp_path {FOLDER}/nginx;
  # The stage's name begins with what nginx takes for a variable.
  geo $dollar {{ default "$"; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      # $request_uri is the path as the client wrote it, percent-encoding included.
      proxy_pass http://127.0.0.1:{aws_port}/_aws/execute-api/{api_id}/${{dollar}}default$request_uri;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      # $http_host is what the client called, with the port.
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_buffering off;
    }}
  }}
}}
""")
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or "nginx"
    command = [nginx, "-p", str(FOLDER), "-c", str(FOLDER / "nginx.conf"), "-e", str(FOLDER / "proxy.log")]
    servers.wait(servers.start(FOLDER, "proxy", command), "proxy", f"http://127.0.0.1:{port}/", FOLDER)


def browser(port):
    """What starts browsers for tests: one for all of them."""
    process = servers.start(FOLDER, "browser", ["chromedriver", f"--port={port}", "--allowed-ips=127.0.0.1"])
    servers.wait(process, "browser", f"http://127.0.0.1:{port}/status", FOLDER)
    return port


def write_env(ports, endpoint, outputs):
    import boto3

    token = boto3.client("secretsmanager").get_secret_value(SecretId=outputs["AdminTokenSecretArn"])["SecretString"]
    variables = {
        "MOORAGE_URL": f"http://localhost:{ports['api']}",
        "MOORAGE_TOKEN": token,
        "MOORAGE_BUCKET": outputs["BucketName"],
        "MOORAGE_TABLE": outputs["TableName"],
        "MOORAGE_SYNC_FUNCTION": outputs["SyncFunctionName"],
        "MOORAGE_API_FUNCTION": outputs["ApiFunctionName"],
        "MOORAGE_REGISTRY_FUNCTION": outputs["RegistryFunctionName"],
        "MOORAGE_CONSOLE_FUNCTION": outputs["ConsoleFunctionName"],
        "MOORAGE_EVENTS_FUNCTION": outputs["EventsFunctionName"],
        "MOORAGE_RESOURCE_FUNCTION": outputs["ResourceFunctionName"],
        "MOORAGE_SCHEDULE_GROUP": outputs["ScheduleGroupName"],
        "MOORAGE_UPSTREAM": f"127.0.0.1:{ports['upstream']}",
        "AWS_ENDPOINT_URL": endpoint,
        **CREDENTIALS,
    }
    if "GcFunctionName" in outputs:
        variables["MOORAGE_GC_FUNCTION"] = outputs["GcFunctionName"]
    if "browser" in ports:
        variables["MOORAGE_BROWSER"] = f"http://127.0.0.1:{ports['browser']}"
    if "provider" in ports:
        variables["MOORAGE_OIDC_ISSUER"] = provider.issuer(ports["provider"])
    file = FOLDER / "env"
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
    print(f"The stack is up: {variables['MOORAGE_URL']}, external registry {variables['MOORAGE_UPSTREAM']}.")
    print(f"The console: {variables['MOORAGE_URL']}/console")
    if "provider" in ports:
        print(f"Whoever signs in: {provider.PEOPLE}")
    print(f"Settings and token: {file}")


def down():
    servers.stop(FOLDER)
    if left := servers.alive(servers.marked(FOLDER)):
        raise Problem(f"these processes would not end: {left}")
    (FOLDER / "env").unlink(missing_ok=True)


if __name__ == "__main__":
    # A stack that is given up while it starts must not leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        {"up": up, "down": down}[sys.argv[1]]()
    except (KeyError, IndexError):
        raise SystemExit(__doc__)
    except Problem as problem:
        raise SystemExit(f"stack: {problem}")
