"""`python -m cli` is the `atelier` command."""

from cli.main import app

app()
