"""``python -m tests.docs.arguments MODULE ARGS…``: whether the module's own argparse takes them."""

import runpy
import sys
from argparse import ArgumentParser, Namespace
from typing import Any, NoReturn


def _only_parse(self: ArgumentParser, args: Any = None, namespace: Any = None) -> NoReturn:
    """End the program as soon as its arguments were read."""
    del namespace
    known, rest = self.parse_known_args(args)
    assert isinstance(known, Namespace)
    if rest:
        self.error(f"unrecognized arguments: {' '.join(rest)}")
    sys.exit(0)


if __name__ == "__main__":
    ArgumentParser.parse_args = _only_parse  # type: ignore[method-assign] # ends here
    _, module, *rest = sys.argv
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(f"{module} reads no arguments by argparse")
