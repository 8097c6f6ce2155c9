"""The front in memory, and a client of it."""

from tests.serve_app.native.conftest import client, world

__all__ = ["client", "world"]
