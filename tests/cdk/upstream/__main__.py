"""Fetch upstream's sources at the pinned versions, and record their facts anew.

    UPSTREAM_DIR=folder python -m tests.cdk.upstream

What differs from before, `git diff` says.
"""

import tempfile
from pathlib import Path

from models.settings import Settings
from tests.cdk.conftest import FULL, synthesized
from tests.cdk.upstream import facts, given
from tests.cdk.upstream.checkouts import CHARTS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made, platform = synthesized(Path(folder), Settings.read(args=FULL))
        values = given.values(made)
        actions = given.actions(made, platform, given.BALANCERS)
    for name, checkout in CHARTS.items():
        checkout.fetch()
        facts.record(name, facts.read(name, values[name], actions))


if __name__ == "__main__":
    main()
