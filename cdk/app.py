"""CDK's entry point: `cdk synth` and `cdk deploy` run it for one configuration file."""

import os
from pathlib import Path

from aws_cdk import App

from cdk.stack import Platform
from models.errors import SettingsError
from models.settings import Settings

CONFIG = "ATELIER_CONFIG"
"""Environment variable that names the configuration file; `config.yaml` if it is not set."""


def main() -> None:
    """Synthesize the stack; exit with one line that names what cannot be deployed."""
    try:
        settings = Settings.read(Path(os.environ.get(CONFIG, "config.yaml")))
        app = App()
        Platform(app, f"{settings.stack_name}Stack", settings=settings)
    except SettingsError as exc:
        raise SystemExit(str(exc)) from None
    app.synth()


if __name__ == "__main__":
    main()
