"""A server before another one, on loopback, that does as it is told: it passes requests on and counts them, is slow, or
refuses."""
import dataclasses
import http.client
import http.server
import threading
import time

SLICE = 64 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection", "host"}
# How long the server behind it may take.
TIMEOUT = 120
# How often a stream without a pace looks whether it has one, in seconds.
LOOK = 0.05


@dataclasses.dataclass
class Seen:
    """A request, and how many bytes of its answer's body went out."""
    method: str
    path: str
    range: str
    status: int
    sent: int
    # Of the whole body.
    length: int

    @property
    def is_whole(self):
        return self.sent == self.length


class Front:
    """Passes what comes on to `target` (host:port), below `prefix`."""

    def __init__(self, target, prefix="", port=0):
        self.target, self.prefix, self.seen = target, prefix, []
        # What a request is answered with instead: (status, headers), or None to pass it on.
        self.refuses = lambda method, path: None
        # Bytes a second of a body: None for as fast as it goes, 0 for nothing as long as that is said.
        self.pace = lambda path, part: None
        front = self

        class Handler(Passing):
            pass

        Handler.front = front
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.address = "127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Passing(http.server.BaseHTTPRequestHandler):
    """One connection of a client."""
    protocol_version = "HTTP/1.1"
    front = None

    def handle_one(self):
        front = self.front
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if refused := front.refuses(self.command, self.path):
            return self.refuse(*refused)
        connection = http.client.HTTPConnection(front.target, timeout=TIMEOUT)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            headers["X-Forwarded-Host"] = self.headers.get("Host", "")
            connection.request(self.command, front.prefix + self.path, body or None, headers)
            self.answer(connection.getresponse())
        except (OSError, http.client.HTTPException):
            # Whoever went away, client or server: the client sees a connection that ends.
            self.close_connection = True
        finally:
            connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_one

    def refuse(self, status, headers):
        self.front.seen.append(Seen(self.command, self.path, self.part(), status, 0, 0))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, response):
        length = response.getheader("Content-Length")
        whole = response.read() if length is None else None
        length = len(whole) if length is None else int(length)
        self.send_response(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        seen = Seen(self.command, self.path, self.part(), response.status, 0, 0 if self.command == "HEAD" else length)
        self.front.seen.append(seen)
        if self.command == "HEAD":
            return
        while seen.sent < seen.length:
            self.keep_pace()
            piece = whole[seen.sent:] if whole is not None else response.read(min(SLICE, seen.length - seen.sent))
            if not piece:
                raise ConnectionError("the server behind ended the body")
            self.wfile.write(piece)
            seen.sent += len(piece)

    def keep_pace(self):
        while (pace := self.front.pace(self.path, self.part())) == 0:
            time.sleep(LOOK)
        if pace:
            time.sleep(SLICE / pace)

    def part(self):
        return self.headers.get("Range", "")

    def log_message(self, *_):
        pass
