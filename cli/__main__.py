"""`python -m cli`, or the script `atelier`: the command."""

import signal

# Imports take half a second, in which Ctrl-C should end the command without a traceback.
_HEEDED = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _HEEDED:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cli.main import app  # noqa: E402


def main() -> None:
    """Run the command that the arguments name."""
    if _HEEDED:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app(prog_name="atelier")


if __name__ == "__main__":
    main()
