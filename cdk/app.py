"""What `cdk synth` and `cdk deploy` run: the platform of one configuration file."""

import os
from pathlib import Path

from aws_cdk import App

from cdk.stack import Platform
from models.errors import SettingsError
from models.settings import Settings

CONFIG = "ATELIER_CONFIG"
"""The environment variable that names the file; `config.yaml` without it."""


def main() -> None:
    """Synthesize; a configuration that cannot be deployed ends it with a line that says why."""
    try:
        settings = Settings.read(Path(os.environ.get(CONFIG, "config.yaml")))
        app = App()
        Platform(app, f"{settings.stack_name}Stack", settings=settings)
    except SettingsError as exc:
        raise SystemExit(str(exc)) from None
    app.synth()


if __name__ == "__main__":
    main()
