"""Copies of the running emulator: each a process of its own, with all that it holds at that moment.

Who connects to the socket that MOORAGE_EMULATOR_FORKS names gets the copy's process id and port. A copy only serves
requests: it fires no schedules and runs no functions. It ends with the emulator, unless it was ended before.
"""
import asyncio
import ctypes
import os
import signal
import socket
import sys
import threading

PR_SET_PDEATHSIG = 1


def listen(path):
    """Answers on the socket, beside whatever the emulator does."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    threading.Thread(target=answer, args=(listener,), daemon=True).start()


def answer(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            serving = socket.socket()
            serving.bind(("127.0.0.1", 0))
            serving.listen(128)
            pid = os.fork()
            if pid == 0:
                listener.close()
                connection.close()
                serve(serving)
            port = serving.getsockname()[1]
            serving.close()
            threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()
            connection.sendall(f"{pid} {port}\n".encode())


def serve(serving):
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config
    from ministack import app

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    async def requests_only(scope, receive, send):
        if scope["type"] != "lifespan":
            return await app.app(scope, receive, send)
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return None

    async def main():
        app._MAIN_LOOP = asyncio.get_running_loop()
        await hypercorn(requests_only, config)

    config = Config()
    config.bind = [f"fd://{serving.fileno()}"]
    config.keep_alive_timeout = 75
    try:
        asyncio.run(main())
    except BaseException as error:
        print(f"a copy of the emulator: {error!r}", file=sys.stderr)
    os._exit(1)
