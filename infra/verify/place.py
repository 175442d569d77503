"""Where a verification runs: in an account, or on an emulator of AWS on this machine, and what differs."""
import contextlib
import os
import pathlib
import shutil

import boto3

import front
import images
import servers
import stack

# Small images for several platforms, of two registries.
PUBLIC = ["docker.io/library/busybox:1.37", "quay.io/libpod/alpine:latest"]
# How fast the emulator's registries are while a sync is to be killed, in bytes a second and connection; and for how long one
# that refuses wants to be left alone: just longer than a sync waits without ending its invocation.
SLOW, LEFT_ALONE = 400_000, 11
ONLY_ELSEWHERE = "the emulator does not say: only an account does"


class Account:
    """A real account. Its registries are what they are."""
    is_emulated = False
    # How long a sync of a small image may take; how long a killed one blocks its repository; how long it takes until the watch,
    # which is due each minute, has run twice undisturbed and CloudWatch shows it. In seconds.
    patience, claim, settling = 600, 10, 180
    parameters = {}

    def __init__(self, arguments):
        self.images = arguments.images or PUBLIC
        self.limited_image, self.chain_image = arguments.limited_image, arguments.chain_image
        self.arguments = arguments

    def reach(self, outputs):
        """The address of API and registry."""
        return outputs["ApiUrl"]

    def reference(self, image):
        """An image's repository as a mirror names it, its tag, and how the mirror reaches it."""
        repository, tag = image.rsplit(":", 1)
        return repository, tag, {"verify_tls": True}

    def is_plain(self, image):
        """Whether its registry speaks plain http."""
        return False

    @contextlib.contextmanager
    def slowly(self, functions, name):
        """Syncs take longer meanwhile: they ask for one thing after the other."""
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        set_variables(functions, name, {**variables, "REGISTRY_REQUESTS": "1"})
        try:
            yield
        finally:
            set_variables(functions, name, variables)

    @contextlib.contextmanager
    def limited(self):
        """The registry of the limited image refuses by itself, if it does."""
        yield

    def start_watch(self, name):
        """The watch is started by its schedule."""

    def prepare(self, outputs, resources):
        """Lambda's own lines are logged, which say what each invocation took."""
        functions = boto3.client("lambda")
        for it in resources:
            if it["ResourceType"] == "AWS::Lambda::Function":
                name = it["PhysicalResourceId"]
                logging = functions.get_function_configuration(FunctionName=name)["LoggingConfig"]
                functions.update_function_configuration(FunctionName=name, LoggingConfig={**logging, "SystemLogLevel": "INFO"})
                functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    def close(self):
        pass


class Emulator(Account):
    """An emulator at AWS_ENDPOINT_URL, with fronts of its API and of the registries, which do as they are told."""
    is_emulated = True
    patience, claim, settling = 60, 4, 0

    def __init__(self, arguments):
        super().__init__(arguments)
        self.fronts = {}
        self.port = servers.free_port()
        self.limited_image = self.limited_image or self.images[0]
        self.parameters = {
            "Architecture": "arm64" if os.uname().machine == "aarch64" else "x86_64",
            "PublicUrl": f"http://localhost:{self.port}", "SsrfAllowedHosts": "localhost,127.0.0.0/8,::1"}

    def reach(self, outputs):
        target = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://").rstrip("/")
        self.fronts["api"] = front.Front(target, f"/_aws/execute-api/{outputs['ApiId']}/$default", self.port)
        return f"http://localhost:{self.port}"

    def reference(self, image):
        repository, tag = image.rsplit(":", 1)
        registry, path = repository.split("/", 1)
        return f"{self.front(registry).address}/{path}", tag, {"verify_tls": False}

    def front(self, registry):
        if registry not in self.fronts:
            self.fronts[registry] = front.Front(registry)
        return self.fronts[registry]

    def is_plain(self, image):
        return True

    @contextlib.contextmanager
    def slowly(self, functions, name):
        registries = [it for name, it in self.fronts.items() if name != "api"]
        for it in registries:
            it.pace = lambda path, part: SLOW
        try:
            yield
        finally:
            for it in registries:
                it.pace = lambda path, part: None

    @contextlib.contextmanager
    def limited(self):
        limited = self.front(self.limited_image.split("/")[0])
        limited.refuses = lambda method, path: (429, {"Retry-After": str(LEFT_ALONE)}) if "/manifests/" in path else None
        try:
            yield
        finally:
            limited.refuses = lambda method, path: None

    def start_watch(self, name):
        # Its schedule is looked at every ten seconds here, and counted from when it was made.
        boto3.client("lambda").invoke(FunctionName=name, Payload=b'{"task": "watch"}')

    def prepare(self, outputs, resources):
        # It denies plain http, which is what the emulator speaks.
        boto3.client("s3").delete_bucket_policy(Bucket=outputs["BucketName"])

    def close(self):
        for it in self.fronts.values():
            it.close()


def set_variables(functions, name, variables):
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


@contextlib.contextmanager
def world():
    """An emulator, and two registries with an image each. Gives the environment that leads to the emulator, and the images."""
    folder = pathlib.Path(stack.FOLDER)
    # What another stack's emulator is told.
    for variable in ("MOORAGE_EMULATOR_FORKS", "MOORAGE_IAM_RECORD", "MOORAGE_FUNCTIONS_ENDPOINT"):
        os.environ.pop(variable, None)
    if servers.alive(servers.marked(folder)):
        raise servers.Problem(f"something runs in {folder} already: MOORAGE_LOCAL={folder} make down stops it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        port = servers.free_port()
        endpoint = f"http://127.0.0.1:{port}"
        emulator, made = stack.emulate(port, endpoint), []
        for name in ("one", "two"):
            at = servers.free_port()
            servers.registry(folder, name, at, {"filesystem": {"rootdirectory": str(folder / name)}})
            registry = images.Registry(f"http://127.0.0.1:{at}")
            children = [
                registry.push_image("samples/app", [images.layer(f"{name}-{it}", 1_500_000)], architecture=it)
                for it in ("amd64", "arm64")]
            registry.push_list("samples/app", children, tag="v1")
            made.append(f"127.0.0.1:{at}/samples/app:v1")
        servers.wait(emulator, "emulator", f"{endpoint}/_localstack/health", folder)
        yield {**stack.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}, made
    finally:
        servers.stop(folder)
