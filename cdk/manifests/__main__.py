"""Print the objects as YAML: of a configuration file, or the sample with marks where to edit it."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from cdk.manifests import objects, sample
from cdk.manifests.text import render
from models.errors import SettingsError
from models.settings import Settings


def main() -> None:
    parser = ArgumentParser(prog="python -m cdk.manifests", description=__doc__)
    parser.add_argument("config", nargs="?", type=Path, help="a config.yaml; without it: a sample")
    parser.add_argument(
        "--instance-profile",
        default=sample.INSTANCE_PROFILE,
        help="of the GPU nodes: what EC2 lets them do",
    )
    given = parser.parse_args()
    try:
        sys.stdout.write(render_file(given.config, given.instance_profile))
    except SettingsError as exc:
        sys.exit(str(exc))


def render_file(config: Path | None, instance_profile: str) -> str:
    """Return a configuration's objects as YAML, or without one the sample's.

    Raises:
        SettingsError: the file is wrong, or what it asks for cannot work.
    """
    if config is not None:
        return render(objects(Settings.read(config), instance_profile=instance_profile))
    made = objects(sample.sample(), instance_profile=instance_profile)
    return sample.NOTE + render(made, sample.EDIT)


if __name__ == "__main__":
    main()
