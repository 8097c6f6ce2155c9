"""AWS command line, kept running: each line of input is a call, each of output its result.

A process of its own, for it puts its own botocore in the place of everybody's.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from awscli.clidriver import create_clidriver

DRIVER = create_clidriver()


def call(args: list[str]) -> tuple[int, str, str]:
    """Run one call; return its exit code, output and complaints."""
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = DRIVER.main(args)
        except SystemExit as exc:  # an unknown option
            code = int(exc.code or 0)
    return code, _text(out), _text(err)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(call(json.loads(line))) + "\n")
        sys.stdout.flush()
