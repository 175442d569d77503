"""The servers of a local stack: started on loopback, remembered by process id, ended with their children."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

# Every process of a stack carries this variable, also the functions that the emulator starts: that finds them all.
MARK = "MOORAGE_LOCAL_STACK"
START_SECONDS = 30
STOP_SECONDS = 5


class Problem(Exception):
    """Something that the user can mend; the message says how."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port(variable, default):
    """The port that an environment variable asks for; 0 or auto take a free one."""
    text = os.environ.get(variable, str(default))
    if text in ("0", "auto"):
        return free_port()
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Problem(f"{variable}={text} is not a port")
    number = int(text)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            raise Problem(f"port {number} is taken: stop what listens there, or set {variable} to another port") from None
    return number


def start(folder, name, command, env=None):
    """Starts a server in a session of its own and remembers it in the folder."""
    log = folder / f"{name}.log"
    env = {**os.environ, **(env or {}), MARK: str(folder)}
    # A CA bundle of the machine's is not for loopback, and docker-registry panics at the sight of it.
    env.pop("AWS_CA_BUNDLE", None)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log.open("ab"), stderr=subprocess.STDOUT, env=env,
            cwd=folder, start_new_session=True)
    except FileNotFoundError:
        raise Problem(f"{command[0]} is missing: run `make setup`") from None
    with (folder / "sessions").open("a") as sessions:
        sessions.write(f"{process.pid} {session_of(pathlib.Path(f'/proc/{process.pid}'))[1]}\n")
    return process


def wait(process, name, url, folder):
    """Waits until the server answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise failed(name, folder)


def listens(process, name, address, folder):
    """Waits until the server takes connections."""
    deadline, (host, number) = time.monotonic() + START_SECONDS, address.split(":")
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((host, int(number)), 2).close()
            return
        except OSError:
            time.sleep(0.1)
    raise failed(name, folder)


def failed(name, folder):
    log = (folder / f"{name}.log").read_text(errors="replace").splitlines()[-15:]
    return Problem(f"{name} did not start. The end of {folder / name}.log:\n  " + "\n  ".join(log))


def marked(folder):
    """The processes of a stack: those that carry its mark, and those of the sessions that it started. Functions leave
    the emulator's session, and nginx writes its title over its environment: neither sign alone finds all."""
    wanted = f"{MARK}={folder}".encode()
    sessions = {int(pid): int(began) for pid, began in recorded(folder)}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                session, began = session_of(entry)
                in_session = session in sessions and began >= sessions[session]
                if in_session or wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except OSError:
                pass


def recorded(folder):
    """Leader and starting time of each session that the stack started; the time tells a reused process id."""
    try:
        return [line.split() for line in (pathlib.Path(folder) / "sessions").read_text().splitlines()]
    except FileNotFoundError:
        return []


def session_of(process):
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[3]), int(fields[19])


def alive(pids):
    def runs(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False
    return [pid for pid in pids if runs(pid)]


def stop(folder):
    """Ends all processes of a stack: politely first, then for good."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS
        while pids := alive(marked(folder)):
            reap()
            for pid in pids:
                try:
                    os.kill(pid, kind)
                except ProcessLookupError:
                    pass
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
    reap()


def reap():
    """Collects children of this process that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def registry(folder, name, port_number, storage, env=None, **sections):
    """Starts a stock registry over `storage`, its configuration's storage section, with what else it is to have."""
    config = {
        "version": 0.1, "log": {"level": "warn"}, "storage": {**storage, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port_number}", "secret": "of no use to anybody"}, **sections,
    }
    # JSON is YAML.
    path = folder / f"{name}.yml"
    path.write_text(json.dumps(config, indent=2))
    return serve(folder, name, port_number, path, env)


def serve(folder, name, port_number, config, env=None):
    """Starts a stock registry with a configuration file."""
    env = {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port_number}", **(env or {})}
    process = start(folder, name, ["docker-registry", "serve", str(config)], env)
    wait(process, name, f"http://127.0.0.1:{port_number}/v2/", folder)
    return process
