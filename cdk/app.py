"""What `cdk synth` and `cdk deploy` run: the platform of one configuration file."""

import os
from pathlib import Path

from aws_cdk import App

from cdk.stack import Platform
from models.settings import Settings

CONFIG = "ATELIER_CONFIG"
"""The environment variable that names the file; `config.yaml` without it."""


def main() -> None:
    """Synthesize."""
    settings = Settings.read(Path(os.environ.get(CONFIG, "config.yaml")))
    app = App()
    Platform(app, f"{settings.stack_name}Stack", settings=settings)
    app.synth()


if __name__ == "__main__":
    main()
