"""A backend as small as can be, for tests of its process; its arguments: a port and an address.

It starts a child that leaves its process group, and says both process ids. It first sleeps for the
seconds that stand in the file ``SLOWLY``, if there is one.
"""

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HELD: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    """``/`` answers; ``/leak/N`` holds N MiB more, ``/bear/N`` a child; ``/exit/N`` ends it.

    ``/wait/N`` answers after N seconds.
    """

    def do_GET(self) -> None:
        match self.path.split("/")[1:]:
            case ["leak", size]:
                HELD.append(b"m" * 2**20 * int(size))
            case ["bear", size]:
                bear(f"held = b'm' * {int(size) * 2**20}")
            case ["wait", seconds]:
                time.sleep(float(seconds))
            case ["exit", code]:
                threading.Timer(0.05, os._exit, [int(code)]).start()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    def log_message(self, *args: object) -> None:
        """Log nothing."""


def bear(first: str = "pass") -> int:
    """Start a child that lives on, in a session of its own, once it has done something."""
    program = f"import time; {first}; print('born', flush=True); time.sleep(600)"
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", program], start_new_session=True, stdout=subprocess.PIPE
    )
    assert child.stdout
    child.stdout.readline()
    return child.pid


def main(port: str, address: str = "127.0.0.1") -> None:
    if (slowly := Path(os.environ.get("SLOWLY", ""))).is_file():
        time.sleep(float(slowly.read_text()))
    sys.stdout.write(f"pids {os.getpid()} {bear()}\n")
    ThreadingHTTPServer((address, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
